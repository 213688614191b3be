"""SenML packs in JSON, by the rules and the examples of RFC 8428."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.ingestion.lake import RECEIVED, column

NAME = "urn:dev:ow:10e2073a01080063"
CHANNELS = [column("temp", "air_temperature", "Cel")]


def delivery(framing: str = "document", **more):
    return {"protocol": "folder", "format": "senml", "framing": framing} | more


@pytest.fixture
def read(lake):
    def judged(pack, framing: str = "document", **more):
        contract = lake.source(columns=CHANNELS, delivery=delivery(framing, **more))
        content = pack if isinstance(pack, str | bytes) else json.dumps(pack)
        return lake.judged(contract, lake.deliver("a.json", content))

    return judged


def resolve(pack, now: float):
    """The sound records of a pack by the rules of section 4, plainly: name, unit, time, value."""
    base: dict = {}
    for record in pack:
        base |= {key: value for key, value in record.items() if key.startswith("b")}
        own = {key: value for key, value in record.items() if not key.startswith("b")}
        if not own:
            continue
        seconds = base.get("bt", 0) + own.get("t", 0)
        values = [own[key] for key in ("vs", "vb", "vd") if key in own]
        yield (
            base.get("bn", "") + own.get("n", ""),
            own.get("u", base.get("bu")),
            seconds + (now if seconds < 2**28 else 0),
            values[0] if values else own.get("v", 0) + base.get("bv", 0),
        )


def found(rows):
    """Name, unit, time and value of rows, to lay beside a resolved pack."""
    for row in rows:
        value = row["text"] if row["value"] is None else row["value"]
        yield row["device"], row["unit"], row["t"].replace(tzinfo=UTC).timestamp(), value


EXAMPLES = [f"ex{number}" for number in range(1, 14)]


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_the_standard(lake, real_data, example):
    folder = real_data / "iot" / "senml-rfc8428"
    pack = json.loads((folder / f"{example}.json").read_text())
    whole_name = {"path": "^(?P<device>.+)$"}
    contract = lake.source(columns=CHANNELS, delivery=delivery(device=whole_name))
    path = lake.deliver("a.json", (folder / f"{example}.json").read_bytes())
    rows = [row for row in lake.judged(contract, path) if row["verdict"] == "sound"]
    names = {"%RH": "%", "/": "1", "%EL": "%", "lon": "deg", "lat": "deg"}
    expected = [
        (name, names.get(unit, unit), pytest.approx(time, abs=2e-6), value)
        for name, unit, time, value in resolve(pack, RECEIVED.timestamp())
    ]
    assert list(found(rows)) == expected
    twin = folder / f"{example}.gen.resolved.json"
    if not twin.exists():
        return
    # The twin was resolved at another moment and leaves out data values.
    resolved = json.loads(twin.read_text())
    is_relative = any(row["attributes"] for row in rows)
    seen = {(n, u, v) if is_relative else (n, u, round(t, 3), v) for n, u, t, v in found(rows)}
    for name, unit, time, value in resolve(resolved, 0):
        known = names.get(unit, unit)
        key = (name, known, value) if is_relative else (name, known, round(time, 3), value)
        assert key in seen
    assert len(resolved) == sum(row["text"] != "aGkgCg" for row in rows)


def test_values_of_every_kind(read):
    rows = read(
        [
            {"bn": f"{NAME}:", "bt": 1320078429.25, "n": "temp", "u": "Cel", "v": 23.1},
            {"n": "label", "vs": "Machine Room å"},
            {"n": "open", "vb": False},
            {"n": "tag", "vd": "aGkgCg"},
            {"n": "energy", "u": "W", "s": 3},
            {"n": "power", "u": "W", "v": 2, "s": 4, "t": -0.25},
        ]
    )
    assert [(row["channel"], row["cell"], row["value"], row["text"]) for row in rows] == [
        ("temp", "23.1", 23.1, None),
        ("label", "Machine Room å", None, "Machine Room å"),
        ("open", "false", 0.0, None),
        ("tag", "aGkgCg", None, "aGkgCg"),
        ("energy.sum", "3", 3.0, None),
        ("power", "2", 2.0, None),
        ("power.sum", "4", 4.0, None),
    ]
    assert {row["device"] for row in rows} == {NAME}
    assert str(rows[0]["t"]) == "2011-10-31 16:27:09.250000"
    assert str(rows[-1]["t"]) == "2011-10-31 16:27:09"
    assert rows[-1]["unit"] is None


def test_base_fields_stand_until_another_takes_their_place(read):
    rows = read(
        [
            {"bn": "a/", "bt": 1e9, "bu": "Cel", "bv": 20, "n": "x", "v": 1},
            {"n": "y", "t": 1, "v": -0.5},
            {"bn": "b/", "bv": 0, "n": "x", "v": 1},
            {"bs": 10, "n": "y", "u": "V", "v": 2, "s": 1},
        ]
    )
    assert [(r["device"], r["channel"], r["value"], r["unit"]) for r in rows] == [
        ("a", "x", 21.0, "Cel"),
        ("a", "y", 19.5, "Cel"),
        ("b", "x", 1.0, "Cel"),
        ("b", "y", 2.0, "V"),
        ("b", "y.sum", 11.0, None),
    ]


def test_relative_times_count_from_when_the_delivery_was_received(read):
    rows = read([{"bn": "a/", "n": "x", "v": 1}, {"n": "x", "t": -60.5, "v": 2}])
    received = RECEIVED.replace(tzinfo=None)
    assert [row["t"] for row in rows] == [received, received - timedelta(seconds=60.5)]
    assert {json.loads(row["attributes"])["time_source"] for row in rows} == {"received_at"}
    limit = 2**28
    rows = read([{"n": "a/x", "t": limit, "v": 1}, {"n": "a/x", "t": limit - 1, "v": 1}])
    assert rows[0]["t"] == datetime(1978, 7, 4, 21, 24, 16)
    assert rows[0]["attributes"] is None
    assert (rows[1]["verdict"], rows[1]["rule"]) == ("broken", "time_in_future")


@pytest.mark.parametrize(
    ("name", "device", "channel"),
    [
        (f"{NAME}:temp", NAME, "temp"),
        (f"{NAME}/a/b", NAME, "a/b"),
        (NAME, NAME, "Cel"),
        ("2001:db8::2/temperature", "2001:db8::2", "temperature"),
        ("house:kitchen:temp", "house:kitchen", "temp"),
        ("temp", "temp", "Cel"),
        ("house/", "house", "Cel"),
    ],
)
def test_names_are_split_into_device_and_channel(read, name, device, channel):
    (row,) = read([{"n": name, "u": "Cel", "t": 1e9, "v": 1}])
    assert (row["device"], row["channel"]) == (device, channel)


def test_pattern_of_the_contract_splits_names(read):
    pattern = {"path": "^site/(?P<device>[^/]+)/(?P<channel>.+)$"}
    rows = read([{"bn": "site/", "n": "m1/a/b", "v": 1}, {"n": "m1", "v": 1}], device=pattern)
    assert (rows[0]["device"], rows[0]["channel"]) == ("m1", "a/b")
    assert (rows[1]["rule"], "does not fit" in rows[1]["reason"]) == ("tag_path", True)


def test_position_of_one_name_is_told_apart_by_its_units(read):
    rows = read([{"bn": NAME, "v": 24.3, "u": "lon"}, {"v": 60.1, "u": "lat"}])
    assert {row["channel"]: row["value"] for row in rows} == {"lon": 24.3, "lat": 60.1}


def test_record_of_base_fields_only_is_left_out_and_counted(read):
    rows = read([{"bn": "a/"}, {"n": "x", "v": 1}])
    assert [(row["verdict"], row["rule"]) for row in rows] == [
        ("filtered", "base_record"),
        ("sound", None),
    ]


@pytest.mark.parametrize(
    ("record", "rule", "reason"),
    [
        ({"n": "x", "v": "1"}, "layout", "the field v is of the wrong type"),
        ({"n": "x", "v": True}, "layout", "the field v is of the wrong type"),
        ({"n": "x", "vb": 1}, "layout", "the field vb is of the wrong type"),
        ({"n": "x", "t": "1", "v": 1}, "layout", "the field t is of the wrong type"),
        ({"n": 7, "v": 1}, "layout", "the field n is of the wrong type"),
        ({"n": "x", "v": 1, "vs": "a"}, "layout", "the record has 2 values"),
        ({"n": "x"}, "no_measurement", "the record has no value"),
        ({"n": "x", "v": None}, "no_measurement", "the record has no value"),
        ({}, "no_measurement", "the record has no value"),
        (None, "no_measurement", "the record has no value"),
        (3, "no_measurement", "the record has no value"),
        ({"n": "å", "v": 1}, "layout", "signs that names may not have"),
        ({"n": "x", "t": 1e300, "v": 1}, "time_unreadable", "no calendar has the time"),
    ],
)
def test_broken_record_does_not_stop_the_others(read, record, rule, reason):
    before, broken, after = read([{"bn": "a/", "n": "x", "v": 1}, record, {"n": "x", "v": 2}])
    assert (broken["verdict"], broken["rule"], broken["_row"]) == ("broken", rule, 2)
    assert reason in broken["reason"]
    assert (before["verdict"], after["verdict"]) == ("sound", "sound")


def test_record_without_a_name(read):
    (row,) = read([{"v": 1}])
    assert (row["rule"], row["reason"]) == ("device_missing", "the record has no name")


@pytest.mark.parametrize(
    ("pack", "rule", "reason"),
    [
        ([{"n": "a/x", "v": 1, "ct_": 60}, {"n": "a/y", "v": 1}], "format", "'ct_' must be"),
        ('[{"n": "a/x", "v": 1, "ct\\u005f": 60}, 1]', "format", "'ct_' must be"),
        ([{"bver": 11, "n": "a/x", "v": 1}, {"n": "a/y", "v": 1}], "format", "version"),
        ([{"bver": 5, "n": "a/x", "v": 1}, {"bver": 6, "n": "y", "v": 1}], "format", "version"),
        ([{"bver": "x", "n": "a/x", "v": 1}, {"n": "a/y", "v": 1}], "format", "version"),
    ],
)
def test_pack_that_is_not_understood_is_rejected_whole(read, pack, rule, reason):
    rows = read(pack)
    assert [row["rule"] for row in rows] == [rule, rule]
    assert reason in rows[1]["reason"]


@pytest.mark.parametrize(
    ("content", "rule", "reason"),
    [
        ('[{"n": "x", "v": 1}', "layout", "not a whole JSON document"),
        ("{}", "format", "a SenML pack is a list of records"),
        ("7", "format", "a SenML pack is a list of records"),
        ("null", "format", "a SenML pack is a list of records"),
        ("[]", "format", "the pack has no record"),
        (b'[{"n": "x", "vs": "\xff"}]', "encoding", "bytes that are not utf-8"),
    ],
)
def test_damaged_pack(read, content, rule, reason):
    (row,) = read(content)
    assert (row["verdict"], row["rule"]) == ("broken", rule)
    assert reason in row["reason"]


def test_one_pack_a_line(read):
    packs = [[{"bn": "a/", "n": "x", "v": 1}, {"n": "y", "v": 2}], 7, [{"n": "b/x", "v": 3}]]
    rows = read("\n\n".join(map(json.dumps, packs)), "lines")
    assert [(row["_row"], row["device"], row["value"], row["rule"]) for row in rows] == [
        (1, "a", 1.0, None),
        (2, "a", 2.0, None),
        (3, None, None, "format"),
        (4, "b", 3.0, None),
    ]


def test_quarantine_keeps_the_record(lake):
    contract = lake.source(columns=CHANNELS, delivery=delivery())
    lake.deliver("a.json", json.dumps([{"bn": "a/", "n": "x", "v": 1}, {"n": "y", "v": "2"}]))
    ledger = lake.ingest(contract).ledger
    assert (ledger.records, ledger.landed, ledger.quarantined) == (2, 1, 1)
    assert [row["raw"] for row in lake.quarantine()] == ['{"n":"y","v":"2"}']


numbers = st.integers(-1000, 1000) | st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
records = st.fixed_dictionaries(
    {"n": st.sampled_from(["x", "y"]), "v": numbers},
    optional={
        "bn": st.sampled_from(["a/", "b/"]),
        "bt": st.integers(1_000_000_000, 1_600_000_000),
        "bu": st.sampled_from(["Cel", "V"]),
        "bv": numbers,
        "u": st.just("A"),
        "t": st.integers(-100, 100),
    },
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.lists(records, min_size=1, max_size=6))
def test_packs_are_resolved_as_plainly(read, pack):
    pack = [{"bn": "c/", "bt": 1_500_000_000} | pack[0], *pack[1:]]
    rows = read(pack)
    assert [(f"{r['device']}/{r['channel']}", r["unit"], r["value"]) for r in rows] == [
        (name, unit, pytest.approx(value)) for name, unit, _, value in resolve(pack, 0)
    ]
    assert [r["t"].replace(tzinfo=UTC).timestamp() for r in rows] == [
        time for _, _, time, _ in resolve(pack, 0)
    ]
