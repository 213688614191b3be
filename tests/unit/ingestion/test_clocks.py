"""Times: every text is one instant in UTC, or a broken row that says why."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.duck import connect
from tests.unit.ingestion.lake import CSV, METER, column

HEAD = "meter;time;kwh\n"
STOCKHOLM = "Europe/Stockholm"


@pytest.fixture
def times(lake):
    """(UTC text, rule) of each time; every device has the times in this order."""

    def read(*texts, devices=("m1",), cells=None, received=None, **rule):
        body = "".join(
            f"{device};{text};{(cells or {}).get(number, number)}\n"
            for number, text in enumerate(texts)
            for device in devices
        )
        contract = lake.source(delivery=CSV | {"time": {"columns": ["time"]} | rule})
        received = {"received": received} if received else {}
        return lake.judged(contract, lake.deliver("a.csv", HEAD + body, **received))

    return read


def found(rows) -> list[tuple[str | None, str | None]]:
    return [(row["t"] and f"{row['t']:%Y-%m-%d %H:%M:%S}", row["rule"]) for row in rows]


def test_ordinary_local_times(times):
    assert found(times("2026-07-01 12:00", "2026-12-01 12:00", zone=STOCKHOLM)) == [
        ("2026-07-01 10:00:00", None),
        ("2026-12-01 11:00:00", None),
    ]


@pytest.mark.parametrize("fold", ["refuse", "earlier", "later", "sequence"])
def test_times_that_do_not_exist(times, fold):
    rows = times(
        "2026-03-29 01:59", "2026-03-29 02:30", "2026-03-29 03:00", zone=STOCKHOLM, fold=fold
    )
    assert found(rows) == [
        ("2026-03-29 00:59:00", None),
        (None, "time_nonexistent"),
        ("2026-03-29 01:00:00", None),
    ]
    assert rows[1]["reason"] == (
        "the local time 2026-03-29 02:30:00 does not exist in Europe/Stockholm"
    )


def test_duckdb_alone_guesses_both():
    """The control: the gap is accepted, and both readings of the doubled hour are one."""
    with connect() as connection:
        ask = "select timezone('Europe/Stockholm', ?::timestamp)::varchar"
        (gap,) = connection.execute(ask, ["2026-03-29 02:30"]).fetchone()
        (fold,) = connection.execute(ask, ["2026-10-25 02:30"]).fetchone()
    assert gap == "2026-03-29 01:30:00+00"
    assert fold == "2026-10-25 01:30:00+00"


@pytest.mark.parametrize(
    ("fold", "first", "second"),
    [
        ("refuse", None, None),
        ("earlier", "2026-10-25 00:30:00", "2026-10-25 00:30:00"),
        ("later", "2026-10-25 01:30:00", "2026-10-25 01:30:00"),
        ("sequence", "2026-10-25 00:30:00", "2026-10-25 01:30:00"),
    ],
)
def test_times_that_exist_twice(times, fold, first, second):
    rows = times("2026-10-25 02:30", "2026-10-25 02:30", zone=STOCKHOLM, fold=fold)
    assert [row["t"] and str(row["t"]) for row in rows] == [first, second]
    if fold == "refuse":
        assert {row["rule"] for row in rows} == {"time_ambiguous"}
        assert "exists twice in Europe/Stockholm" in rows[0]["reason"]


def test_sequence_is_counted_for_each_device(times):
    quarters = [f"2026-10-25 02:{minute:02}" for _ in range(2) for minute in (0, 15, 30, 45)]
    rows = times(*quarters, devices=("m1", "m2"), zone=STOCKHOLM, fold="sequence")
    for device in ("m1", "m2"):
        instants = [row["t"] for row in rows if row["device"] == device]
        assert len(set(instants)) == 8
        assert instants == sorted(instants)
        assert str(instants[0]) == "2026-10-25 00:00:00"


def test_empty_cell_in_the_first_hour_does_not_shift_the_second(times):
    quarters = [f"2026-10-25 02:{minute:02}" for _ in range(2) for minute in (0, 15, 30, 45)]
    rows = times(*quarters, cells={1: ""}, zone=STOCKHOLM, fold="sequence")
    assert rows[1]["rule"] == "empty_value"
    assert str(rows[1]["t"]) == "2026-10-25 00:15:00"
    assert (str(rows[5]["t"]), rows[5]["value"]) == ("2026-10-25 01:15:00", 5)


def test_sequence_that_cannot_be_told(times):
    """One reading, or three, of a doubled time do not say which they are."""
    for count in (1, 3):
        rows = times(*["2026-10-25 02:30"] * count, zone=STOCKHOLM, fold="sequence")
        assert {row["rule"] for row in rows} == {"time_ambiguous"}


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-10-25T02:30:00+02:00", "2026-10-25 00:30:00"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25 01:30:00"),
        ("2026-10-25T02:30:00+0100", "2026-10-25 01:30:00"),
        ("2026-10-25T02:30:00+01", "2026-10-25 01:30:00"),
        ("2026-10-25T02:30+01:00", "2026-10-25 01:30:00"),
        ("2026-10-25T00:30:00Z", "2026-10-25 00:30:00"),
        ("2026-10-25T00:30:00.123456789Z", "2026-10-25 00:30:00"),
        ("2026-10-24 22:00:00", "2026-10-24 20:00:00"),
        ("2026-10-24", "2026-10-23 22:00:00"),
    ],
)
def test_iso_8601(times, text, instant):
    assert found(times(text, zone=STOCKHOLM)) == [(instant, None)]


POISON = (
    "", " ", "x", "2026-13-01", "2026-02-30 10:00", "24:00", "infinity", "-infinity", "nan",
    "epoch",
    "0001-01-01", "1849-12-31 00:00:00", "290309-12-22 (BC) 00:00:00", "294247-01-10 04:00:54",
    "9999-12-31 23:59:59", "99999999999999999999", "2026-10-19T10:00:00+99:00", "'; drop table x",
)  # fmt: skip


@pytest.mark.parametrize("form", ["iso8601", "epoch_ms", "epoch_s", "%Y-%m-%d %H:%M", "%Y %z"])
@pytest.mark.parametrize("zone", [STOCKHOLM, "America/New_York"])
def test_no_text_stops_the_other_rows(times, form, zone):
    good = {
        "iso8601": "2026-10-19T10:00:00",
        "epoch_ms": "1792404000000",
        "epoch_s": "1792404000",
        "%Y-%m-%d %H:%M": "2026-10-19 10:00",
        "%Y %z": "2026 +0200",
    }[form]
    rows = times(
        *POISON, "9e300", "-9e18", "9223372036854775807", "1e400", good, format=form, zone=zone
    )
    assert rows[-1]["verdict"] == "sound"
    assert [row for row in rows[:-1] if row["verdict"] == "sound"] == []
    assert all(row["rule"] and row["reason"] for row in rows[:-1])
    assert rows[0]["rule"] == "time_missing"


def test_epochs(times):
    seconds, millis = 1792404000, 1792404000123
    instant = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    assert found(times(seconds, f"{seconds}.5", zone="UTC", format="epoch_s")) == [
        (instant, None),
        (instant, None),
    ]
    (row,) = times(millis, zone=STOCKHOLM, format="epoch_ms")
    assert row["t"] == datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None, microsecond=123000)
    assert found(times("0", "-1000", zone="UTC", format="epoch_ms")) == [
        ("1970-01-01 00:00:00", None),
        ("1969-12-31 23:59:59", None),
    ]


def test_formats(times):
    assert found(times("19.10.2026 10:00", zone="UTC", format="%d.%m.%Y %H:%M")) == [
        ("2026-10-19 10:00:00", None)
    ]
    rows = times("01/02/2026", zone="UTC", format="%d/%m/%Y")
    assert found(rows) == [("2026-02-01 00:00:00", None)]
    rows = times("2026-10-25 02:30 +0200", "2026-10-25 02:30 +0100", zone=STOCKHOLM,
                 format="%Y-%m-%d %H:%M %z")  # fmt: skip
    assert found(rows) == [("2026-10-25 00:30:00", None), ("2026-10-25 01:30:00", None)]


def test_other_format_is_unreadable(times):
    (row,) = times("2026-10-19", zone="UTC", format="%d.%m.%Y")
    assert (row["rule"], row["reason"]) == (
        "time_unreadable",
        "the time '2026-10-19' cannot be read",
    )


@pytest.fixture
def intervals(lake):
    """(start, end) in UTC of rows with a start and an end."""

    def read(*pairs, columns=("time", "until"), **rule):
        body = "".join(f"m1;{start};{end};1\n" for start, end in pairs)
        contract = lake.source(
            columns=[*METER[:2], column("until", kind="string"), METER[2]],
            delivery=CSV
            | {"time": {"columns": [columns[0]], "endColumns": list(columns[1:])} | rule},
        )
        rows = lake.judged(contract, lake.deliver("a.csv", "meter;time;until;kwh\n" + body))
        return [
            tuple(f"{at:%d %H:%M}" if at else None for at in (r["t"], r["t_end"])) for r in rows
        ]

    return read


def test_end_of_an_interval_is_in_the_same_zone(intervals):
    assert intervals(("2026-07-01 12:00", "2026-07-01 13:00"), zone=STOCKHOLM) == [
        ("01 10:00", "01 11:00")
    ]
    assert intervals(("2026-07-01T12:00Z", "2026-07-01T13:00Z"), zone=STOCKHOLM) == [
        ("01 12:00", "01 13:00")
    ]
    assert intervals(("2026-07-01 12:00", ""), zone=STOCKHOLM) == [("01 10:00", None)]


def test_end_in_the_doubled_hour_comes_after_the_start(intervals):
    rows = intervals(
        ("2026-10-25 01:45", "2026-10-25 02:00"),
        ("2026-10-25 02:15", "2026-10-25 02:30"),
        ("2026-10-25 02:15", "2026-10-25 02:30"),
        ("2026-10-25 02:45", "2026-10-25 03:00"),
        ("2026-10-25 02:45", "2026-10-25 03:00"),
        zone=STOCKHOLM,
        fold="sequence",
    )
    assert rows[:3] == [
        ("24 23:45", "25 00:00"),
        ("25 00:15", "25 00:30"),
        ("25 01:15", "25 01:30"),
    ]
    assert rows[4] == ("25 01:45", "25 02:00")


def test_interval_in_one_column(lake):
    contract = lake.source(
        delivery=CSV
        | {
            "time": {
                "columns": ["time"],
                "split": " - ",
                "format": "%d.%m.%Y %H:%M",
                "zone": STOCKHOLM,
            }
        }
    )
    path = lake.deliver("a.csv", HEAD + "m1;01.07.2026 12:00 - 01.07.2026 13:00;1\n")
    (row,) = lake.judged(contract, path)
    assert (str(row["t"]), str(row["t_end"])) == ("2026-07-01 10:00:00", "2026-07-01 11:00:00")


def test_length_of_the_interval(times):
    (row,) = times("2026-07-01 12:00", zone=STOCKHOLM, intervalS=900)
    assert (row["t_end"] - row["t"]).total_seconds() == 900


def test_clock_ahead_of_the_delivery(times):
    received = datetime(2026, 10, 19, 12, tzinfo=UTC)
    rows = times("2026-10-19 12:09:59", "2026-10-19 12:10:01", "2038-01-19", "9999-01-01",
                 zone="UTC", received=received)  # fmt: skip
    assert [row["rule"] for row in rows] == [None] + ["time_in_future"] * 3
    assert rows[1]["reason"] == (
        "the time 2026-10-19 12:10:01 UTC lies after the delivery, received 2026-10-19 12:00:00 UTC"
    )


@pytest.mark.parametrize("zone", [STOCKHOLM, "America/New_York", "Etc/GMT+8"])
@settings(
    max_examples=2,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    instants=st.lists(
        st.datetimes(datetime(1950, 1, 1), datetime(2026, 12, 30)), min_size=100, max_size=100
    )
)
def test_every_unambiguous_instant_comes_back(times, zone, instants):
    instants = [instant.replace(tzinfo=UTC, microsecond=0) for instant in instants]
    local = [instant.astimezone(ZoneInfo(zone)) for instant in instants]
    rows = times(*(f"{at:%Y-%m-%d %H:%M:%S}" for at in local), zone=zone, fold="refuse")
    for row, instant, at in zip(rows, instants, local, strict=True):
        if at.replace(fold=0).utcoffset() != at.replace(fold=1).utcoffset():
            assert row["rule"] == "time_ambiguous"
        else:
            assert row["t"].replace(tzinfo=UTC) == instant
