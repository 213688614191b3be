"""The link to a real PostgreSQL: read-only, patient, and none the worse for faults."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ingestion.fetching import Fetch
from ingestion.protocols import sql_link
from lakehouse.errors import SourceUnavailable
from tests.unit.ingestion.postgres.readings import (
    START,
    cursor_of,
    insert,
    pulled,
)


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
