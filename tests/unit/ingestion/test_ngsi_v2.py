"""NGSIv2: what differs from NGSI-LD."""

from __future__ import annotations

import json

import pytest

from tests.unit.ingestion.lake import column

CHANNELS = [column("temperature", "air_temperature", "Cel")]
T = "2026-03-01T10:00:00.00Z"
STAMP = {"TimeInstant": {"type": "DateTime", "value": T}}


def number(value, **metadata):
    return {"type": "Number", "value": value, "metadata": metadata}


@pytest.fixture
def read(lake):
    def judged(document, **more):
        form = {"protocol": "folder", "format": "ngsi_v2", "framing": "document"} | more
        contract = lake.source(columns=CHANNELS, delivery=form)
        return lake.judged(contract, lake.deliver("a.json", json.dumps(document)))

    return judged


def test_the_time_and_the_unit_stand_in_the_metadata(read):
    unit = {"unitCode": {"type": "Text", "value": "CEL"}}
    (row,) = read({"id": "r", "type": "Room", "temperature": number(21.5, **STAMP, **unit)})
    assert (row["device"], row["value"], row["unit"]) == ("r", 21.5, "Cel")
    assert str(row["t"]) == "2026-03-01 10:00:00"


def test_another_unit_than_the_contract_says(read):
    unit = {"unitCode": {"value": "GQ"}}
    (row,) = read({"id": "r", "type": "Room", "temperature": number(1, **STAMP, **unit)})
    assert row["rule"] == "unit_differs"


def test_the_time_may_be_an_attribute_of_the_entity(read):
    (row,) = read({"id": "r", "type": "Room", "temperature": number(1), **STAMP})
    assert (str(row["t"]), row["verdict"]) == ("2026-03-01 10:00:00", "sound")


def test_a_point_is_latitude_first_and_geojson_longitude_first(read):
    room = {"id": "r", "type": "Room", "temperature": number(1, **STAMP)}
    (row,) = read(room | {"location": {"type": "geo:point", "value": "59.33, 18.06"}})
    assert (row["longitude"], row["latitude"]) == (18.06, 59.33)
    point = {"type": "Point", "coordinates": [18.06, 59.33]}
    (row,) = read(room | {"location": {"type": "geo:json", "value": point}})
    assert (row["longitude"], row["latitude"]) == (18.06, 59.33)


def test_a_notification(read):
    rooms = [
        {"id": name, "type": "Room", "temperature": number(value, **STAMP)}
        for name, value in (("a", 1), ("b", None))
    ]
    first, empty = read({"subscriptionId": "51c0", "data": rooms})
    assert (first["device"], first["value"]) == ("a", 1)
    assert (empty["device"], empty["rule"]) == ("b", "empty_value")


def test_real_entity_without_any_time_is_refused_until_the_contract_says_where(read, real_data):
    folder = real_data / "iot" / "fiware-transportation" / "TrafficFlowObserved" / "examples"
    document = json.loads((folder / "example-normalized.json").read_text())
    (row,) = read(document)
    assert row["rule"] == "time_missing"
    rule = {"columns": ["dateObservedFrom"], "endColumns": ["dateObservedTo"], "zone": "UTC"}
    for name in ("example-normalized.json", "example.json"):
        rows = read(json.loads((folder / name).read_text()), time=rule)
        told = {row["channel"]: row["value"] for row in rows}
        assert told == {
            "averageVehicleLength": 9.87,
            "averageHeadwayTime": 0.5,
            "occupancy": 0.76,
            "reversedLane": 0,
            "intensity": 197,
            "laneId": 1,
            "averageVehicleSpeed": 52.6,
        }
        assert {(str(row["t"]), str(row["t_end"])) for row in rows} == {
            ("2016-12-07 11:10:00", "2016-12-07 11:15:00")
        }
