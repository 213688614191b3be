"""Sentilo observations."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from tests.unit.ingestion.lake import column

CHANNELS = [column("value", "relative_humidity", "%")]
STAMP = "17/09/2012T12:34:45"


@pytest.fixture
def read(lake):
    def judged(document, **more):
        form = {"protocol": "folder", "format": "sentilo", "framing": "document"} | more
        contract = lake.source(columns=CHANNELS, delivery=form)
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return lake.judged(contract, lake.deliver("s1.json", content))

    return judged


def seen(value="12.3", **more):
    return {"observations": [{"value": value, "timestamp": STAMP} | more]}


@pytest.mark.parametrize(
    ("zone", "hour"),
    [("", 12), ("Z", 12), ("UTC", 12), ("CET", 11), ("CEST", 10), ("+0200", 10), ("+02:00", 10)],
)
def test_times_are_utc_or_say_their_zone(read, zone, hour):
    (row,) = read(seen(timestamp=STAMP + zone), device={"constant": "s"})
    assert (row["device"], row["value"], row["t"]) == (
        "s",
        12.3,
        datetime(2012, 9, 17, hour, 34, 45),
    )


@pytest.mark.parametrize(
    "stamp", [STAMP + "PST", "2012-09-17 12:34:45", "31/02/2012T00:00:00", "x"]
)
def test_a_time_that_cannot_be_read(read, stamp):
    (row,) = read(seen(timestamp=stamp), device={"constant": "s"})
    assert (row["verdict"], row["rule"]) == ("broken", "time_unreadable")


def test_milliseconds_stand_in_for_a_missing_timestamp_only(read):
    milliseconds = {"time": 1477471833000}
    (row,) = read(seen(timestamp=None, **milliseconds), device={"constant": "s"})
    assert str(row["t"]) == "2016-10-26 08:50:33"
    (row,) = read(seen(**milliseconds), device={"constant": "s"})
    assert row["t"].year == 2012
    (row,) = read(seen(timestamp=None), device={"constant": "s"})
    assert row["rule"] == "time_missing"


def test_the_device_may_come_from_the_file(read):
    (row,) = read(seen(), device={"file": r"meters/(\w+)\.json"})
    assert (row["device"], row["channel"]) == ("s1", "value")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b'{"observations": [', "layout"),
        (b'{"observations": [5]}', "layout"),
        (b'{"observations": [{"value": "1", "value": "2"}]}', "layout"),
        (b'{"sensors": [{"sensor": "a", "sensor": "b", "observations": [{}]}]}', "layout"),
        (b"[]", None),
        (b"7", "layout"),
        (b'{"value": "\xff"}', "encoding"),
        (b'{"code": 401, "message": "Invalid credential null"}', "no_measurement"),
    ],
)
def test_damage(read, content, rule):
    rows = read(content)
    assert [row["rule"] for row in rows] == ([] if rule is None else [rule])


def plain(document):
    """The same reading in plain Python: sensor, value and time text of each observation."""
    for one in document.get("sensors", [document]):
        for observation in one.get("observations", []) if isinstance(one, dict) else []:
            yield one.get("sensor"), observation["value"], observation.get("timestamp")
    if document.get("type") == "DATA":
        yield document["sensor"], document["message"], document["timestamp"]


def test_real_documents_value_by_value(read, real_data):
    paths = sorted((real_data / "iot" / "sentilo-docs").glob("*.json"))
    assert len(paths) == 28
    found = 0
    for path in paths:
        document = json.loads(path.read_text())
        rows = read(path.read_bytes())
        expected = list(plain(document))
        if not expected:
            assert {row["rule"] for row in rows} == {"no_measurement"}
            continue
        found += len(expected)
        assert [(r["device"], r["cell"], r["value"]) for r in rows] == [
            (sensor, value, float(value)) for sensor, value, _ in expected
        ]
        for row, (_, _, stamp) in zip(rows, expected, strict=True):
            assert (row["t"] is None) == (stamp is None)
            if stamp and not stamp.endswith("CET"):
                assert row["t"] == datetime.strptime(stamp, "%d/%m/%YT%H:%M:%S")  # noqa: DTZ007
    assert found > 20


def test_real_position_is_latitude_first(read, real_data):
    path = real_data / "iot" / "sentilo-docs" / "subscription-27.json"
    (row,) = read(path.read_bytes())
    assert (row["longitude"], row["latitude"]) == (2.17157, 41.387172)
    assert (row["device"], row["value"], row["verdict"]) == ("appdemo_sensor_test", 8, "sound")
