"""LoRaWAN uplinks as ChirpStack v4 sends them."""

from __future__ import annotations

import json

import pytest

from tests.unit.ingestion.lake import CHIRPSTACK, column, uplink

CHANNELS = [column("temperature", "air_temperature", "Cel")]


@pytest.fixture
def read(lake):
    def judged(*lines: str, framing: str = "lines", content: bytes | None = None):
        contract = lake.source(columns=CHANNELS, delivery=CHIRPSTACK | {"framing": framing})
        path = lake.deliver("a.json", content or "\n".join(lines))
        return lake.judged(contract, path)

    return judged


def told(rows) -> dict[str, tuple]:
    return {row["channel"]: (row["cell"], row["value"], row["text"]) for row in rows}


def test_values_of_every_kind(read):
    rows = read(
        uplink(
            object={
                "temperature": 21.5,
                "count": 7,
                "open": True,
                "alarm": False,
                "state": "på",
                "nothing": None,
                "soil": {"upper": {"vwc": 0.25}, "raw": [10, {"x": 20}]},
                "a.b": 1,
            }
        )
    )
    assert told(rows) == {
        "temperature": ("21.5", 21.5, None),
        "count": ("7", 7.0, None),
        "open": ("true", 1.0, None),
        "alarm": ("false", 0.0, None),
        "state": ("på", None, "på"),
        "nothing": (None, None, None),
        "soil.upper.vwc": ("0.25", 0.25, None),
        "soil.raw.0": ("10", 10.0, None),
        "soil.raw.1.x": ("20", 20.0, None),
        "a.b": ("1", 1.0, None),
    }
    assert {row["channel"]: row["verdict"] for row in rows}["nothing"] == "filtered"


def test_what_says_how_it_was_received(read):
    (row,) = read(uplink())
    assert str(row["t"]) == "2026-10-19 10:00:00.123456"
    assert row["t"] == row["result_time"]
    assert row["device"] == "a84041000181c001"
    assert json.loads(row["attributes"]) == {
        "uplink": "3ac7e3c4",
        "deduplication_id": "3ac7e3c4",
        "session": None,
        "f_cnt": 7,
        "f_port": 2,
        "data_rate": 0,
        "gateways": 2,
        "rssi": -80.0,
        "snr": 7.5,
        "time_source": "time",
    }


def test_fields_that_are_zero_are_left_out_by_the_sender(read):
    (row,) = read(uplink(fCnt=None, fPort=None, rxInfo=None))
    told_of = json.loads(row["attributes"])
    assert (told_of["f_cnt"], told_of["f_port"], told_of["gateways"]) == (0, 0, None)
    assert row["verdict"] == "sound"


def test_undecoded_uplink_gives_its_payload(read):
    for empty in (None, {}):
        (row,) = read(uplink(object=empty))
        assert (row["channel"], row["cell"], row["text"]) == ("data", "AQID", "AQID")


@pytest.mark.parametrize(
    ("line", "rule", "reason"),
    [
        ('{"deviceInfo": {"devEui": "a"', "layout", "not a whole JSON document"),
        ("[]", "format", "deviceInfo is missing"),
        ("7", "format", "deviceInfo is missing"),
        ('"text"', "format", "deviceInfo is missing"),
        ("null", "format", "deviceInfo is missing"),
        ('{"applicationID": "1", "devEUI": "QQ=="}', "format", "it looks like ChirpStack v3"),
        (uplink(deviceInfo=None), "format", "deviceInfo is missing"),
        (uplink(deviceInfo={}), "format", "deviceInfo.devEui is missing"),
        (uplink(time=None), "time_missing", "the event has no time"),
        (uplink(time="igår"), "time_unreadable", "the time 'igår' cannot be read"),
        (uplink(time="2026-10-19T10:00:00"), "time_unreadable", "cannot be read"),
        (uplink(object=None, data=None), "no_measurement", "neither decoded values nor a payload"),
        (uplink(object=[1], data=None), "no_measurement", "neither decoded values nor a payload"),
        (uplink().replace('"temperature": 21.5', '"t": 1, "t": 2'), "layout", "a key twice"),
        (uplink(time="2099-01-01T00:00:00Z"), "time_in_future", "lies after the delivery"),
    ],
)
def test_broken_uplink_does_not_stop_the_others(read, line, rule, reason):
    before, broken, after = read(uplink(fCnt=1), line, uplink(fCnt=2))
    assert (broken["verdict"], broken["rule"]) == ("broken", rule)
    assert reason in broken["reason"]
    assert (before["verdict"], after["verdict"], after["_row"]) == ("sound", "sound", 3)


def test_bytes_that_are_no_text(read):
    content = uplink(object={"state": "XX"}).encode().replace(b"XX", b"\xff\xfe")
    (row,) = read(content=content)
    assert (row["rule"], row["reason"]) == ("encoding", "bytes that are not utf-8")


def test_record_without_any_value_is_not_lost(lake):
    contract = lake.source(columns=CHANNELS, delivery=CHIRPSTACK)
    lake.deliver("a.ndjson", uplink(object={"soil": {}, "list": []}))
    ledger = lake.ingest(contract).ledger
    assert (ledger.records, ledger.rows_in, ledger.quarantined) == (1, 1, 1)
    assert [row["rule"] for row in lake.quarantine()] == ["no_measurement"]


def test_wrong_types_are_passed_over_where_they_do_not_matter(read):
    (row,) = read(uplink(fCnt="x", rxInfo={"a": 1}, dr=[1]))
    assert row["verdict"] == "sound"


def test_deep_nesting_is_no_danger(read):
    deep = '{"x":' + "[" * 100_000 + "]" * 100_000 + "}"
    rows = read(deep, uplink())
    assert [row["verdict"] for row in rows] == ["broken", "sound"]
    for depth, rule in ((49, None), (50, "layout"), (500, "layout"), (100_000, "layout")):
        (row,) = read(uplink().replace("21.5", "[" * depth + "1" + "]" * depth))
        assert (row["rule"], row["value"]) == (rule, None if rule else 1)


def test_one_document_a_file(read):
    pretty = json.dumps(json.loads(uplink()), indent=2)
    (row,) = read(pretty, framing="document")
    assert (row["_row"], row["value"]) == (1, 21.5)
    (row,) = read(content=pretty.encode("utf-8-sig"), framing="document")
    assert row["value"] == 21.5
    (row,) = read(pretty[:-2], framing="document")
    assert row["rule"] == "layout"


def test_real_payload_value_by_value(lake, real_data):
    folder = real_data / "iot" / "lorawan-chirpstack" / "Milesight" / "AM319"
    payload = folder / "ChirpStack" / "uplink" / "payload.json"
    event = json.loads(payload.read_text())
    contract = lake.source(columns=CHANNELS, delivery=CHIRPSTACK | {"framing": "document"})
    (row,) = lake.judged(contract, lake.deliver("payload.json", payload.read_bytes()))
    assert (row["channel"], row["text"]) == ("data", event["data"])
    assert row["device"] == event["deviceInfo"]["devEui"]
    assert row["t"].isoformat()[:19] == event["time"][:19]
    told_of = json.loads(row["attributes"])
    assert told_of["f_cnt"] == event.get("fCnt", 0)
    assert told_of["f_port"] == event["fPort"]
    assert told_of["rssi"] == max(gateway["rssi"] for gateway in event["rxInfo"])
    assert told_of["deduplication_id"] == event["deduplicationId"]
