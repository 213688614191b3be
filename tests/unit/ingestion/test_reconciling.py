"""C2: what was committed late is taken by the next pull within its overlap, or found by a count."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta

import pytest

from ingestion import balance, ingest_source, reconcile
from ingestion.protocols import PROTOCOLS, sql_days
from ingestion.protocols.sql_days import Counts
from lakehouse import delta, tables
from lakehouse.errors import ContractError, SourceUnavailable
from tests.unit.ingestion.historian import START, Historian
from tests.unit.ingestion.lake import HISTORIAN, column

COLUMNS = [column("meter", kind="string"), column("kwh", "active_energy", "kW.h"),
           column("v", "active_power", "W")]  # fmt: skip
DELIVERY = {
    "protocol": "sql_table",
    "format": "sql_rows",
    "time": {"columns": ["t"], "zone": "UTC"},
    "device": {"column": "meter"},
    "pull": {"table": "readings", "pageRows": 3, "overlapH": 24, "attempts": 1},
}
FIRST, LAST = date(2026, 10, 1), date(2026, 10, 20)


@pytest.fixture
def run(lake):
    def execute(*statements: str, rows=()):
        connection = sqlite3.connect(lake.inbox / "plant.sqlite")
        with connection:
            for statement in statements:
                connection.execute(statement)
            for row in rows:
                marks = ", ".join("?" * len(row))
                connection.execute(f"insert into readings values ({marks})", row)
        connection.close()

    return execute


@pytest.fixture
def plant(lake, run):
    """A contract over a table `readings(t, meter, kwh, v)`; times as text unless told."""

    def made(kind: str = "text", **changes):
        run(f"create table readings (t {kind}, meter text, kwh real, v real)")
        pull = DELIVERY["pull"] | changes.pop("pull", {})
        return lake.source(
            "plant",
            columns=COLUMNS,
            location="sqlite:///{inbox}/plant.sqlite",
            delivery=DELIVERY | {"pull": pull} | changes,
        )

    return made


def compared(lake, contract, repair: bool = False):
    return reconcile(lake.settings, contract, FIRST, LAST, repair=repair)


def missing(found) -> dict[int, int]:
    return {one.day.day: one.missing for one in found.days if one.missing}


def values(lake) -> list[float]:
    return sorted(row["value"] for row in lake.bronze("plant"))


def committing(contract, after_page: int, commit):
    """The pages of a pull, with rows committed at the source after one of them."""

    def offers(fetch):
        for number, offer in enumerate(PROTOCOLS[contract.protocol].offers(fetch)):
            yield offer
            if number == after_page:
                commit()

    return offers


def test_rows_committed_during_a_read_are_taken_next_time_or_found(lake, run, plant):
    """With an old time and at the cursor's very instant, in microseconds, many of one instant."""
    contract = plant()
    newest = "2026-10-19 10:00:00.123456"
    run(rows=[(f"2026-10-{day} 10:00", "a", day, None) for day in range(10, 19)])
    run(rows=[(newest, f"m{n}", 100 + n, None) for n in range(5)])

    def commit():
        run(rows=[("2026-10-18 23:00", "late", 1000, None)])  # within the overlap
        run(rows=[(newest, f"tie{n}", 2000 + n, None) for n in range(4)])
        run(rows=[("2026-10-19 10:00:00.123457", "a", 3000, None)])
        run(rows=[("2026-10-12 10:00", "late", 5000, None)])  # beyond it
        run(rows=[("2026-10-12 10:00", "later", 5001, None), ("2026-10-02", "a", 5002, None)])

    ingest_source(lake.settings, contract, committing(contract, 4, commit))
    lake.ingest(contract)
    within = {*range(10, 19), *range(100, 105), 1000, *range(2000, 2004), 3000}
    beyond = {5000, 5001, 5002}
    assert values(lake) == sorted(within)
    # The control: no pull ever sees the others, however often it runs.
    lake.ingest(contract)
    assert values(lake) == sorted(within)
    found = compared(lake, contract)
    assert missing(found) == {2: 1, 12: 2}
    assert values(lake) == sorted(within)  # looking changes nothing

    before = delta.mark_of(tables.bronze(lake.settings, "plant"), "cursor")
    mended = compared(lake, contract, repair=True)
    assert (mended.landed, mended.lacking, mended.refused) == (3, (), ())
    assert values(lake) == sorted(within | beyond)
    assert delta.mark_of(tables.bronze(lake.settings, "plant"), "cursor") == before
    assert balance(lake.settings, "plant").is_kept
    assert compared(lake, contract).days == ()
    versions = lake.versions("plant")
    assert compared(lake, contract, repair=True).landed == 0
    assert lake.versions("plant") == versions


@pytest.mark.parametrize("form", ["text", "epoch_s", "epoch_ms", "id"])
def test_every_clock_tells_its_days(lake, run, plant, form):
    """The last moment of a day and the first of the next, also where the cursor is an id."""
    moments = [datetime(2026, 10, 18, 23, 59, 59, tzinfo=UTC), datetime(2026, 10, 19, tzinfo=UTC)]
    per_second = {"epoch_s": 1, "epoch_ms": 1000}.get(form)

    def told(at: datetime):
        return int(at.timestamp()) * per_second if per_second else at.isoformat()[:19]

    changes = {"time": {"columns": ["t"], "zone": "UTC", "format": form}} if per_second else {}
    if form == "id":
        changes = {"pull": {"cursor": "v", "overlapRows": 0}}
    contract = plant("integer" if per_second else "text", **changes)
    if form == "id":
        run(
            "drop table readings", "create table readings (t text, meter text, kwh real, v integer)"
        )
    run(rows=[(told(at), "a", n, n + 1) for n, at in enumerate(moments)])
    lake.ingest(contract)
    assert compared(lake, contract).days == ()
    run(rows=[(told(at - timedelta(days=5)), "b", n, 0) for n, at in enumerate(moments)])
    lake.ingest(contract)
    assert missing(compared(lake, contract)) == {13: 1, 14: 1}
    assert compared(lake, contract, repair=True).landed == 4
    assert compared(lake, contract).days == ()


def test_local_days_across_the_change_of_clocks(lake, run, plant):
    """A source with local times is compared by its own days; the 25th has 25 hours."""
    zone = {"columns": ["t"], "zone": "Europe/Stockholm", "fold": "sequence"}
    contract = plant(time=zone)
    hours = [*range(3), *range(2, 24)]
    run(rows=[(f"2026-10-25 {hour:02}:30:00", "a", n, None) for n, hour in enumerate(hours)])
    run(rows=[("2026-10-24 00:30:00", "a", 50, None), ("2026-10-26 23:30:00", "a", 51, None)])
    lake.ingest(contract)
    found = reconcile(lake.settings, contract, date(2026, 10, 23), date(2026, 10, 27))
    assert (found.zone, found.days) == ("Europe/Stockholm", ())
    run(rows=[("2026-10-23 00:30:00", "a", 52, None)])
    found = reconcile(lake.settings, contract, date(2026, 10, 23), date(2026, 10, 27))
    assert missing(found) == {23: 1}


def test_what_the_lake_knows_is_not_missing(lake, run, plant):
    """Rows held back, left out, equal to others, or corrected since."""
    contract = plant()
    at = "2026-10-12 10:00"
    run(rows=[(at, "held", "x", None), (at, None, 1, None), (at, "part", "x", 2)])
    run(rows=[(at, "empty", None, None), (at, "twice", 1, None), (at, "twice", 1, None)])
    run(rows=[(at, "once", 5, None)])
    lake.ingest(contract)
    assert compared(lake, contract).days == ()
    run(f"update readings set kwh = 6 where meter = 'once' and t = '{at}'")
    lake.ingest(contract)
    (day,) = compared(lake, contract).days
    assert (day.at_source, day.in_lake) == (Counts(5, 5), Counts(5, 6))
    assert missing(compared(lake, contract)) == {}
    # The control: among corrections a row that is missing still shows, by its key.
    run(rows=[("2026-10-19 11:00", "a", 1, None)])
    lake.ingest(contract)
    run(rows=[(at, "late", 7, None)])
    lake.ingest(contract)
    assert missing(compared(lake, contract)) == {12: 1}


def test_rows_of_a_page_that_was_refused_are_missing(lake, run, plant):
    contract = plant(maxBroken="20%", pull={"pageRows": 100})
    run(rows=[("2026-10-12 10:00", f"m{n}", "x" if n else 1, None) for n in range(4)])
    assert len(lake.ingest(contract).refused) == 1
    assert missing(compared(lake, contract)) == {12: 4}
    mended = compared(lake, contract, repair=True)  # the very page is known to be refused
    assert (mended.landed, len(mended.lacking)) == (0, 1)
    run("update readings set kwh = 2")
    mended = compared(lake, contract, repair=True)
    assert (mended.landed, mended.lacking) == (4, ())


def test_a_day_that_was_read_again_for_nothing_is_settled(lake, run, plant):
    """Two rows that are one to the lake: a second reading says that nothing is missing."""
    contract = plant()
    run(rows=[("2026-10-12 10:00", "a", 1, 2), ("2026-10-12 10:00", "a", 1, None)])
    lake.ingest(contract)
    assert missing(compared(lake, contract)) == {12: 1}
    mended = compared(lake, contract, repair=True)
    assert (mended.landed, mended.lacking, missing(mended)) == (0, (), {12: 1})


def test_a_historian_is_reconciled_tag_by_tag(lake):
    plant = Historian(lake.inbox / "plant.sqlite")
    plant.tag(1, "plant/a/kwh")
    plant.tag(2, "plant/b/kwh")
    plant.partition("sqlt_data_1_2026_10")
    contract = lake.source(
        "plant",
        columns=[column("kwh", "active_energy", "kW.h")],
        location="sqlite:///{inbox}/plant.sqlite",
        delivery=HISTORIAN,
    )
    day = 86_400_000
    plant.store("sqlt_data_1_2026_10", [(n % 2 + 1, START - n * day // 4, n) for n in range(24)])
    plant.store("sqlt_data_1_2026_10", [(1, START - 5, (None, 0)), (1, START - 6, (None, 192)),
                                        (1, START - 7, "x")])  # fmt: skip
    lake.ingest(contract)
    assert compared(lake, contract).days == ()
    plant.store("sqlt_data_1_2026_10", [(1, START - 3 * day, 7), (2, START - 3 * day, 6.5)])
    lake.ingest(contract)
    assert sum(missing(compared(lake, contract)).values()) >= 1
    mended = compared(lake, contract, repair=True)
    assert (mended.landed, mended.lacking) == (2, ())


def test_hours_are_kept(lake, run, plant, monkeypatch):
    contract = plant(pull={"offPeak": "22:00-05:00"})
    run(rows=[("2026-10-12 10:00", "a", 1, None)])
    monkeypatch.setattr(sql_days, "is_open", lambda *_: False)
    with pytest.raises(SourceUnavailable, match="asked only at 22:00-05:00"):
        compared(lake, contract)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"time": {"columns": ["t", "meter"], "zone": "UTC"}, "pull": {"cursor": "t"}},
         "single column"),
        ({"time": {"columns": ["v"], "zone": "UTC"}, "pull": {"cursor": "t"}}, "is a number"),
    ],
)  # fmt: skip
def test_times_that_cannot_be_counted_by_are_said(lake, run, plant, changes, problem):
    contract = plant(**changes)
    if "v" in changes["time"]["columns"]:
        run(
            "drop table readings", "create table readings (t text, meter text, kwh real, v integer)"
        )
    with pytest.raises(SourceUnavailable, match=problem):
        compared(lake, contract)


def test_a_source_of_files_cannot_count(lake):
    with pytest.raises(ContractError, match=r"the protocol folder cannot count[^|]*sql_table"):
        reconcile(lake.settings, lake.source())
