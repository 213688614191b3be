"""A contract that breaks a rule is refused, with the place and what to do about it."""

from __future__ import annotations

import copy

import pytest
import yaml

from lakehouse.contracts import load_product, load_source
from lakehouse.errors import ContractError
from tests.unit.ingestion.lake import document
from tests.unit.lakehouse.contract_edits import (
    PRODUCT,
    channel,
    columns,
    drop_section,
    put,
    section,
    take,
    top,
    without,
)

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
    "result_time_on_a_local_clock": (
        put(
            "delivery",
            "time",
            {"columns": ["time"], "resultColumns": ["made"], "zone": "Europe/Stockholm"},
        ),
        ["customProperties.delivery.time", "expected zone UTC beside 'resultColumns'"],
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
        ["apiVersion", '"v0.0.1"', "Open Data Contract Standard v3.1.0"],
    ),
    "not_odcs_inside": (
        top("team", 5),
        ["team", "Open Data Contract Standard v3.1.0"],
    ),
    "property_without_value": (
        lambda data: data["customProperties"].append({"property": "extra"}),
        ["customProperties[4]", '"value" is a required property'],
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
    "approval_beside_the_contract": (
        lambda data: data["customProperties"].append({"property": "approval", "value": {}}),
        ["customProperties.approval", "this property is unknown", "Known ones"],
    ),
    "no_semantic_version": (top("version", "1.0"), ["version", "'1.0' is no semantic version"]),
    "column_classified_in_words": (
        lambda data: columns(data)[3].__setitem__("classification", "hemlig"),
        ["schema[0].properties[3].classification", "'hemlig' is no classification", "K-R-T"],
    ),
    "special_but_not_personal": (
        put("classification", "specialCategory", True),
        ["customProperties.classification", "expected 'personalData: true'"],
    ),
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


def test_a_product_that_nobody_has_classified_can_be_read(tmp_path):
    data = yaml.safe_load(PRODUCT.read_text(encoding="utf-8"))
    without(data, "classification")
    path = tmp_path / PRODUCT.name
    path.write_text(yaml.safe_dump(data))
    assert load_product(path).classification is None


def test_the_highest_column_classifies_a_source(tmp_path):
    data = copy.deepcopy(document())
    columns(data)[2]["classification"] = "2-0-1"
    path = tmp_path / "meters.yaml"
    path.write_text(yaml.safe_dump(data))
    source = load_source(path)
    levels = section(data, "classification")
    assert source.classification.k == 2
    assert source.classification.r == levels["r"]
    assert source.classification.t == max(levels["t"], 1)
    assert not source.classification.is_shareable
