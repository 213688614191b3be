"""C2 over a real PostgreSQL: transactions that end after the pull has passed their rows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from ingestion import balance, ingest_source, reconcile
from ingestion.protocols import PROTOCOLS
from lakehouse import delta, tables
from lakehouse.errors import SourceUnavailable
from tests.unit.ingestion.lake import column
from tests.unit.ingestion.postgres.readings import COLUMNS, insert

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 20)
DAY_S = 86_400


def compared(lake, contract, repair: bool = False):
    return reconcile(lake.settings, contract, FIRST, LAST, repair=repair)


def missing(found) -> dict[int, int]:
    return {one.day.day: one.missing for one in found.days if one.missing}


def values(lake) -> list[float]:
    return sorted(row["value"] for row in lake.bronze("plant") if row["channel"] == "kwh")


def test_a_transaction_that_ends_late_is_taken_or_found(lake, server, readings, source):
    """Begun before the pull, ended after it: at the cursor's instant, within an hour, long ago."""
    contract = source(pull={"pageRows": 3})
    at = datetime(2026, 10, 19, 10, 0, 0, 123456)
    insert(readings, *((n * DAY_S, "a", n) for n in range(-9, 0)))
    row = "insert into plant.readings values (default, '{}', '{}', {}, {})"
    readings(*(row.format(at, f"m{n}", 100 + n, 1) for n in range(7)))
    slow = [(at, f"t{n}", 200 + n) for n in range(7)]
    slow += [(at - timedelta(minutes=59), "late", 300), (at + timedelta(microseconds=1), "b", 301)]
    slow += [(at - timedelta(days=4), "late", 400), (at - timedelta(hours=2), "late", 401)]
    with server.connect() as connection:
        open_one = connection.execution_options(isolation_level="READ COMMITTED")
        with open_one.begin():
            for instant, device, value in slow:
                open_one.execute(sa.text(row.format(instant, device, value, 1)))
            assert lake.ingest(contract).ledger.records == 16
    lake.ingest(contract)
    within = {*range(-9, 0), *range(100, 107), *range(200, 207), 300, 301}
    assert values(lake) == sorted(within)
    lake.ingest(contract)  # the control: no later pull sees the others
    assert values(lake) == sorted(within)
    assert missing(compared(lake, contract)) == {15: 1, 19: 1}
    before = delta.mark_of(tables.bronze(lake.settings, "plant"), "cursor")
    mended = compared(lake, contract, repair=True)
    assert (mended.landed, mended.lacking) == (4, ())  # each row has two channels
    assert values(lake) == sorted(within | {400, 401})
    assert delta.mark_of(tables.bronze(lake.settings, "plant"), "cursor") == before
    assert balance(lake.settings, "plant").is_kept
    assert compared(lake, contract).days == ()


def test_rows_committed_between_two_pages_of_one_instant(lake, readings, source):
    """Ties are paged by the key; more of them are committed while they are read."""
    contract = source(pull={"pageRows": 4})
    insert(readings, *((0, f"m{n}", n) for n in range(30)))

    def offers(fetch):
        for number, offer in enumerate(PROTOCOLS["sql_table"].offers(fetch)):
            yield offer
            if number < 5:
                insert(readings, (0, f"x{number}", 100 + number), (-5, f"y{number}", 200 + number))

    ingest_source(lake.settings, contract, offers)
    lake.ingest(contract)
    expected = [*range(30), *range(100, 105), *range(200, 205)]
    assert values(lake) == expected
    assert compared(lake, contract).days == ()


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp"])
def test_days_on_each_clock(lake, readings, source, kind):
    """An instant is compared by UTC days, a local time by those of its zone."""
    zone = "Europe/Stockholm"
    run = readings
    run(
        f"create table plant.clocks (t {kind}, device text, kwh float8)",
        "set timezone = 'UTC'",
        "insert into plant.clocks values ('2026-10-13 23:59:59.999999', 'a', 1),"
        " ('2026-10-14 00:00:00', 'a', 2), ('2026-10-19 12:00', 'a', 3)",
    )
    contract = source(
        time={"columns": ["t"], "zone": zone}, columns=COLUMNS[:2], pull={"table": "plant.clocks"}
    )
    lake.ingest(contract)
    found = compared(lake, contract)
    assert (found.zone, found.days) == ("UTC" if kind == "timestamptz" else zone, ())
    run("insert into plant.clocks values ('2026-10-13 23:59:59.999999', 'b', 4)")
    assert missing(compared(lake, contract)) == {13: 1}
    assert compared(lake, contract, repair=True).landed == 1
    assert compared(lake, contract).days == ()


def test_decimals_and_broken_rows_are_known(lake, readings, source):
    """Digits that a double does not tell, NaN, and rows without a value."""
    insert(readings, (0, "a", 1.5), (60, "b", "null"), (120, "c", "'NaN'"))
    readings("update plant.readings set price = 12345678901234567890.123456789 where device = 'a'")
    contract = source()
    lake.ingest(contract)
    assert compared(lake, contract).days == ()
    texts = [row["text"] for row in lake.bronze("plant") if row["channel"] == "price"]
    assert texts == ["12345678901234567890.123456789"]


def test_a_count_has_the_statement_timeout_too(lake, readings, source):
    readings(
        "create view plant.slow as select t as \"measured at\", 'd' as device, 1.0::float8 as kwh,"
        " pg_sleep(2) is null as nap from generate_series('2026-10-01'::timestamp, '2026-10-02',"
        " '1 day') t",
        'create view plant.naps as select "measured at", device,'
        " case when nap then 1 else kwh end as kwh from plant.slow",
    )
    contract = source(
        columns=COLUMNS[:2], pull={"table": "plant.naps", "timeoutS": 1, "attempts": 1}
    )
    with pytest.raises(SourceUnavailable, match="statement timeout"):
        compared(lake, contract)


def test_a_historian_that_moves_values_is_counted_by_its_windows(lake, run):
    """AVEVA's table as PostgreSQL: what lies before a day's first instant is none of its rows."""
    begin = datetime(2026, 10, 12, tzinfo=UTC).replace(tzinfo=None)
    run(
        'create table plant."Tag" ("TagName" text)',
        """insert into plant."Tag" values ('VV1.PV')""",
        'create table plant."History" ("TagName" text, "DateTime" timestamp, "Value" float8,'
        ' "vValue" text, "Quality" int, "QualityDetail" int, "OPCQuality" int,'
        ' "wwRetrievalMode" text, "wwTimeZone" text, "wwVersion" text)',
    )

    def store(at: datetime, value: object, quality: int = 0, opc: int = 192) -> None:
        run(
            f"""insert into plant."History" values ('VV1.PV', '{at}', {value}, {value}, {quality},
            192, {opc}, 'Full', 'UTC', 'Latest')"""
        )

    day = timedelta(days=1)
    for number in range(6):
        store(begin + number * day / 2, number)
    store(begin + day / 3, "null", quality=1, opc=0)  # a gap lands
    store(begin + day / 4, "null")  # nothing does not
    contract = lake.source(
        "plant",
        columns=[column("flow", "active_power", "W", delivered_as="PV")],
        location="env:SJOSTAD_TEST_DATABASE",
        delivery={
            "protocol": "aveva_historian",
            "format": "aveva_history",
            "device": {"path": r"^(?P<device>.+)\.(?P<channel>[^.]+)$"},
            "pull": {"table": "plant.History", "tags": "vv1.%", "pageRows": 3,
                     "start": "2026-10-11", "overlapH": 1},
        },
    )  # fmt: skip
    lake.ingest(contract)
    assert len(lake.bronze("plant")) == 7
    assert compared(lake, contract).days == ()
    store(begin + day / 5, 50)
    lake.ingest(contract)
    assert missing(compared(lake, contract)) == {12: 1}
    mended = compared(lake, contract, repair=True)
    assert (mended.landed, mended.lacking) == (1, ())
