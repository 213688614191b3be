"""Tables and views over a real SQLite file: cursors of every kind, hours, gentleness."""

from __future__ import annotations

import sqlite3
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ingestion.fetching import Fetch
from ingestion.protocols import sql_pull, sql_table
from lakehouse import delta, tables
from lakehouse.contracts.delivery import Pull
from lakehouse.errors import ContractError, SourceUnavailable
from tests.unit.ingestion.lake import column, utc

COLUMNS = [column("meter", kind="string"), column("kwh", "active_energy", "kW.h")]
DELIVERY = {
    "protocol": "sql_table",
    "format": "sql_rows",
    "time": {"columns": ["t"], "zone": "UTC"},
    "device": {"column": "meter"},
    "pull": {"table": "readings", "pageRows": 3, "overlapH": 1, "attempts": 1},
}


@pytest.fixture
def run(lake):
    def execute(*statements: str, rows=()):
        connection = sqlite3.connect(lake.inbox / "plant.sqlite")
        with connection:
            for statement in statements:
                connection.execute(statement)
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"insert into readings values ({marks})", rows)
        connection.close()

    return execute


@pytest.fixture
def source(lake):
    def contract(columns=COLUMNS, **changes):
        pull = DELIVERY["pull"] | changes.pop("pull", {})
        return lake.source(
            "plant",
            columns=columns,
            location="sqlite:///{inbox}/plant.sqlite",
            delivery=DELIVERY | {"pull": pull} | changes,
        )

    return contract


def pulled(lake, contract, cursor=0):
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        fetch = Fetch(contract, lake.settings, cursor, Path(scratch), lambda _: False)
        for offer in sql_table.offers(fetch):
            found.append(pq.read_table(offer.path).to_pylist())
            cursor = offer.marks.get("cursor", cursor)
    return found, cursor


def test_rows_and_cursor_are_one_commit_and_a_rerun_brings_nothing(lake, run, source):
    """A wide table; `device`, `value` and `_row` are names that rows have on their way, too."""
    run(
        "create table readings (t text, device text, kwh real, value integer, _row text)",
        rows=[(f"2026-10-19 10:0{n}", "d1", n / 4, n, "x") for n in range(8)],
    )
    contract = source(
        columns=[
            column("device", kind="string"),
            column("kwh", "active_energy", "kW.h"),
            column("value", "active_energy", "kW.h"),
        ],
        device={"column": "device"},
    )
    outcome = lake.ingest(contract)
    assert (outcome.ledger.records, outcome.ledger.rows_in, outcome.ledger.landed) == (8, 16, 16)
    found = [(r["channel"], r["phenomenon_time"], r["value"]) for r in lake.bronze("plant")]
    assert found == [
        (name, utc(f"2026-10-19 10:0{n}"), value)
        for n in range(8)
        for name, value in (("kwh", n / 4), ("value", n))
    ]
    bronze = tables.bronze(lake.settings, "plant")
    assert delta.mark_of(bronze, "cursor") == utc("2026-10-19 10:07").timestamp() * 1e6
    versions = lake.versions("plant")
    assert lake.ingest(contract).receipts == ()
    assert lake.versions("plant") == versions


@pytest.mark.parametrize("declared", ["text", "datetime", "timestamp", ""])
@pytest.mark.parametrize(
    ("first", "tie", "after"),
    [
        ("2026-10-19 10:00:00", "2026-10-19 10:00:01", "2026-10-19 10:00:01.000001"),
        ("2026-10-19T10:00:00Z", "2026-10-19T10:00:01Z", "2026-10-19T10:00:02Z"),
        ("2026-10-19 10:00:00.5", "2026-10-19 10:00:01.123456", "2026-10-19 10:00:01.123457"),
    ],
)
def test_times_as_text_lose_no_tie(lake, run, source, declared, first, tie, after):
    """Text sorts otherwise than time: a second without a fraction before the same with one."""
    run(
        f"create table readings (t {declared}, meter text, kwh real)",
        rows=[(first, "a", 1.0), (tie, "a", 2.0)],
    )
    contract = source(pull={"overlapH": 0})
    _, cursor = pulled(lake, contract)
    seen = datetime.fromisoformat(tie).replace(tzinfo=UTC)
    assert cursor == (seen - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    run(rows=[(tie, "b", 3.0), (after, "b", 4.0)])
    found, _ = pulled(lake, contract, cursor)
    assert {3.0, 4.0} <= {float(row["kwh"]) for page in found for row in page}


@pytest.mark.parametrize(("form", "per_second"), [("epoch_s", 1), ("epoch_ms", 1000)])
def test_times_as_numbers(lake, run, source, form, per_second):
    start = int(utc("2026-10-19 10:00").timestamp())
    run(
        "create table readings (t integer, meter text, kwh real)",
        rows=[((start + n * 1800) * per_second, "a", float(n)) for n in range(5)],
    )
    contract = source(time={"columns": ["t"], "zone": "UTC", "format": form})
    _, cursor = pulled(lake, contract)
    assert cursor == (start + 7200) * per_second
    found, _ = pulled(lake, contract, cursor)
    assert [float(row["kwh"]) for page in found for row in page] == [2, 3, 4]
    lake.ingest(contract)
    assert lake.bronze("plant")[0]["phenomenon_time"] == utc("2026-10-19 10:00")


def test_clock_that_runs_ahead_does_not_lead_the_cursor_away(lake, run, source):
    run(
        "create table readings (t text, meter text, kwh real)",
        rows=[("2026-10-19 10:00", "a", 1.0), ("2999-01-01 00:00", "a", 2.0)],
    )
    _, cursor = pulled(lake, source())
    assert cursor <= datetime.now(UTC).timestamp() * 1e6


def test_cursor_of_ids(lake, run, source):
    run(
        "create table readings (id integer primary key, t text, meter text, kwh real)",
        rows=[(n, f"2026-10-19 10:{59 - n:02}", "a", float(n)) for n in range(1, 11)],
    )
    contract = source(pull={"cursor": "id", "overlapRows": 2})
    found, cursor = pulled(lake, contract)
    assert [[row["id"] for row in page] for page in found] == [
        [1, 2, 3], [4, 5, 6], [7, 8, 9], [10],
    ]  # fmt: skip
    assert cursor == 10
    found, _ = pulled(lake, contract, cursor)
    assert [row["id"] for page in found for row in page] == [8, 9, 10]


def test_first_pull_begins_where_the_contract_says(lake, run, source):
    run(
        "create table readings (t text, meter text, kwh real)",
        rows=[(f"2026-10-{day} 00:00", "a", float(day)) for day in range(10, 20)],
    )
    contract = source(pull={"start": "2026-10-17", "overlapH": 1000})
    found, cursor = pulled(lake, contract)
    assert [row["kwh"] for page in found for row in page] == ["17.0", "18.0", "19.0"]
    assert pulled(lake, contract, cursor)[0] == found  # the overlap does not reach before it


def test_cells_of_any_type_give_rows_or_reasons(lake, run, source):
    run(
        "create table readings (t text, meter text, kwh real)",
        rows=[
            ("2026-10-19 10:00", "a", 0.1 + 0.2),
            ("2026-10-19 10:01", "a", "abc"),
            ("2026-10-19 10:02", "a", b"\xff\x00"),
            ("2026-10-19 10:03", "a", None),
            ("2026-10-19 10:04", b"\xff", 1),
            ("2026-10-19 10:05", None, 1),
            ("2026-10-19 10:06", "a", float("inf")),
            ("2026-10-19 10:07", "a", 2**62),
        ],
    )
    ledger = lake.ingest(source()).ledger
    assert (ledger.records, ledger.landed, ledger.filtered) == (8, 3, {"empty_value": 1})
    assert [row["value"] for row in lake.bronze("plant")] == [0.1 + 0.2, 1.0, float(2**62)]
    assert [row["rule"] for row in lake.quarantine("plant")] == [
        "value_unreadable", "value_unreadable", "device_missing", "value_not_finite",
    ]  # fmt: skip


def test_order_that_is_not_time_s_is_said(lake, run, source):
    run("create table readings (t text, meter text, kwh real)", rows=[("19/10/2026", "a", 1.0)])
    with pytest.raises(SourceUnavailable, match="'19/10/2026', no ISO 8601 time"):
        pulled(lake, source())


@pytest.mark.slow
def test_a_view_and_a_million_rows_of_one_instant(lake, run, source):
    """A file is read as a whole; the instant is parted into pages, and nothing runs for ever."""
    run(
        "create table many (t text, meter text, kwh real)",
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000)"
        " insert into many select '2026-10-19 10:00:00', 'a', i from n",
        "create view readings as select * from many",
    )
    sizes, total = [], 0.0
    contract = source(pull={"pageRows": 300_000})
    with tempfile.TemporaryDirectory() as scratch:
        fetch = Fetch(contract, lake.settings, 0, Path(scratch), lambda _: False)
        for offer in sql_table.offers(fetch):
            values = pq.read_table(offer.path)["kwh"].to_numpy()
            sizes.append(len(values))
            total += values.sum()
    assert sizes == [300_000, 300_000, 300_000, 100_000]
    assert total == 1_000_000 * 1_000_001 / 2


@pytest.mark.parametrize(
    ("hours", "at", "is_open"),
    [
        ("22:00-05:00", "2026-10-24T19:59Z", False),
        ("22:00-05:00", "2026-10-24T20:00Z", True),  # 22:00 in Stockholm's summer
        ("22:00-05:00", "2026-10-25T03:59Z", True),  # 04:59 in its winter, the same night
        ("22:00-05:00", "2026-10-25T04:00Z", False),
        ("09:00-17:00", "2026-10-24T07:00Z", True),
        ("09:00-17:00", "2026-10-24T15:00Z", False),
        (None, "2026-10-24T12:00Z", True),
    ],
)
def test_hours_are_those_of_the_zone(hours, at, is_open):
    assert sql_pull.is_open(Pull(off_peak=hours), datetime.fromisoformat(at)) is is_open


def test_outside_its_hours_a_source_is_left_alone(lake, run, source, monkeypatch, caplog):
    run(
        "create table readings (t text, meter text, kwh real)",
        rows=[(f"2026-10-19 10:0{n}", "a", float(n)) for n in range(8)],
    )
    contract = source(pull={"offPeak": "22:00-05:00"})
    hours = iter([True, False])
    monkeypatch.setattr(sql_pull, "is_open", lambda *_: next(hours))
    caplog.set_level("INFO")
    outcome = lake.ingest(contract)
    assert outcome.ledger.landed == 3  # a page was taken before they ended
    assert "plant is asked only at 22:00-05:00 (Europe/Stockholm)" in caplog.text
    monkeypatch.setattr(sql_pull, "is_open", lambda *_: False)
    assert lake.ingest(contract).receipts == ()
    monkeypatch.setattr(sql_pull, "is_open", lambda *_: True)
    assert lake.ingest(contract).ledger.landed == 5


def test_pause_between_pages(lake, run, source, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr(sql_pull.time, "sleep", waited.append)
    run(
        "create table readings (t text, meter text, kwh real)",
        rows=[(f"2026-10-19 10:0{n}", "a", float(n)) for n in range(8)],
    )
    pulled(lake, source(pull={"pauseS": 0.5}))
    assert waited == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    "pull", [{"offPeak": "22-05"}, {"offPeak": "24:00-05:00"}, {"zone": "Stockholm"}]
)
def test_hours_that_are_none(source, pull):
    with pytest.raises(ContractError, match=r"delivery\.pull"):
        source(pull=pull)


def test_file_that_is_not_there_and_driver_that_is_not_installed(lake, source):
    with pytest.raises(SourceUnavailable, match="unable to open"):
        pulled(lake, source())
    assert not (lake.inbox / "plant.sqlite").exists()
    contract = lake.source(
        "plant", columns=COLUMNS, delivery=DELIVERY, location="oracle://u:hemligt@h/d"
    )
    with pytest.raises(SourceUnavailable, match="driver of the address is not installed") as caught:
        pulled(lake, contract)
    assert "hemligt" not in str(caught.value)
