"""The curated database: what is in it, how it is replaced, and what a query over it cannot do."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import date

import duckdb
import pyarrow as pa
import pytest

from lakehouse import delta, tables
from lakehouse.curated import Model, build_curated_database, curated_database, shared_models
from lakehouse.curated.access import open_curated
from lakehouse.errors import Busy, LakeError
from lakehouse.locks import exclusive
from lakehouse.settings import PROJECT, Settings

AIR = Model("model.air", "gold", "air", "It's air / Luft", {"pm10": "Mean, µg/m³", "gone": "-"})
SECRET = Model("model.secret", "silver", "secret", is_restricted=True)
MODELS = [AIR, SECRET, Model("model.thing", "silver", "thing")]


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings.from_environment({"SJOSTAD_PATIENCE_S": "0"}, home=tmp_path / "home")


def write(settings: Settings, layer: str, name: str, rows: int) -> int:
    days = [date(2026, 1, 1 + number % 5) for number in range(rows)]
    table = pa.table({"pm10": [float(number) for number in range(rows)], "day": days})
    address = tables.model(settings, layer, name)
    return delta.replace(address, table, table.schema, partition_by=["day"]).version


@pytest.fixture
def versions(settings) -> dict[str, int]:
    return {
        f"{layer}.{name}": write(settings, layer, name, 10)
        for layer, name in (("gold", "air"), ("silver", "secret"), ("silver", "thing"))
    }


def rows_of(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return connection.execute(f"select count(*) from {table}").fetchall()[0][0]


def test_what_is_made_from_a_restricted_model_is_left_out():
    def model(name: str, *upstream: str, **said: object) -> Model:
        return Model(name, "gold", name, depends_on=frozenset(upstream), **said)

    models = [
        model("far", "near", "open"), model("near", "held"), model("held", is_restricted=True),
        model("open", "source.bronze"), model("above", "open"),
    ]  # fmt: skip
    assert [one.name for one in shared_models(models)] == ["open", "above"]


def test_the_restriction_ends_where_a_model_says_so_and_nowhere_else():
    def model(name: str, *upstream: str, **said: object) -> Model:
        return Model(name, "gold", name, depends_on=frozenset(upstream), **said)

    models = [
        model("held", is_restricted=True), model("near", "held"),
        model("counts", "near", is_restricted=False), model("above", "counts"),
        model("beside", "counts", "near"), model("again", "counts", is_restricted=True),
        model("far", "again"),
    ]  # fmt: skip
    assert [one.name for one in shared_models(models)] == ["counts", "above"]


@pytest.mark.parametrize(
    ("meta", "expected"),
    [({}, None), ({"is_restricted": True}, True), ({"is_restricted": False}, False)],
)
def test_a_model_says_in_dbt_s_meta_whether_it_is_restricted(meta, expected):
    node = {
        "unique_id": "model.a", "schema": "gold", "name": "a", "description": "", "columns": {},
        "depends_on": {"nodes": []}, "config": {"meta": meta},
    }  # fmt: skip
    assert Model.of(node).is_restricted is expected


def test_it_holds_views_of_silver_and_gold_with_their_descriptions(settings, versions):
    path = build_curated_database(settings, MODELS, versions)
    # As Excel or DBeaver opens it: a plain DuckDB, no extension, no Delta.
    with duckdb.connect(str(path), read_only=True) as connection:
        views = connection.execute(
            "select schema_name, view_name, comment from duckdb_views() where not internal "
            "order by all"
        ).fetchall()
        assert views == [("gold", "air", "It's air / Luft"), ("silver", "thing", "")]
        comments = connection.execute(
            "select column_name, comment from duckdb_columns() where table_name = 'air' "
            "order by column_index"
        ).fetchall()
        assert comments == [("pm10", "Mean, µg/m³"), ("day", None)]
        assert connection.execute("from meta.tables order by all").fetchall() == [
            ("gold", "air", 1, 10, 5), ("silver", "thing", 1, 10, 5)
        ]  # fmt: skip
        assert rows_of(connection, "gold.air") == 10
    assert b"/silver/secret" not in path.read_bytes()


def test_it_costs_the_same_whatever_the_tables_hold(settings, versions):
    few = build_curated_database(settings, MODELS, versions).stat().st_size
    versions["gold.air"] = write(settings, "gold", "air", 200_000)
    assert build_curated_database(settings, MODELS, versions).stat().st_size == few
    with open_curated(settings) as connection:
        assert rows_of(connection, "gold.air") == 200_000


def test_a_reader_keeps_its_state_and_the_next_one_sees_the_new(settings, versions):
    build_curated_database(settings, MODELS, versions)
    with open_curated(settings) as before:
        versions["gold.air"] = write(settings, "gold", "air", 3)
        assert rows_of(before, "gold.air") == 10
        build_curated_database(settings, MODELS, versions)
        with open_curated(settings) as after:
            assert (rows_of(before, "gold.air"), rows_of(after, "gold.air")) == (10, 3)


def test_it_reads_the_versions_it_is_told_and_no_newer(settings, versions):
    write(settings, "gold", "air", 3)
    build_curated_database(settings, MODELS, versions)
    with open_curated(settings) as connection:
        assert rows_of(connection, "gold.air") == 10


KILLED = """
import os, signal
from lakehouse.curated import build_curated_database
from lakehouse.settings import Settings
from tests.unit.lakehouse.test_curated import MODELS

os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
build_curated_database(Settings.from_environment(), MODELS, {versions})
"""


def test_killed_before_the_rename_it_leaves_the_last_file(settings, versions):
    path = build_curated_database(settings, MODELS, versions)
    kept = path.read_bytes()
    newer = versions | {"gold.air": write(settings, "gold", "air", 3)}
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(versions=newer)],
        env=settings.as_environment() | {"PYTHONPATH": str(PROJECT)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == kept
    assert path.with_name("curated.duckdb.new").is_file()
    build_curated_database(settings, MODELS, newer)
    assert [found.name for found in settings.home.glob("curated*")] == ["curated.duckdb"]
    with open_curated(settings) as connection:
        assert rows_of(connection, "gold.air") == 3


def test_a_table_that_cannot_be_read_leaves_the_last_file(settings, versions):
    path = build_curated_database(settings, MODELS, versions)
    kept = path.read_bytes()
    with pytest.raises(LakeError, match="no readable Delta table"):
        build_curated_database(settings, MODELS, versions | {"gold.air": 99})
    assert path.read_bytes() == kept


def test_two_builds_do_not_interleave(settings, versions):
    with exclusive(settings, "curated_database"), pytest.raises(Busy):
        build_curated_database(settings, MODELS, versions)


@pytest.fixture
def connection(settings, versions):
    build_curated_database(settings, MODELS, versions)
    with open_curated(settings) as opened:
        yield opened


@pytest.mark.parametrize(
    "query",
    [
        "from read_text('/etc/passwd')",
        "from '/etc/passwd'",
        "from read_csv('/etc/passwd')",
        "from glob('/etc/*')",
        "from read_parquet('{lake}/silver/secret/*/*.parquet')",
        "from read_parquet('{secret}')",
        "from read_parquet('{lake}/gold/air/day=2026-01-01/../../../silver/secret/{tail}')",
        "from read_json('{lake}/silver/secret/_delta_log/00000000000000000001.json')",
        "from read_parquet('{old}')",
        "attach '{lake}/../open.duckdb' as other",
        "attach '{lake}/../curated.duckdb' as writable (read_write)",
        "copy (select 1) to '{lake}/stolen.csv'",
        "copy gold.air to '/tmp/stolen.parquet'",
        "export database '/tmp/stolen'",
        "create table gold.mine as select 1",
        "create or replace view gold.air as select 1",
        "drop view gold.air",
        "insert into meta.files values ('{secret}')",
        "comment on view gold.air is 'x'",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "set allowed_paths = ['{secret}']",
        "reset lock_configuration",
        "set TimeZone = 'Europe/Stockholm'",
        "load delta",
        "install httpfs",
        "load '{lake}/evil.duckdb_extension'",
    ],
)
def test_a_query_can_neither_write_nor_read_another_file(settings, connection, query):
    secret = next(tables.model(settings, "silver", "secret").glob("*/*.parquet"))
    air = tables.model(settings, "gold", "air")
    before = set(air.glob("*/*.parquet"))
    write(settings, "gold", "air", 3)
    newer = next(path for path in air.glob("*/*.parquet") if path not in before)
    asked = query.format(
        lake=settings.lake, secret=secret, tail=secret.relative_to(secret.parent.parent), old=newer
    )
    with pytest.raises(
        (duckdb.PermissionException, duckdb.InvalidInputException, duckdb.BinderException,
         duckdb.CatalogException)
    ):  # fmt: skip
        connection.execute(asked).fetchall()
    assert rows_of(connection, "gold.air") == 10
    assert not (settings.lake / "stolen.csv").exists()


def test_temporary_tables_live_in_memory_beside_it(connection):
    connection.execute("create temp table mine as select range as a from range(10)")
    assert rows_of(connection, "mine") == 10


def test_times_are_told_in_utc(connection):
    told = connection.execute("select timestamptz '2026-07-01 12:00:00+02:00'::varchar").fetchall()
    assert told == [("2026-07-01 10:00:00+00",)]


def test_without_a_build_it_says_what_to_run(settings):
    with pytest.raises(LakeError, match=r"no curated database yet.*sjostad run"):
        open_curated(settings)


def test_a_file_that_is_no_database_is_told(settings):
    settings.home.mkdir()
    curated_database(settings).write_bytes(b"not a database" * 100)
    with pytest.raises(LakeError, match="cannot be opened"):
        open_curated(settings)
