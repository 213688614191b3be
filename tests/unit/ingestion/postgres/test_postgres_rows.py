"""Rows of a real PostgreSQL: pages, ties, late commits, and every kind of cell."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ingestion.fetching import Fetch
from ingestion.protocols import PROTOCOLS, sql_pull
from lakehouse.errors import SourceUnavailable
from tests.unit.ingestion.lake import HISTORIAN, column, utc
from tests.unit.ingestion.postgres.readings import (
    COLUMNS,
    START,
    cursor_of,
    insert,
    pulled,
)


def test_rows_and_cursor_are_one_commit_and_a_rerun_brings_nothing(lake, readings, source):
    insert(readings, *((n, "d1", n / 4) for n in range(10)))
    contract = source()
    outcome = lake.ingest(contract)
    assert (outcome.ledger.rows_in, outcome.ledger.landed) == (20, 20)
    rows = [row for row in lake.bronze("plant") if row["channel"] == "kwh"]
    assert [row["value"] for row in rows] == [n / 4 for n in range(10)]
    assert [row["phenomenon_time"] for row in rows] == [
        START + timedelta(seconds=n) for n in range(10)
    ]
    assert cursor_of(lake) == (START + timedelta(seconds=9)).timestamp() * 1e6
    versions = lake.versions("plant")
    assert lake.ingest(contract).receipts == ()
    assert lake.versions("plant") == versions


def test_row_committed_late_with_an_old_time_is_found_by_the_overlap(lake, readings, source):
    insert(readings, *((n * 600, "d1", n) for n in range(10)))
    contract = source()
    lake.ingest(contract)
    insert(readings, (9 * 600 - 1800, "d2", 0.5), (0, "d2", 0.25))
    assert lake.ingest(contract).ledger.landed == 2  # kwh and price; the older is out of reach
    assert {r["value"] for r in lake.bronze("plant") if r["device"] == "d2"} == {0.5}
    assert lake.ingest(source(pull={"overlapH": 2})).ledger.landed == 2


def test_transaction_that_ends_late_is_found_though_its_ids_are_old(lake, readings, source, server):
    contract = source(pull={"cursor": "id", "overlapRows": 5})
    transactional = server.execution_options(isolation_level="READ COMMITTED")
    with transactional.connect() as connection:
        connection.exec_driver_sql(
            "insert into plant.readings values (default, '2026-10-19', 'late', 1, 1)"
        )
        insert(readings, *((n, "d1", n) for n in range(3)))
        lake.ingest(contract)
        assert cursor_of(lake) == 4
        connection.commit()
    assert lake.ingest(contract).ledger.landed == 2
    assert "late" in {row["device"] for row in lake.bronze("plant")}


def test_ties_at_the_cursor(lake, readings, source):
    contract = source(pull={"overlapH": 0})
    insert(readings, (0, "d1", 1), (1.000001, "d1", 2))
    lake.ingest(contract)
    insert(readings, (1.000001, "d2", 3), (1, "d3", 4))
    assert lake.ingest(contract).ledger.landed == 2
    found = {row["device"] for row in lake.bronze("plant")}
    assert found == {"d1", "d2"}  # without any overlap one microsecond before is out of reach


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz"])
def test_microseconds(lake, readings, source, kind):
    readings(f"""alter table plant.readings alter "measured at" type {kind}""")
    insert(readings, *((n * 1e-6, "d1", n) for n in range(9)))
    found, cursor = pulled(lake, source(pull={"pageRows": 2}))
    assert [[row["kwh"] for row in page] for page in found] == [[0, 1], [2, 3], [4, 5], [6, 7], [8]]
    assert cursor == int(START.timestamp()) * 1_000_000 + 8
    found, _ = pulled(lake, source(pull={"overlapH": 0}), cursor)
    assert [row["kwh"] for page in found for row in page] == [8]


def test_time_without_offset_follows_the_zone_of_the_contract(lake, readings, source):
    insert(readings, (0, "d1", 1))
    lake.ingest(source(time={"columns": ["measured at"], "zone": "Europe/Stockholm"}))
    assert lake.bronze("plant")[0]["phenomenon_time"] == utc("2026-10-19 08:00")


def test_numbers_keep_their_digits(lake, readings, source):
    insert(readings, (0, "d1", "0.1::float8 + 0.2"))
    readings("update plant.readings set price = 12345678901234567890.123456789")
    readings("insert into plant.readings values (9, '2026-10-19', 'd2', 'NaN', 'NaN')")
    (page,), _ = pulled(lake, source())
    assert [(row["kwh"], row["price"]) for row in page][1] == (
        0.1 + 0.2, "12345678901234567890.123456789",
    )  # fmt: skip
    assert page[0]["price"] == "NaN"  # DuckDB's reader makes 0 of it, so PostgreSQL writes it out
    lake.ingest(source())
    assert {row["rule"] for row in lake.quarantine("plant")} == {"value_not_finite"}


def test_narrow_rows(lake, run, source):
    run(
        "create table plant.narrow"
        " (t timestamptz, device text, channel text, value text, unit text)",
        "insert into plant.narrow values ('2026-10-19 12:00+02', 'd1', 'kwh', '1.5', 'kWh'),"
        " ('2026-10-19 12:00+02', 'd1', 'state', 'på', null),"
        " ('2026-10-19 12:00+02', 'd1', 'kwh', '1.5', 'furlong')",
    )
    contract = source(
        time={"columns": ["t"], "zone": "UTC"},
        narrow={"channel": "channel", "value": "value", "unit": "unit"},
        columns=[column("device", kind="string"), column("kwh", "active_energy", "kW.h")],
        pull={"table": "plant.narrow"},
    )
    lake.ingest(contract)
    assert [(r["channel"], r["value"], r["text"], r["phenomenon_time"])
            for r in lake.bronze("plant")] == [
        ("kwh", 1.5, None, START), ("state", None, "på", START)]  # fmt: skip
    assert [row["rule"] for row in lake.quarantine("plant")] == ["unit_unknown"]


@pytest.mark.slow
@pytest.mark.parametrize("key", ["id serial primary key,", ""])
def test_a_million_rows_of_one_instant(lake, run, source, key):
    run(
        f"create table plant.many ({key} t timestamp, device text, kwh double precision)",
        "insert into plant.many (t, device, kwh) select '2026-10-19', 'd', n"
        " from generate_series(1, 1000000) n",
        "insert into plant.many (t, device, kwh) values ('2026-10-20', 'd', 0)",
    )
    contract = source(
        time={"columns": ["t"], "zone": "UTC"},
        columns=COLUMNS[:2],
        pull={"table": "plant.many", "pageRows": 200_000, "timeoutS": 60},
    )
    number = rows = total = 0
    with tempfile.TemporaryDirectory() as scratch:
        fetch = Fetch(contract, lake.settings, 0, Path(scratch), lambda _: False)
        for offer in PROTOCOLS["sql_table"].offers(fetch):
            number += 1
            values = pq.read_table(offer.path)["kwh"].to_numpy()
            assert len(values) <= 200_000
            rows, total = rows + len(values), total + values.sum()
    assert (number, rows, total) == (6, 1_000_001, 1_000_000 * 1_000_001 / 2)


def test_more_rows_of_one_instant_than_can_be_taken(lake, run, source, monkeypatch):
    monkeypatch.setattr(sql_pull, "MOST_OF_AN_INSTANT", 8)
    run(
        "create table plant.many (t timestamp, device text, kwh double precision)",
        "insert into plant.many select '2026-10-19', 'd', n from generate_series(1, 9) n",
    )
    contract = source(
        time={"columns": ["t"], "zone": "UTC"}, columns=COLUMNS[:2], pull={"table": "plant.many"}
    )
    with pytest.raises(SourceUnavailable, match="more than 8 rows share it and no unique key"):
        pulled(lake, contract)
    run("delete from plant.many where kwh = 9")
    assert [len(page) for page in pulled(lake, contract)[0]] == [4, 4]


def test_ignition_over_postgres(lake, run, source):
    run(
        "drop table if exists sqlth_te, sqlth_scinfo, sqlth_partitions, sqlt_data_1_2026_10",
        "create table sqlth_te (id int primary key, tagpath varchar(255), scid int)",
        "create table sqlth_scinfo (id int primary key, drvid int)",
        "create table sqlth_partitions (pname varchar(255), drvid int, start_time bigint,"
        " end_time bigint, blocksize int, flags int)",
        "create table sqlt_data_1_2026_10 (tagid int, intvalue bigint, floatvalue float8,"
        " stringvalue varchar(255), datevalue timestamp, dataintegrity int, t_stamp bigint,"
        " primary key (tagid, t_stamp))",
        "insert into sqlth_te values (1, 'plant/a/kwh', 1)",
        "insert into sqlth_scinfo values (1, 1)",
        "insert into sqlth_partitions values ('sqlt_data_1_2026_10', 1, 0, null, 0, 0)",
        "insert into sqlt_data_1_2026_10 values (1, null, 0.5, null, null, 192, 1792400400000),"
        " (1, null, null, null, '2026-10-19 10:00', 192, 1792400400001)",
    )
    contract = lake.source(
        "plant",
        columns=[column("kwh", "active_energy", "kW.h")],
        location="env:SJOSTAD_TEST_DATABASE",
        delivery=HISTORIAN,
    )
    ledger = lake.ingest(contract).ledger
    assert (ledger.landed, ledger.quarantined) == (1, 1)
    (row,) = lake.bronze("plant")
    assert (row["device"], row["value"]) == ("a", 0.5)


def test_aveva_paging_over_a_table_like_history(lake, run):
    """What SQL Server would be asked, asked of PostgreSQL: windows, ties, the moved value."""
    begin = (datetime.now(UTC) - timedelta(days=3)).replace(tzinfo=None)
    run(
        'create table plant."Tag" ("TagName" text)',
        """insert into plant."Tag" values ('VV1.PV'), ('VV1.SP'), ('VV2.PV')""",
        'create table plant."History" ("TagName" text, "DateTime" timestamp, "Value" float8,'
        ' "vValue" text, "Quality" int, "QualityDetail" int, "OPCQuality" int,'
        ' "wwRetrievalMode" text, "wwTimeZone" text, "wwVersion" text)',
    )

    def store(tag: str, at: datetime, value: float, mode: str = "Full") -> None:
        run(
            f"""insert into plant."History" values ('{tag}', '{at}', {value}, '{value}', 0, 192,
            192, '{mode}', 'UTC', 'Latest')"""
        )

    second, day = timedelta(seconds=1), timedelta(days=1)
    store("VV1.PV", begin - second, -1)  # a value from before, moved to the first asked instant
    store("VV1.PV", begin, 0)
    store("VV1.PV", begin + second, 9, mode="Cyclic")
    store("VV2.PV", begin + second, 9)
    times = [begin + n * day / 7 for n in range(1, 15)]  # some lie on the border of a window
    for number, at in enumerate(times, start=1):
        store("VV1.PV", at, number)
        store("VV1.SP", at, number)
    contract = lake.source(
        "plant",
        columns=[column("flow", "active_power", "W", delivered_as="PV")],
        location="env:SJOSTAD_TEST_DATABASE",
        delivery={
            "protocol": "aveva_historian",
            "format": "aveva_history",
            "device": {"path": r"^(?P<device>.+)\.(?P<channel>[^.]+)$"},
            "pull": {"table": "plant.History", "tags": "vv1.%", "pageRows": 3,
                     "start": begin.isoformat(), "overlapH": 1},
        },
    )  # fmt: skip
    found, cursor = pulled(lake, contract)
    assert [(row["TagName"], row["DateTime"], row["Value"]) for page in found for row in page] == [
        ("VV1.PV", begin, 0),
        *((tag, at, n) for n, at in enumerate(times, start=1) for tag in ("VV1.PV", "VV1.SP")),
    ]
    assert cursor == (times[-1] - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    again, _ = pulled(lake, contract, cursor)
    assert [row["DateTime"] for page in again for row in page] == [times[-1]] * 2
    lake.ingest(contract)
    assert len(lake.bronze("plant")) == 29
