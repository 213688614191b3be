"""The notifications of the detectors, read back and held against the summary."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from lakehouse.ledger import Ledger
from sample_city.detectors import ATTRIBUTES, DETECTORS, IMPOSSIBLE_INTENSITY


@pytest.fixture(scope="module")
def summary(city):
    return city.summary["trafik_floden"]


@pytest.fixture(scope="module")
def files(city) -> dict[str, list[dict | None]]:
    folder = city.inbox / "trafik_floden"
    return {
        path.name: [parse(line) for line in path.read_text("utf-8").splitlines()]
        for path in sorted(folder.iterdir())
    }


@pytest.fixture(scope="module")
def entities(files) -> list[dict]:
    return [entity for found in files.values() for one in found if one for entity in one["data"]]


def parse(line: str) -> dict | None:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def times(entity: dict) -> tuple[datetime, datetime]:
    start, end = (
        datetime.fromisoformat(entity[name]["value"]["@value"])
        for name in ("dateObservedFrom", "dateObservedTo")
    )
    return start, end


def test_summary_is_what_an_ingest_finds(files, summary):
    for delivery in summary.deliveries:
        found, seen, counts = files[delivery.name], set(), dict.fromkeys(("in", "bad", "again"), 0)
        for one in found:
            readings = [
                (entity["id"], name, times(entity), entity[name]["value"])
                for entity in (one or {"data": []})["data"]
                for name in ATTRIBUTES
                if name in entity
            ]
            counts["in"] += len(readings) or 1
            counts["bad"] += sum(value == IMPOSSIBLE_INTENSITY for *_, value in readings)
            counts["bad"] += one is None
            counts["again"] += sum(reading in seen for reading in readings)
            seen |= {*readings}
        assert delivery.ledger == Ledger(
            records=len(found),
            rows_in=counts["in"],
            landed=counts["in"] - counts["bad"] - counts["again"],
            quarantined=counts["bad"],
            duplicates=counts["again"],
        )
    assert summary.faults == {
        "cut_line": 1, "lost_interval": 29, "out_of_range": 1, "resent_notification": 1,
    }  # fmt: skip


def test_detectors_and_attributes_are_the_contracts_own(contracts, entities):
    contract = contracts["trafik_floden"]
    devices = [thing.device for thing in contract.things]
    assert [device.rsplit(":", 1)[1] for device in devices] == [name for name, _ in DETECTORS]
    assert {entity["id"] for entity in entities} == {*devices}
    assert {channel.delivered_as for channel in contract.channels} == {*ATTRIBUTES}


def test_intervals_are_parts_of_quarters_and_do_not_overlap(entities):
    parts = dict(DETECTORS)
    ended: dict[str, datetime] = {}
    for entity in entities:
        detector = entity["id"].rsplit(":", 1)[1]
        start, end = times(entity)
        assert end - start == timedelta(minutes=15) / parts[detector]
        before = ended.get(detector, start)
        assert start >= before or end == before  # the resent notification
        ended[detector] = end


def test_an_empty_street_has_no_speed(entities):
    empty = [entity for entity in entities if entity["intensity"]["value"] == 0]
    assert empty
    for entity in entities:
        assert ("averageVehicleSpeed" in entity) == (entity["intensity"]["value"] > 0)
        assert 0 <= entity["occupancy"]["value"] <= 1
    assert {entity["averageVehicleSpeed"]["unitCode"] for entity in entities
            if "averageVehicleSpeed" in entity} == {"KMH"}  # fmt: skip


def test_rush_hour_is_busier_than_night(entities):
    def mean(hour: int) -> float:
        counts = [
            entity["intensity"]["value"]
            for entity in entities
            if entity["id"].endswith("HORN-V1") and times(entity)[0].hour == hour
        ]
        return sum(counts) / len(counts)

    assert mean(6) > 5 * mean(1)  # 08 and 03 in Stockholm, before clocks went back
