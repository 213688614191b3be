"""InfluxDB line protocol."""

from __future__ import annotations

import json
from datetime import UTC

import pytest

from tests.unit.ingestion.lake import RECEIVED, column

CHANNELS = [
    column("temperature", "air_temperature", "Cel"),
    column("note", "uplink_payload", kind="string"),
]


@pytest.fixture
def read(lake):
    def judged(*lines, device=None, content: bytes | None = None, **options):
        contract = lake.source(
            columns=CHANNELS,
            delivery={
                "protocol": "folder",
                "format": "influx_line_protocol",
                "device": device or {"column": "sensor"},
                "lineProtocol": options,
            },
        )
        return lake.judged(contract, lake.deliver("a.lp", content or "\n".join(lines)))

    return judged


def told(rows) -> dict[str, tuple]:
    return {row["channel"]: (row["cell"], row["value"], row["text"]) for row in rows}


def test_fields_of_every_kind(read):
    rows = read(
        "room,sensor=s1,floor=2 temperature=-21.5e0,count=7i,size=18446744073709551615u,"
        'open=t,shut=False,note="på, a=b \\"c\\" d\\\\e",plain=3 1677340183000000000'
    )
    assert told(rows) == {
        "temperature": ("-21.5e0", -21.5, None),
        "count": ("7i", 7.0, None),
        "size": ("18446744073709551615u", 18446744073709551615.0, None),
        "open": ("t", 1.0, None),
        "shut": ("False", 0.0, None),
        "note": ('på, a=b "c" d\\e', None, 'på, a=b "c" d\\e'),
        "plain": ("3", 3.0, None),
    }
    assert {row["device"] for row in rows} == {"s1"}
    assert {str(row["t"]) for row in rows} == {"2023-02-25 15:49:43"}
    assert json.loads(rows[0]["attributes"]) == {
        "measurement": "room",
        "tags": {"sensor": "s1", "floor": "2"},
        "time_source": "timestamp",
    }


def test_escapes_in_names(read):
    (row,) = read(
        r"living\ room\,\ east,sensor=s\=1\ a,k\ 1=v\,1 air\ temp\=x=1 1677340183000000000",
        channel="measurement_field",
    )
    assert row["channel"] == "living room, east.air temp=x"
    assert row["device"] == "s=1 a"
    assert json.loads(row["attributes"])["tags"] == {"sensor": "s=1 a", "k 1": "v,1"}


@pytest.mark.parametrize(
    ("precision", "time", "expected"),
    [
        ("ns", "1677340183123456789", "2023-02-25 15:49:43.123456"),
        ("us", "1677340183123456", "2023-02-25 15:49:43.123456"),
        ("ms", "1677340183123", "2023-02-25 15:49:43.123000"),
        ("s", "1677340183", "2023-02-25 15:49:43"),
        ("ns", "-1000", "1969-12-31 23:59:59.999999"),
    ],
)
def test_precision_of_times(read, precision, time, expected):
    (row,) = read(f"m,sensor=a x=1 {time}", precision=precision)
    assert str(row["t"]) == expected


def test_line_without_a_time_was_measured_when_it_was_received(read):
    (row,) = read("m,sensor=a x=1")
    assert row["t"] == RECEIVED.replace(tzinfo=None)
    assert json.loads(row["attributes"])["time_source"] == "received_at"


def test_comments_and_blank_lines_are_no_records(lake):
    contract = lake.source(
        columns=CHANNELS,
        delivery={
            "protocol": "folder",
            "format": "influx_line_protocol",
            "device": {"column": "_measurement"},
        },
    )
    lake.deliver("a.lp", "# a comment\n\n  # another\nm x=1,y=2 1677340183000000000\n")
    ledger = lake.ingest(contract).ledger
    assert (ledger.records, ledger.rows_in, ledger.landed) == (1, 2, 2)
    assert {row["device"] for row in lake.bronze()} == {"m"}


@pytest.mark.parametrize(
    ("line", "rule", "reason"),
    [
        ("m,sensor=a", "layout", "no point of line protocol"),
        ("m,sensor=a x=1,=2", "layout", "no point of line protocol"),
        ("m,sensor x=1", "layout", "no point of line protocol"),
        ("m,sensor=a x=1,", "layout", "no point of line protocol"),
        ('m,sensor=a x="open', "layout", "no point of line protocol"),
        ("m,sensor=a x=1 12 13", "layout", "no point of line protocol"),
        ("m,sensor=a x=1 yesterday", "layout", "no point of line protocol"),
        ("m,sensor=a,sensor=b x=1", "layout", "a tag or a field stands twice"),
        ("m,sensor=a x=1,x=2", "layout", "a tag or a field stands twice"),
        ("m,sensor=a x=1 99999999999999999999", "time_unreadable", "cannot be read"),
        ("m,sensor=a x=abc", "value_unreadable", "x is 'abc', which is no value"),
        ("m,sensor=a x=1_0", "value_unreadable", "x is '1_0', which is no value"),
        ("m,sensor=a x=nan", "value_unreadable", "x is 'nan', which is no value"),
        ("m,sensor=a x=", "value_unreadable", "x is '', which is no value"),
        ("m,other=a x=1", "device_missing", "the row names no device"),
        ('{"json": 1}', "layout", "no point of line protocol"),
    ],
)
def test_broken_line_does_not_stop_the_others(read, line, rule, reason):
    before, broken, after = read("m,sensor=a x=1", line, "m,sensor=a x=2")
    assert (broken["verdict"], broken["rule"]) == ("broken", rule)
    assert reason in broken["reason"]
    assert (before["verdict"], after["verdict"], after["_row"]) == ("sound", "sound", 3)


def test_bytes_that_are_no_text(read):
    (row,) = read(content=b'm,sensor=a x="\xff" 1677340183000000000')
    assert (row["rule"], row["reason"]) == ("encoding", "bytes that are not utf-8")


def plain_reading(text: str):
    """Points without escapes but `\\ ` and `\\,`, read plainly."""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        unescaped = line.replace("\\ ", "\x01").replace("\\,", "\x02")
        series, fields, time = unescaped.split(" ")
        tags = dict(tag.split("=") for tag in series.split(",")[1:])
        for field in fields.split(","):
            key, value = field.split("=")
            plain = key.replace("\x01", " ").replace("\x02", ",")
            yield series.split(",")[0], tags, plain, float(value), int(time)


@pytest.mark.parametrize(
    ("name", "tag", "rows"),
    [("air-sensor-data-irregular", "sensor_id", 22), ("basic", "id", 2), ("industrial", None, 8)],
)
def test_real_files_read_as_a_plain_reading_does(read, real_data, name, tag, rows):
    path = real_data / "iot" / "influx-lineprotocol" / f"{name}.lp"
    found = read(content=path.read_bytes(), device={"column": tag or "_measurement"})
    assert len(found) == rows
    assert [
        (json.loads(r["attributes"])["measurement"], r["device"], r["channel"], r["value"],
         round(r["t"].replace(tzinfo=UTC).timestamp()))
        for r in found
    ] == [
        (measurement, tags[tag] if tag else measurement, key, value, time // 10**9)
        for measurement, tags, key, value, time in sorted_by_row(plain_reading(path.read_text()))
    ]  # fmt: skip


def sorted_by_row(points):
    """In the order of `judged`: by line, then by channel."""
    numbered = []
    row, last = 0, None
    for point in points:
        if last is None or point[0] != last[0] or point[1] is not last[1]:
            row += 1
        last = point
        numbered.append(((row, point[2]), point))
    return [point for _, point in sorted(numbered, key=lambda item: item[0])]
