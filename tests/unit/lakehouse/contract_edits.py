"""Ways to spoil a contract, as changes to its mapping."""

from __future__ import annotations

from lakehouse.settings import PROJECT

PRODUCT = PROJECT / "contracts" / "products" / "luftkvalitet_timme.yaml"


def section(data: dict, name: str) -> dict:
    (found,) = (item for item in data["customProperties"] if item["property"] == name)
    return found["value"]


def without(data: dict, name: str) -> None:
    data["customProperties"] = [p for p in data["customProperties"] if p["property"] != name]


def columns(data: dict) -> list[dict]:
    return data["schema"][0]["properties"]


def drop_section(name):
    return lambda data: without(data, name)


def put(name, key, value):
    return lambda data: section(data, name).__setitem__(key, value)


def take(name, key):
    return lambda data: section(data, name).pop(key)


def channel(**changes):
    def change(data):
        named = {"observedProperty": "active_energy", "unit": "kW.h"} | changes
        columns(data)[2]["customProperties"] = [
            {"property": key, "value": value} for key, value in named.items() if value is not None
        ]

    return change


def top(key, value):
    return lambda data: data.__setitem__(key, value)
