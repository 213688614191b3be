"""The SQL protocols over a real PostgreSQL: read-only, paging, faults, late commits."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from ingestion.fetching import Fetch
from ingestion.protocols import PROTOCOLS, patience, sql_link, sql_pull
from lakehouse import delta, tables
from lakehouse.errors import SourceUnavailable
from tests.unit.ingestion.lake import HISTORIAN, column, utc

START = datetime(2026, 10, 19, 10, tzinfo=UTC)
DELIVERY = {
    "protocol": "sql_table",
    "format": "sql_rows",
    "time": {"columns": ["measured at"], "zone": "UTC"},
    "device": {"column": "device"},
    "pull": {"table": "plant.readings", "pageRows": 4, "overlapH": 1, "timeoutS": 5, "attempts": 2},
}
COLUMNS = [
    column("device", kind="string"),
    column("kwh", "active_energy", "kW.h"),
    column("price", "active_energy", "kW.h"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A PostgreSQL of the tests' own, on a socket in a temporary folder."""
    pgserver = pytest.importorskip("pgserver")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder and a port of its own
        folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path must be short
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        made = pgserver.get_server(folder / "data", cleanup_mode="delete")
    engine = sa.create_engine(made.get_uri(), isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()
    made.cleanup()


@pytest.fixture
def run(server, monkeypatch):
    """Run statements; the tables are made anew for each test."""
    monkeypatch.setenv("SJOSTAD_TEST_DATABASE", server.url.render_as_string(hide_password=False))
    monkeypatch.setattr(patience.time, "sleep", lambda _: None)

    def execute(*statements: str):
        with server.connect() as connection:
            for statement in statements:
                found = connection.exec_driver_sql(statement)
            return found.all() if found.returns_rows else []

    execute("drop schema if exists plant cascade", "create schema plant")
    return execute


@pytest.fixture
def readings(run):
    run(
        'create table plant.readings (id serial primary key, "measured at" timestamp, device text,'
        " kwh double precision, price numeric, stored timestamptz default now())"
    )
    return run


@pytest.fixture
def source(lake):
    def contract(**changes):
        pull = changes.pop("pull", {})
        return lake.source(
            "plant",
            columns=changes.pop("columns", COLUMNS),
            location="env:SJOSTAD_TEST_DATABASE",
            delivery=DELIVERY | {"pull": DELIVERY["pull"] | pull} | changes,
        )

    return contract


def insert(run, *rows: tuple) -> None:
    for seconds, device, value in rows:
        at = (START + timedelta(seconds=seconds)).replace(tzinfo=None)
        run(f"insert into plant.readings values (default, '{at}', '{device}', {value}, {value})")


def pulled(lake, contract, cursor=0):
    """The pages of a pull, each as a list of rows, and the last cursor."""
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        fetch = Fetch(contract, lake.settings, cursor, Path(scratch), lambda _: False)
        for offer in PROTOCOLS[contract.protocol].offers(fetch):
            found.append(pq.read_table(offer.path).to_pylist())
            cursor = offer.marks.get("cursor", cursor)
    return found, cursor


def cursor_of(lake) -> int:
    return delta.mark_of(tables.bronze(lake.settings, "plant"), "cursor")


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


def test_the_session_can_write_nothing(lake, readings, source):
    insert(readings, (0, "d1", 1))
    contract = source()
    fetch = Fetch(contract, lake.settings, 0, lake.settings.home, lambda _: False)
    with sql_link.linked(fetch) as link:
        with link.engine.connect() as connection, pytest.raises(Exception, match="read-only"):
            connection.exec_driver_sql("delete from plant.readings")
        sql_link.receive(link, sa.select(sa.literal(1).label("one")), (), "answer")
        for statement in ("delete from plant.readings", "create table plant.x (a int)"):
            with pytest.raises(Exception, match="read-only"):
                link.local.execute("call postgres_execute('source', ?)", [statement])
        with pytest.raises(Exception, match="read-only"):
            link.local.execute("delete from source.plant.readings")
    assert readings("select count(*) from plant.readings") == [(1,)]


def test_one_connection_with_a_timeout(lake, readings, source):
    fetch = Fetch(source(), lake.settings, 0, lake.settings.home, lambda _: False)
    asked = sa.select(
        sa.func.current_setting("statement_timeout").label("timeout"),
        sa.func.current_setting("default_transaction_read_only").label("read_only"),
    )
    with sql_link.linked(fetch) as link:
        for _ in range(3):
            sql_link.receive(link, asked, (), "answer")
        assert link.local.execute("from answer").fetchall() == [("5s", "on")]
        mine = "select count(*) from pg_stat_activity where application_name = 'sjostad'"
        assert readings(mine) == [(1,)]
    patience = time.monotonic() + 10  # the server ends a session a moment after it was closed
    while readings(mine) != [(0,)]:
        assert time.monotonic() < patience
        time.sleep(0.05)


def test_statement_that_takes_too_long_is_given_up(lake, run, source):
    run(
        """create view plant.readings as select timestamp '2026-10-19' as "measured at",
        'd1' as device, 1.0::float8 as kwh, 1 as price from pg_sleep(9)"""
    )
    with pytest.raises(SourceUnavailable, match=r"in 1 attempts: .*statement timeout"):
        pulled(lake, source(pull={"timeoutS": 0.2, "attempts": 1}))


def test_errors_tell_no_password(lake, readings, source, monkeypatch, server):
    for password in ("hemligt", "hem%20ligt%27%5C"):
        monkeypatch.setenv(
            "SJOSTAD_TEST_DATABASE", f"postgresql://sjostad:{password}@127.0.0.1:1/nowhere"
        )
        with pytest.raises(SourceUnavailable) as caught:
            pulled(lake, source(pull={"attempts": 1}))
        assert "ligt" not in str(caught.value)
        fetch = Fetch(source(), lake.settings, 0, lake.settings.home, lambda _: False)
        with (
            sql_link.linked(fetch) as link,
            pytest.raises(SourceUnavailable, match="refused") as caught,
        ):
            sql_link.patiently(link, lambda link=link: sql_link.receive(
                link, sa.select(sa.literal(1)), (), "answer"))  # fmt: skip
        assert "ligt" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("deadly", range(4))
def test_backend_killed_at_every_page_loses_nothing(lake, readings, source, monkeypatch, deadly):
    """A trigger cannot be put on a SELECT, so the statement of a page kills its own backend."""
    insert(readings, *((n // 2, f"d{n % 2}", n) for n in range(16)))
    real, asked = sql_link._text, iter(range(100))
    kill = "(select pg_terminate_backend(pg_backend_pid()))"

    def text(link, statement):
        plain = real(link, statement)
        return f"select s.* from ({plain}) s, {kill} k" if next(asked) == deadly else plain

    monkeypatch.setattr(sql_link, "_text", text)
    contract = source(pull={"attempts": 1, "overlapH": 0})
    with pytest.raises(SourceUnavailable, match="terminating connection"):
        lake.ingest(contract)
    assert len(lake.bronze("plant")) == deadly * 4 * 2
    newest = [row["phenomenon_time"].timestamp() * 1e6 for row in lake.bronze("plant")][-1:]
    assert [cursor_of(lake)] == (newest or [0])
    lake.ingest(contract)
    rows = [row for row in lake.bronze("plant") if row["channel"] == "kwh"]
    assert [(r["phenomenon_time"], r["device"], r["value"]) for r in rows] == [
        (START + timedelta(seconds=n // 2), f"d{n % 2}", n) for n in range(16)
    ]


def test_a_killed_backend_is_replaced_within_the_attempts(lake, readings, source, monkeypatch):
    insert(readings, *((n, "d1", n) for n in range(10)))
    real, asked = sql_link._text, iter(range(100))

    def text(link, statement):
        if next(asked) == 1:
            readings("select pg_terminate_backend(pid) from pg_stat_activity"
                     " where application_name = 'sjostad'")  # fmt: skip
        return real(link, statement)

    monkeypatch.setattr(sql_link, "_text", text)
    found, _ = pulled(lake, source())
    assert [row["kwh"] for page in found for row in page] == list(range(10))


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


def test_both_readers_give_the_same_pages(lake, readings, source, monkeypatch):
    readings(
        "insert into plant.readings select n, timestamp '2026-10-19' + n * interval '0.3 s',"
        " 'd' || mod(n, 7), n / 7.0, n / 8.0, now() from generate_series(1, 500) n"
    )
    contract = source(pull={"pageRows": 64})
    fast, cursor = pulled(lake, contract)
    monkeypatch.setattr(sql_link.Link, "dialect", property(lambda _: "another"))
    slow, again = pulled(lake, contract)
    assert fast == slow
    assert (sum(map(len, fast)), cursor) == (500, again)


@pytest.mark.parametrize(
    ("pull", "reason"),
    [
        ({"table": "plant.nowhere"}, "there is no table or view 'plant.nowhere'"),
        ({"table": None}, "a table needs 'table'"),
        ({"cursor": "device"}, "'device' is TEXT, neither a whole number nor a time"),
        ({"cursor": "x"}, "'plant.readings' has no column x"),
    ],
)
def test_what_the_contract_names_and_the_database_has_not(lake, readings, source, pull, reason):
    with pytest.raises(SourceUnavailable, match=reason):
        pulled(lake, source(pull=pull))


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
