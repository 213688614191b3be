"""Contracts: what is shipped loads, and what is broken is refused with place and remedy."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from lakehouse.contracts import load_contracts, load_product, load_source
from lakehouse.errors import ContractError
from lakehouse.settings import PROJECT
from tests.unit.ingestion.lake import METER, column, document

SHIPPED = (PROJECT / "contracts", PROJECT / "examples" / "open_data")
SHIPPED_SOURCES = sorted(path for folder in SHIPPED for path in folder.glob("sources/**/*.yaml"))
PRODUCT = PROJECT / "contracts" / "products" / "luftkvalitet_timme.yaml"


@pytest.mark.parametrize("path", SHIPPED_SOURCES, ids=lambda path: path.stem)
def test_every_shipped_source_loads(path):
    contract = load_source(path)
    assert contract.id == path.stem
    assert contract.channels
    assert contract.location
    assert contract.frequency_s in {days * 86_400 for days in (1, 7, 365)}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_folder_loads(folder):
    contracts = load_contracts(folder)
    assert set(contracts.sources) == {path.stem for path in folder.glob("sources/**/*.yaml")}
    assert set(contracts.products) == {path.stem for path in folder.glob("products/*.yaml")}
    assert list(contracts.sources) == sorted(contracts.sources)


def test_shipped_products_have_a_key_and_an_approval():
    for product in load_contracts(PROJECT / "contracts").products.values():
        assert product.key
        assert product.publication.audience == "open"
        assert product.approval is not None


def test_unknown_source_and_product_are_named():
    contracts = load_contracts(PROJECT / "contracts")
    with pytest.raises(ContractError, match=r"no source 'nowhere'.*Known: .*miljo_luft"):
        contracts.source("nowhere")
    with pytest.raises(ContractError, match=r"no product 'nothing'.*Known: .*luftkvalitet_timme"):
        contracts.product("nothing")


def test_digest_hangs_on_content_not_on_layout(tmp_path):
    first, second = tmp_path / "a" / "meters.yaml", tmp_path / "b" / "meters.yaml"
    for path, style in ((first, {"sort_keys": True}), (second, {"default_flow_style": True})):
        path.parent.mkdir()
        path.write_text(yaml.safe_dump(document(), **style))
    assert load_source(first).digest == load_source(second).digest
    changed = document() | {"version": "1.0.1"}
    second.write_text(yaml.safe_dump(changed))
    assert load_source(first).digest != load_source(second).digest


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


BROKEN_SOURCES = {
    "missing_section": (
        drop_section("delivery"),
        ["customProperties", "'delivery' is missing", "Add '- property: delivery'"],
    ),
    "missing_key": (
        take("source", "owner"),
        ["customProperties.source.owner", "this key is missing", "Add it"],
    ),
    "unknown_key": (
        put("delivery", "protocoll", "folder"),
        ["customProperties.delivery.protocoll", "unknown", "Known keys beside it", "protocol"],
    ),
    "unknown_key_deep_down": (
        put("delivery", "csv", {"delimeter": ";"}),
        ["customProperties.delivery.csv.delimeter", "unknown", "beside it: decimal, delimiter"],
    ),
    "unknown_key_of_a_thing": (
        lambda data: section(data, "things").append(
            {"device": "a", "name": "A", "type": "b", "lat": 59.3}
        ),
        ["customProperties.things[0].lat", "unknown", "latitude"],
    ),
    "unknown_property_of_a_column": (
        channel(observedPropperty="pm10"),
        ["schema[0].properties[2]", "observedPropperty", "unknown", "devices, empty"],
    ),
    "empty_means_nothing_known": (
        channel(empty="drop"),
        ["schema[0].properties[2]", "empty", "'filter' or 'quarantine'", "'drop'"],
    ),
    "devices_no_pattern": (
        channel(devices="("),
        ["schema[0].properties[2]", "devices", "expected a regular expression"],
    ),
    "wrong_type": (
        put("classification", "personalData", "kanske"),
        ["customProperties.classification.personalData", "'kanske'", "Correct the value"],
    ),
    "level_out_of_range": (
        put("classification", "r", 7),
        ["customProperties.classification.r", "not 7", "Correct the value"],
    ),
    "k_too_high": (
        put("classification", "k", 3),
        ["customProperties.classification.k", "K=3 may not stand", "Keep the data where"],
    ),
    "unknown_zone": (
        put("delivery", "time", {"columns": ["time"], "zone": "Europe/Stokholm"}),
        ["customProperties.delivery.time.zone", "expected an IANA zone", "Europe/Stokholm"],
    ),
    "two_clocks": (
        put(
            "delivery",
            "time",
            {"columns": ["time"], "sequence": {"start": "2026-01-01", "stepS": 60}, "zone": "UTC"},
        ),
        ["customProperties.delivery.time", "expected either 'columns' or 'sequence'"],
    ),
    "unknown_fold": (
        put("delivery", "time", {"columns": ["time"], "zone": "UTC", "fold": "guess"}),
        ["customProperties.delivery.time.fold", "'guess'"],
    ),
    "two_ways_to_the_device": (
        put("delivery", "device", {"column": "meter", "constant": "m1"}),
        ["customProperties.delivery.device", "exactly one of"],
    ),
    "device_pattern_without_group": (
        put("delivery", "device", {"file": "station_.*"}),
        ["customProperties.delivery.device.file", "a group around the device"],
    ),
    "device_pattern_broken": (
        put("delivery", "device", {"file": "("}),
        ["customProperties.delivery.device.file", "expected a regular expression"],
    ),
    "contact_no_address": (
        put("source", "contact", "nobody"),
        ["customProperties.source.contact", "'nobody'"],
    ),
    "no_attempts": (
        put("delivery", "pull", {"attempts": 0}),
        ["customProperties.delivery.pull.attempts", "greater than or equal to 1", "not 0"],
    ),
    "nothing_measured": (
        lambda data: columns(data)[2].pop("customProperties"),
        ["schema[0].properties", "no property names an observedProperty", "Give at least one"],
    ),
    "channel_without_unit": (
        channel(unit=None),
        ["schema[0].properties[2]", "'kwh' has no unit", "vocabulary/units.csv"],
    ),
    "column_stands_twice": (
        lambda data: columns(data).append(columns(data)[0]),
        ["schema[0].properties", "'meter' stands twice", "Keep one"],
    ),
    "unknown_key_of_the_delivery": (
        put("delivery", "shape", "records"),
        ["customProperties.delivery.shape", "this key is unknown", "protocol"],
    ),
    "id_is_not_the_file": (
        top("id", "metres"),
        ["id", "'metres' is not the file's name", "Write 'meters'"],
    ),
    "id_leads_elsewhere": (top("id", "../meters"), ["id", "is not a plain id", "Use a-z"]),
    "nowhere_to_fetch_from": (
        lambda data: data.pop("servers"),
        ["servers", "no place to fetch from", "'path' or 'location'"],
    ),
    "frequency_as_text": (
        top("slaProperties", [{"property": "frequency", "value": "1", "unit": "d"}]),
        ["slaProperties[0]", "'1' is no frequency", "number above 0"],
    ),
    "frequency_in_an_unknown_unit": (
        top("slaProperties", [{"property": "frequency", "value": 1, "unit": "fortnight"}]),
        ["slaProperties[0]", "'fortnight' is unknown", "s, m, min, h, d, w"],
    ),
    "not_odcs": (
        top("apiVersion", "v0.0.1"),
        ["apiVersion", "'v0.0.1'", "Open Data Contract Standard v3.1.0"],
    ),
    "not_odcs_inside": (
        top("team", 5),
        ["team", "Open Data Contract Standard v3.1.0"],
    ),
    "property_without_value": (
        lambda data: data["customProperties"].append({"property": "extra"}),
        ["customProperties[4]", "'value' is a required property"],
    ),
}


@pytest.mark.parametrize("name", BROKEN_SOURCES)
def test_broken_source_is_refused(tmp_path, name):
    breaking, words = BROKEN_SOURCES[name]
    data = copy.deepcopy(document())
    path = tmp_path / "meters.yaml"
    path.write_text(yaml.safe_dump(data))
    load_source(path)  # sound until it is broken
    breaking(data)
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ContractError) as caught:
        load_source(path)
    assert all(problem.place.startswith(str(path)) for problem in caught.value.problems)
    for word in words:
        assert word in str(caught.value)


BROKEN_PRODUCTS = {
    "open_but_confidential": (
        put("classification", "k", 1),
        ["publication.audience", "open, but K=1", "Only K=0 without personal data"],
    ),
    "open_but_personal": (
        put("classification", "personalData", True),
        ["publication.audience", "personal data is true", "write 'internal' or 'restricted'"],
    ),
    "open_without_approval": (
        drop_section("approval"),
        ["customProperties.approval", "recorded decision", "Add '- property: approval'"],
    ),
    "no_key": (
        lambda data: [item.pop("primaryKey", None) for item in columns(data)],
        ["schema[0].properties", "no property is a primaryKey", "Mark the columns"],
    ),
    "time_column_is_none": (
        put("publication", "timeColumn", "when"),
        ["publication.timeColumn", "'when' is not a column", "Name one of"],
    ),
    "licence_not_listed": (
        put("publication", "licence", "MIT"),
        ["publication.licence", "'MIT'", "Correct the value"],
    ),
    "no_english_title": (
        lambda data: section(data, "publication")["title"].pop("en"),
        ["publication.title.en", "this key is missing", "Add it"],
    ),
    "column_without_label": (
        lambda data: columns(data)[0].pop("customProperties"),
        ["schema[0].properties[0].customProperties.label", "this key is missing"],
    ),
    "id_is_not_the_file": (top("id", "luft"), ["id", "'luft' is not the file's name", "equal"]),
}


@pytest.mark.parametrize("name", BROKEN_PRODUCTS)
def test_broken_product_is_refused(tmp_path, name):
    breaking, words = BROKEN_PRODUCTS[name]
    data = yaml.safe_load(PRODUCT.read_text(encoding="utf-8"))
    path = tmp_path / PRODUCT.name
    path.write_text(yaml.safe_dump(data))
    load_product(path)
    breaking(data)
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ContractError) as caught:
        load_product(path)
    assert all(problem.place.startswith(str(path)) for problem in caught.value.problems)
    for word in words:
        assert word in str(caught.value)


def test_internal_product_needs_neither(tmp_path):
    data = yaml.safe_load(PRODUCT.read_text(encoding="utf-8"))
    section(data, "publication")["audience"] = "internal"
    section(data, "classification")["k"] = 1
    without(data, "approval")
    path = tmp_path / PRODUCT.name
    path.write_text(yaml.safe_dump(data))
    assert load_product(path).approval is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1, 2\nb: 3\n", ["line 2", "this is not YAML", "Mend the syntax"]),
        ("- a\n- b\n", ["the file holds no mapping", "Start it with 'apiVersion: v3.1.0'"]),
        ("", ["the file holds no mapping"]),
        ("id: \udce5\n", ["this is not YAML"]),
    ],
)
def test_not_yaml(tmp_path, text, words):
    path = tmp_path / "meters.yaml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ContractError) as caught:
        load_source(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


UNKNOWN_WORDS = {
    "unit": (
        {"columns": [*METER[:2], column("kwh", "active_energy", "kWh")]},
        ["schema[0].properties[2] (kwh)", "'kWh' is not in vocabulary/units.csv"],
    ),
    "property": (
        {"columns": [*METER[:2], column("kwh", "el", "kW.h")]},
        ["schema[0].properties[2] (kwh)", "'el' is not in vocabulary/observed_properties.csv"],
    ),
    "dimension": (
        {"columns": [*METER[:2], column("kwh", "active_energy", "kW")]},
        ["'kW' cannot be converted to kW.h", "active_energy", "Correct the unit"],
    ),
}


@pytest.mark.parametrize("name", UNKNOWN_WORDS)
def test_words_come_from_the_vocabulary(lake, name):
    changes, words = UNKNOWN_WORDS[name]
    path = lake.write(**changes)
    with pytest.raises(ContractError) as caught:
        load_contracts(lake.settings.contracts)
    for word in (str(path), *words):
        assert word in str(caught.value)


@pytest.mark.parametrize("key", ["organisation", "initiative"])
def test_owners_come_from_the_vocabulary(lake, key):
    path = lake.write()
    data = yaml.safe_load(path.read_text())
    section(data, "source")[key] = "okand"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ContractError, match=f"'okand' is not in vocabulary/{key}s.csv"):
        load_contracts(lake.settings.contracts)


def test_publisher_comes_from_the_vocabulary(lake):
    lake.write()
    data = yaml.safe_load(PRODUCT.read_text(encoding="utf-8"))
    section(data, "publication")["publisher"] = "okand"
    path = lake.settings.contracts / "products" / PRODUCT.name
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ContractError, match=r"publication.publisher: 'okand' is not in"):
        load_contracts(lake.settings.contracts)


def test_problems_of_two_files_are_both_reported(lake):
    first, second = lake.write("first"), lake.write("second")
    for path, key in ((first, "owner"), (second, "contact")):
        data = yaml.safe_load(path.read_text())
        section(data, "source").pop(key)
        path.write_text(yaml.safe_dump(data))
    with pytest.raises(ContractError) as caught:
        load_contracts(lake.settings.contracts)
    places = [problem.place for problem in caught.value.problems]
    assert places == [
        f"{first}: customProperties.source.owner",
        f"{second}: customProperties.source.contact",
    ]


def test_id_that_stands_twice(lake):
    path = lake.write("meters")
    again = path.parent / "other" / path.name
    again.parent.mkdir()
    again.write_text(path.read_text())
    with pytest.raises(ContractError, match="'meters' is also the id of"):
        load_contracts(lake.settings.contracts)


def test_folder_without_sources(tmp_path):
    with pytest.raises(ContractError, match=r"no folder 'sources'.*Name a contracts folder"):
        load_contracts(tmp_path)


def test_readings_that_may_be_shared(lake):
    contract = lake.source()
    levels = contract.classification
    assert levels.is_shareable
    assert not levels.model_copy(update={"k": 2}).is_shareable
    assert not levels.model_copy(update={"personal_data": True}).is_shareable
    assert Path(contract.path).name == "meters.yaml"
