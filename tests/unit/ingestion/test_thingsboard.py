"""ThingsBoard telemetry in its shapes."""

from __future__ import annotations

import json
from datetime import UTC

import pytest

from tests.unit.ingestion.lake import column

CHANNELS = [
    column("temperature", "air_temperature", "Cel"),
    column("serial", "uplink_payload", "1", kind="string"),
]
TS = 1451649600512
T = "2016-01-01 12:00:00.512000"


@pytest.fixture
def read(lake):
    def judged(*contents, **more):
        form = {"protocol": "folder", "format": "thingsboard", "framing": "document"} | more
        contract = lake.source(columns=CHANNELS, delivery=form)
        return lake.judged(
            contract,
            *(
                lake.deliver(f"d{n}.json", one if isinstance(one, bytes) else json.dumps(one))
                for n, one in enumerate(contents)
            ),
        )

    return judged


def told(rows):
    return [(r["device"], r["channel"], r["value"], r["text"], r["rule"]) for r in rows]


def test_export_with_quoted_and_with_strict_types(read):
    def values(*found):
        return [{"ts": TS, "value": one} for one in found]

    rows = read(
        {
            "temperature": values("23.1", 23.1, "på"),
            "serial": values("0070"),
            "on": values(True, "true"),
        },
        device={"file": r"meters/(\w+)\.json"},
    )
    assert told(rows) == [
        ("d0", "temperature", 23.1, None, None),
        ("d0", "temperature", 23.1, None, None),
        ("d0", "temperature", None, "på", "value_unreadable"),
        ("d0", "serial", None, "0070", None),
        ("d0", "on", 1, None, None),
        ("d0", "on", None, "true", None),
    ]
    assert {str(row["t"]) for row in rows} == {T}


@pytest.mark.parametrize("framing", ["document", "lines"])
def test_uploads(read, framing):
    pack = {"ts": TS, "values": {"temperature": 5}}
    rows = read(
        pack,
        [pack, pack],
        {"A": [pack, pack], "B": [pack]},
        {"deviceName": "A", "deviceType": "t", "attributes": {"x": 1}, "telemetry": [pack]},
        [{"deviceName": "A", "telemetry": pack}],
        device={"constant": "c"},
        framing=framing,
    )
    assert [(r["_file"], r["device"]) for r in rows] == [
        (0, "c"), (1, "c"), (1, "c"), (2, "A"), (2, "A"), (2, "B"), (3, "A"), (4, "A")
    ]  # fmt: skip
    assert {(r["value"], r["rule"], str(r["t"])) for r in rows} == {(5.0, None, T)}


def test_values_without_time_are_quarantined(read):
    rows = read(
        {"temperature": 1},
        {"A": [{"temperature": 2}]},
        {"deviceName": "A", "telemetry": [{"values": {"temperature": 3}}]},
    )
    assert [(r["value"], r["rule"], r["reason"]) for r in rows] == [
        (n, "time_missing", "the value has no ts") for n in (1, 2, 3)
    ]


@pytest.mark.parametrize("ts", ["igår", 1e30, -1e30, {"a": 1}, True, 10**400])
def test_a_ts_that_is_no_time(read, ts):
    rows = read({"ts": ts, "values": {"temperature": 1}}, {"ts": TS, "values": {"temperature": 1}})
    assert [row["rule"] for row in rows] == ["time_unreadable", "device_missing"]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b'{"ts": 1, ', "layout"),
        (b"[5]", "layout"),
        (b"{}", "no_measurement"),
        (b'{"deviceName": "a", "telemetry": []}', "no_measurement"),
        (b'{"ts": 1, "ts": 2, "values": {}}', "layout"),
        (b'{"ts": 1, "values": {"a": 1, "a": 2}}', "layout"),
        (b'{"A": [{"ts": 1, "value": 1, "value": 2}]}', "layout"),
        (b'{"A": [5]}', "layout"),
        (b'{"a": "\xff"}', "encoding"),
    ],
)
def test_damage_does_not_stop_the_others(read, content, rule):
    good = {"ts": TS, "values": {"temperature": 5}}
    first, broken, last = read(good, content, good, device={"constant": "c"})
    assert (first["verdict"], last["verdict"]) == ("sound", "sound")
    assert (broken["verdict"], broken["rule"]) == ("broken", rule)
    assert broken["reason"]


def plain(document):
    """The same reading in plain Python: device, channel, milliseconds and value."""
    for one in document if isinstance(document, list) else [document]:
        packs = one["telemetry"]
        for pack in packs if isinstance(packs, list) else [packs]:
            for name, value in pack["values"].items():
                yield one["deviceName"], name, pack.get("ts"), value


def test_real_results_of_converters_value_by_value(read, real_data):
    paths = sorted((real_data / "iot").glob("lorawan-*/*/*/*/uplink/result*.json"))
    documents = [json.loads(path.read_text()) for path in paths]
    rows = read(*documents)
    expected = [(n, *one) for n, document in enumerate(documents) for one in plain(document)]
    assert len(rows) == len(expected) > 1000

    def milliseconds(t):
        return None if t is None else round(t.timestamp() * 1000)

    got = {}
    for row in rows:
        t = None if row["t"] is None else row["t"].replace(tzinfo=UTC)
        key = (row["_file"], row["device"], row["channel"], milliseconds(t))
        got.setdefault(key, []).append(row)
    for number, device, channel, ts, value in expected:
        # Some converters write ISO 8601, which ThingsBoard does not take for a ts.
        is_time = isinstance(ts, int)
        row = got[number, device, channel, ts if is_time else None].pop(0)
        if isinstance(value, bool | int | float):
            assert row["value"] == float(value)
        elif isinstance(value, str):
            assert row["cell"] == value
        else:
            assert (value is None and row["cell"] is None) or json.loads(row["cell"]) == value
        expected_rule = {int: None, type(None): "time_missing", str: "time_unreadable"}[type(ts)]
        assert expected_rule is None or row["rule"] == expected_rule
