"""Answers of QuantumLeap and the notifications it takes."""

from __future__ import annotations

import json

import pytest

from tests.unit.ingestion.lake import column

CHANNELS = [column("temperature", "air_temperature", "Cel")]
INDEX = ["2018-01-05T15:44:34.000+00:00", "2018-01-05T16:44:34.000+01:00"]


@pytest.fixture
def read(lake):
    def judged(document, **more):
        form = {"protocol": "folder", "format": "quantumleap", "framing": "document"} | more
        contract = lake.source(columns=CHANNELS, delivery=form)
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return lake.judged(contract, lake.deliver("a.json", content))

    return judged


SERIES = {"index": INDEX, "values": [21.5, 22]}
ONE = {"entityId": "r1", **SERIES}
ANSWERS = {
    "one entity": {
        "entityId": "r1",
        "entityType": "Room",
        "index": INDEX,
        "attributes": [{"attrName": "temperature", "values": [21.5, 22]}],
    },
    "one attribute of it": {"attrName": "temperature", **ONE},
    "one attribute of a type": {"attrName": "temperature", "entityType": "R", "entities": [ONE]},
    "a type": {
        "entityType": "Room",
        "entities": [
            {
                "entityId": "r1",
                "index": INDEX,
                "attributes": [{"attrName": "temperature", "values": [21.5, 22]}],
            }
        ],
    },
    "every attribute": {
        "attrs": [{"attrName": "temperature", "types": [{"entityType": "Room", "entities": [ONE]}]}]
    },
    "one attribute of every type": {
        "attrName": "temperature",
        "types": [{"entityType": "Room", "entities": [ONE]}],
    },
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("framing", ["document", "lines"])
def test_answers(read, answer, framing):
    rows = read(ANSWERS[answer], framing=framing)
    assert sorted((r["device"], r["channel"], r["value"], str(r["t"])) for r in rows) == [
        ("r1", "temperature", 21.5, "2018-01-05 15:44:34"),
        ("r1", "temperature", 22, "2018-01-05 15:44:34"),
    ]
    assert {row["verdict"] for row in rows} == {"sound"}


def test_lists_of_unlike_length_are_quarantined_as_one(read):
    attributes = [
        {"attrName": "temperature", "values": [1]},
        {"attrName": "humidity", "values": [1, None]},
        {"attrName": "pressure", "values": 7},
    ]
    rows = read({"entityId": "r1", "index": INDEX, "attributes": attributes})
    assert [(r["channel"], r["cell"], r["rule"]) for r in rows if r["rule"] != "layout"] == [
        ("humidity", "1", None),
        ("humidity", None, "empty_value"),
    ]
    assert {r["channel"] for r in rows if r["rule"] == "layout"} == {"temperature", "pressure"}


def test_an_index_without_offset(read):
    answer = {"entityId": "r1", "attrName": "temperature", "index": [INDEX[0][:19]], "values": [1]}
    (row,) = read(answer)
    assert (row["rule"], "no offset" in row["reason"]) == ("time_unreadable", True)
    (row,) = read(answer, time={"columns": ["index"], "zone": "UTC"})
    assert str(row["t"]) == "2018-01-05 15:44:34"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b'{"entityId": "r1", ', "layout"),
        (b'{"error": "Not Found", "description": "No records were found"}', "format"),
        (b"[7]", "layout"),
        (b'{"entityId": "\xff"}', "encoding"),
        (b'{"entityId": "a", "entityId": "b", "values": []}', "layout"),
    ],
)
def test_damage(read, content, rule):
    (row,) = read(content)
    assert (row["verdict"], row["rule"]) == ("broken", rule)


@pytest.mark.parametrize("name", ["room.json", "notify-load-test.json"])
def test_real_notification_without_time(read, real_data, name):
    content = (real_data / "iot" / "quantumleap-notify" / name).read_bytes()
    (row,) = read(content)
    assert (row["device"], row["cell"], row["rule"]) == ("Room:1", "23.3", "time_missing")
    timed = json.loads(content)
    timed["data"][0]["TimeInstant"] = {"type": "DateTime", "value": INDEX[0]}
    rows = read(timed)
    assert {r["channel"]: r["value"] for r in rows} == {"temperature": 23.3, "pressure": 720}
