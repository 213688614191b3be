"""Each dbt build ends in a curated database of its own versions, and a failed one in none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from lakehouse.curated import curated_database
from lakehouse.curated.access import open_curated
from lakehouse.duck import connect, delta_scan
from tests.flow import AIR, reading

START = datetime(2026, 1, 3, tzinfo=UTC)
RESTRICTED = {
    "silver.observation_restricted", "silver.datastream_restricted", "gold.smarta_las_dygn"
}  # fmt: skip


def held(lake) -> dict[str, int]:
    """The tables of the curated database, and how many rows each view gives."""
    with open_curated(lake.settings) as connection:
        names = connection.execute(
            "select schema_name || '.' || view_name from duckdb_views() where not internal"
        ).fetchall()
        return {
            name: connection.execute(f"select count(*) from {name}").fetchall()[0][0]
            for (name,) in names
        }


def test_a_build_leaves_views_of_every_open_table_with_its_rows(built):
    lake = built
    tables = {name for name in lake.versions() if name.startswith(("silver.", "gold."))}
    assert tables >= RESTRICTED
    with open_curated(lake.settings) as curated, connect() as with_delta:
        told = curated.execute("select schema_name || '.' || table_name, version from meta.tables")
        versions = dict(told.fetchall())
        assert set(versions) == tables - RESTRICTED
        assert "gold.vem_delar_vad" in versions
        assert versions == {name: lake.versions()[name] for name in versions}
        for name in versions:
            scan = f"from {delta_scan(lake.address(name))} order by all"
            rows = curated.execute(f"from {name} order by all").fetchall()
            assert rows == with_delta.execute(scan).fetchall()
            assert rows or name != "gold.luftkvalitet_timme"


def test_every_table_and_column_is_explained(lake):
    with open_curated(lake.settings) as connection:
        views = connection.execute(
            "select view_name from duckdb_views() where not internal and coalesce(comment, '') = ''"
        ).fetchall()
        columns = connection.execute(
            "select table_name, column_name from duckdb_columns() where schema_name in "
            "('silver', 'gold') and coalesce(comment, '') = ''"
        ).fetchall()
        assert (views, columns) == ([], [])
        said = connection.execute(
            "select comment from duckdb_columns() where column_name = 'pm10_ug_m3'"
        ).fetchall()
        assert said == [("Mean PM10, µg/m³",)]


def test_news_are_in_the_next_file_and_not_in_the_one_that_is_open(lake):
    with open_curated(lake.settings) as before:
        count = "select count(*) from silver.observation"
        had = before.execute(count).fetchall()
        lake.land(AIR, [reading("HORN-01", "pm10", START + timedelta(minutes=m), 7.0)
                        for m in range(5)])  # fmt: skip
        lake.build()
        assert before.execute(count).fetchall() == had
        assert held(lake)["silver.observation"] == had[0][0] + 5


def test_readings_that_become_restricted_leave_it(lake):
    """Their new table is not in it, and the files they stood in before may not be read."""
    had = held(lake)["silver.observation"]
    old = [str(path) for path in lake.address("silver.observation").glob("*/*.parquet")]
    with connect() as connection:
        query = f"select count(*) from {delta_scan(lake.address('silver.observation'))}"
        mine = connection.execute(f"{query} where source_id = '{AIR}'").fetchall()[0][0]
    lake.edit_contract(AIR, "k: 0", "k: 2")
    lake.write_reference()
    lake.build()
    assert len(lake.rows("silver.observation_restricted")) == mine > 0
    found = held(lake)
    assert "silver.observation_restricted" not in found
    assert found["silver.observation"] == had - mine
    restricted = lake.address("silver.observation_restricted").glob("*/*.parquet")
    with open_curated(lake.settings) as connection:
        readable = {path for (path,) in connection.execute("from meta.files").fetchall()}
        for path in {*map(str, restricted), *old} - readable:
            with pytest.raises(duckdb.PermissionException, match="operations are disabled"):
                connection.execute(f"from read_parquet('{path}')")
        mine = "select count(*) from silver.observation where source_id = ?"
        assert connection.execute(mine, [AIR]).fetchall() == [(0,)]
        assert not readable & {*map(str, lake.address("silver.observation_restricted").rglob("*"))}


def test_a_failed_build_leaves_the_last_file(lake):
    path = curated_database(lake.settings)
    kept = path.read_bytes()
    lake.land(AIR, [reading("HORN-01", "pm10", START, 7.0, quality="nonsense")])
    said = lake.dbt("build", "--select", "observation", succeeds=False)
    assert "accepted_values_observation_quality" in said
    assert path.read_bytes() == kept
    assert not list(lake.settings.home.glob("curated.duckdb.*"))


def test_only_builds_replace_it(lake):
    path = curated_database(lake.settings)
    kept = path.stat().st_mtime_ns
    lake.dbt("test", "--select", "thing,test_type:data")
    assert path.stat().st_mtime_ns == kept
    lake.dbt("build", "--select", "thing")
    assert path.stat().st_mtime_ns > kept
