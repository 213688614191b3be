"""Delimited text in the dialect its contract declares."""

from __future__ import annotations

import pytest

from lakehouse.errors import DeliveryRefused
from tests.unit.ingestion.lake import CSV, METER, column, utc

HEAD = "meter;time;kwh\n"


@pytest.fixture
def read(lake):
    """The judged rows of one file under a contract with these changes."""

    def judged(content, *, name="a.csv", columns=METER, **changes):
        contract = lake.source(columns=columns, delivery=CSV | changes)
        return lake.judged(contract, lake.deliver(name, content))

    return judged


def test_rows_are_numbered_by_line(read):
    rows = read(HEAD + "m1;2026-10-19T10:00:00;1.5\n\nm2;2026-10-19T10:00:00;2\n")
    assert [(r["_row"], r["device"], r["t"], r["value"], r["verdict"]) for r in rows] == [
        (2, "m1", utc("2026-10-19 10:00").replace(tzinfo=None), 1.5, "sound"),
        (4, "m2", utc("2026-10-19 10:00").replace(tzinfo=None), 2.0, "sound"),
    ]


@pytest.mark.parametrize(
    ("decimal", "cell", "value"),
    [
        (",", "1,5", 1.5),
        (",", "-0,25", -0.25),
        (",", "7", 7.0),
        (",", "1.000,5", None),
        (",", "1.5", None),
        (".", "1.5", 1.5),
        (".", "1,5", None),
        (".", "1_000", None),
        (".", "1e2", 100.0),
        (".", "0x1F", None),
    ],
)
def test_decimals(read, decimal, cell, value):
    free = [*METER[:2], column("kwh", "active_energy", "kW.h")]
    (row,) = read(
        HEAD + f"m1;2026-10-19T10:00:00;{cell}\n",
        columns=free,
        csv={"delimiter": ";", "decimal": decimal},
    )
    assert row["value"] == value
    assert row["rule"] == (None if value is not None else "value_unreadable")


def test_quotes(read):
    rows = read(
        HEAD
        + '"m;1";2026-10-19T10:00:00;"1.5"\n'
        + '"m ""2""";2026-10-19T10:00:00;2\n'
        + '"m3;2026-10-19T10:00:00;3\n'
        + 'm"4;2026-10-19T10:00:00;4\n',
    )
    assert [(r["rule"] is None and r["device"], r["value"], r["rule"]) for r in rows] == [
        ("m;1", 1.5, None),
        ('m "2"', 2.0, None),
        (False, None, "layout"),
        (False, None, "layout"),
    ]


def test_quoted_header(read):
    (row,) = read('"meter";"time";"kwh"\nm1;2026-10-19T10:00:00;1\n')
    assert row["value"] == 1


def test_quote_is_a_letter_where_there_are_none(read):
    (row,) = read(HEAD + 'm"1;2026-10-19T10:00:00;1\n', csv={"delimiter": ";", "quote": None})
    assert row["device"] == 'm"1'


def test_null_markers(read):
    rows = read(
        HEAD + "".join(f"m1;2026-10-19T10:00:00;{cell}\n" for cell in ("", "-", "NA", "x")),
        csv={"delimiter": ";", "nullMarkers": ["", "-", "NA"]},
    )
    assert [row["verdict"] for row in rows] == ["filtered"] * 3 + ["broken"]


def test_wrong_number_of_cells(read):
    rows = read(HEAD + "m1;2026-10-19T10:00:00\nm1;2026-10-19T10:00:00;1;2\nm1;;;\n")
    assert [(r["rule"], r["reason"]) for r in rows] == [
        ("layout", "2 cells under a header of 3"),
        ("layout", "4 cells under a header of 3"),
        ("layout", "4 cells under a header of 3"),
    ]


def test_bytes_that_are_no_text(read):
    rows = read(HEAD.encode() + b"m\xff;2026-10-19T10:00:00;1\nm2;2026-10-19T10:00:00;2\n")
    assert [(r["rule"], r["reason"]) for r in rows] == [
        ("encoding", "bytes that are not utf-8"),
        (None, None),
    ]


def test_missing_column(read):
    with pytest.raises(DeliveryRefused, match=r"a.csv, line 1: columns .* are missing: kwh"):
        read("meter;time;KWH\nm1;2026-10-19T10:00:00;1\n")


@pytest.mark.parametrize(
    "rule",
    [
        {"device": {"column": "place"}},
        {"time": {"columns": ["place"], "zone": "UTC"}},
        {"time": {"columns": ["time"], "endColumns": ["place"], "zone": "UTC"}},
        {"quality": {"column": "place"}},
        {"position": {"longitude": "place", "latitude": "time"}},
    ],
)
def test_column_that_only_a_rule_names_is_missing_too(read, rule):
    with pytest.raises(DeliveryRefused, match="columns of the contract are missing: place"):
        read(HEAD + "m1;2026-10-19T10:00:00;1\n", **rule)


NEW = "meter;new;time;kwh;state\nm1;7,5;2026-10-19T10:00:00;1;på\n"


def test_new_columns_are_refused_under_freeze(read):
    with pytest.raises(DeliveryRefused, match=r"columns are new: new, state\. .*drift to evolve"):
        read(NEW, drift="freeze")


def test_new_columns_land_as_channels_under_evolve(read):
    rows = read(NEW, csv={"delimiter": ";", "decimal": ","})
    assert {(r["channel"], r["value"], r["text"], r["is_known"], r["verdict"]) for r in rows} == {
        ("kwh", 1.0, None, True, "sound"),
        ("new", 7.5, None, False, "sound"),
        ("state", None, "på", False, "sound"),
    }


def test_new_columns_are_held_back_under_quarantine(read):
    rows = read(NEW, drift="quarantine")
    assert {(row["channel"], row["rule"]) for row in rows} == {
        ("kwh", None),
        ("new", "channel_unknown"),
        ("state", "channel_unknown"),
    }


def test_columns_that_are_no_data_are_left_alone(read):
    (row,) = read(NEW, csv={"delimiter": ";", "extraColumns": "ignore"}, drift="freeze")
    assert (row["device"], row["value"]) == ("m1", 1)


def test_prose_right_of_the_table(read):
    rows = read(
        "meter;time;kwh;;Note\nm1;2026-10-19T10:00:00;1;;see\nm1;2026-10-19T11:00:00;2\n",
        csv={"delimiter": ";", "extraColumns": "ignore"},
    )
    assert [row["value"] for row in rows] == [1, 2]


def test_column_that_stands_twice(read):
    with pytest.raises(DeliveryRefused, match="columns stand twice: kwh"):
        read("meter;time;kwh;kwh\nm1;2026-10-19T10:00:00;1;2\n")


def test_order_of_columns_does_not_matter(lake):
    contract = lake.source(delivery=CSV)
    rows = lake.judged(
        contract,
        lake.deliver("a.csv", HEAD + "m1;2026-10-19T10:00:00;1\n"),
        lake.deliver("b.csv", "kwh;meter;time\n2;m2;2026-10-19T10:00:00\n"),
    )
    assert [(r["_file"], r["device"], r["value"]) for r in rows] == [(0, "m1", 1), (1, "m2", 2)]


def test_names_of_the_delivery(read):
    columns = [
        column("meter", kind="string", delivered_as="Mätare"),
        column("time", kind="string", delivered_as="Tid (UTC)"),
        column("kwh", "active_energy", "kW.h", delivered_as="Förbrukning"),
    ]
    (row,) = read(
        "Mätare;Tid (UTC);Förbrukning\nå;2026-10-19T10:00:00;1\n".encode("latin-1"),
        columns=columns,
        csv={"delimiter": ";", "encoding": "iso-8859-1"},
        device={"column": "Mätare"},
        time={"columns": ["Tid (UTC)"], "zone": "UTC"},
    )
    assert (row["device"], row["channel"], row["value"]) == ("å", "kwh", 1)


def test_header_row(read):
    csv = {"delimiter": ";", "headerRow": 4}
    (row,) = read("Station\n\nx;y\n" + HEAD + "m1;2026-10-19T10:00:00;1\n", csv=csv)
    assert row["_row"] == 5
    with pytest.raises(DeliveryRefused, match="should be on line 4, the file has 2"):
        read(HEAD + "m1;2026-10-19T10:00:00;1\n", csv=csv)


def test_only_a_header(read):
    assert read(HEAD) == []


def test_html_page_under_the_name_of_a_table(read):
    with pytest.raises(DeliveryRefused, match="are missing: meter, time, kwh"):
        read("<html><body>503</body></html>\n")


def test_row_clock(read):
    rows = read(
        "meter;kwh\nm1;1\nm1;2\n\nm1;4\n",
        columns=[METER[0], METER[2]],
        time={"sequence": {"start": "2026-10-19 00:00:00", "stepS": 900}, "zone": "UTC"},
    )
    assert [str(row["t"])[11:16] for row in rows] == ["00:00", "00:15", "00:45"]


def test_device_in_the_file_name(read):
    rows = read(
        "time;kwh\n2026-10-19T10:00:00;1\n",
        name="station_98210-SE3.csv",
        columns=METER[1:],
        device={"file": r"station_(\d+)"},
    )
    assert [row["device"] for row in rows] == ["98210"]
    rows = read(
        "time;kwh\n2026-10-19T10:00:00;1\n",
        name="other.csv",
        columns=METER[1:],
        device={"file": r"station_(\d+)"},
    )
    assert [row["rule"] for row in rows] == ["device_missing"]


def test_position_and_quality(read):
    columns = [*METER, *(column(name, kind="string") for name in ("lon", "lat", "q"))]
    rows = read(
        "meter;time;kwh;lon;lat;q\n"
        + "".join(f"m1;2026-10-19T10:00:00;1;18.06;59.3;{code}\n" for code in "GYBX")
        + "m1;2026-10-19T10:00:00;1;18.06;;\n",
        columns=columns,
        position={"longitude": "lon", "latitude": "lat"},
        quality={"column": "q", "good": ["G"], "uncertain": ["Y"], "bad": ["B"]},
    )
    assert [(row["quality_code"], row["quality"]) for row in rows] == [
        ("G", "good"),
        ("Y", "uncertain"),
        ("B", "bad"),
        ("X", "uncertain"),
        (None, "good"),
    ]
    assert [(row["longitude"], row["latitude"]) for row in rows[3:]] == [
        (18.06, 59.3),
        (18.06, None),
    ]


def test_file_without_a_rule_for_time(lake):
    contract = lake.source(delivery={k: v for k, v in CSV.items() if k != "time"})
    with pytest.raises(DeliveryRefused, match=r"delivery\.time: .*needs a rule for its time"):
        lake.judged(contract, lake.deliver("a.csv", HEAD + "m1;x;1\n"))
