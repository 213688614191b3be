"""The plugin through which dbt-duckdb reads and writes this lake's Delta tables.

dbt builds every model in a private in-memory DuckDB. When the connection opens, each table of
the lake gets a view, so `ref()` and `source()` work whatever is selected. When a model is
built, its rows go into one Delta commit through `lakehouse.delta`, together with marks that say
which upstream versions they were made from.

What incremental models need to know stands in the schema `lake`:

- `upstream(name, source_id, version)`: how far each table has come now (batches for bronze);
- `mark(table_name, name, version)`: how far each model has followed;
- `mapping(source_id, digest)`: what each source's mapping, units and sharing now say, and how
  often its bronze has been built anew;
- `touched(table_name, version, partition_date)`: what changed where; null means everything.

Source: dbt-duckdb 1.11, "Writing your own plugins".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig

from lakehouse import delta, duck, model_commits, reference, tables
from lakehouse.contracts import Contracts, load_contracts
from lakehouse.delta.changes import changes_since
from lakehouse.errors import LakeError, Problem
from lakehouse.settings import Settings

_LAYERS = ("silver", "gold")

_TABLES = """
create table lake.upstream (name varchar, source_id varchar, version bigint);
create table lake.mark (table_name varchar, name varchar, version bigint);
create table lake.mapping (source_id varchar, digest varchar);
create table lake.touched (table_name varchar, version bigint, partition_date date);
"""


class Plugin(BasePlugin):  # type: ignore[misc]  # dbt-duckdb finds it by this name
    """Registers the lake when dbt connects, and commits models when dbt has built them."""

    def initialize(self, _plugin_config: dict[str, Any]) -> None:
        """Read the settings and contracts that dbt's environment names."""
        self.settings = Settings.from_environment()
        self.contracts = load_contracts(self.settings.contracts)
        # By the name of the scratch relation: dbt may build several models at once.
        self.builds: dict[str, model_commits.ModelBuild] = {}

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Make schemas, views of all tables, and the tables that plans are made from."""
        self.connection = conn
        conn.load_extension(str(duck.extension("delta")))
        conn.execute("set global TimeZone = 'UTC'")
        for schema in ("bronze", "reference", "operations", "lake", *_LAYERS):
            conn.execute(f"create schema if not exists {schema}")
        conn.execute(_TABLES)
        _register_bronze(conn, self.settings, self.contracts)
        _register_reference(conn, self.contracts)
        _register_metering(conn, self.settings)
        _register_models(conn, self.settings)

    def store(self, target_config: TargetConfig) -> None:
        """Take the rows of a scratch relation as a part of a model; with the last, commit it.

        `target_config.config` holds `layer` and `name`, the `part` and the statements that
        `take_in_hand` it, `is_first_part`, `is_last_part` and what a `ModelBuild` is told.
        """
        plan: Mapping[str, Any] = target_config.config
        part, scratch = plan["part"], str(target_config.relation)
        if plan["is_first_part"]:
            self.builds[scratch] = model_commits.start(self.settings, plan)
        build = self.builds[scratch]
        with self.connection.cursor() as cursor:
            cursor.execute(f"set TimeZone = 'UTC'; {plan['take_in_hand']}")
            build.take(cursor, scratch, part["first"], part["until"], part["single"])
            if plan["is_last_part"]:
                commit = model_commits.finish(build, cursor, scratch, self.settings)
                _note_commit(cursor, self.settings, plan, commit)


def _register_bronze(
    connection: duckdb.DuckDBPyConnection, settings: Settings, contracts: Contracts
) -> None:
    """One view for each source, and `bronze.telemetry` over all of them."""
    connection.register("no_telemetry", tables.TELEMETRY.empty_table())
    connection.execute("create table bronze.no_telemetry as from no_telemetry")
    parts = ["select null::varchar as source_id, * from bronze.no_telemetry"]
    for source_id, source in contracts.sources.items():
        address = tables.bronze(settings, source_id)
        if not delta.exists(address):
            continue
        name = duck.identifier(source_id)
        connection.execute(f"create view bronze.{name} as from {duck.delta_scan(address)}")
        reached = delta.marks_of(address, ["batch", "anew"])
        connection.execute(
            "insert into lake.upstream values (?, ?, ?)",
            [f"bronze.{source_id}", source_id, reached.get("batch", 0)],
        )
        digest = reference.mapping_digest(source, contracts.vocabulary, reached.get("anew"))
        connection.execute("insert into lake.mapping values (?, ?)", [source_id, digest])
        parts.append(f"select {duck.literal(source_id)} as source_id, * from bronze.{name}")
    connection.execute(f"create view bronze.telemetry as {' union all by name '.join(parts)}")


def _register_reference(connection: duckdb.DuckDBPyConnection, contracts: Contracts) -> None:
    """What the contracts say now: the lake's copy may be older than the mapping digests."""
    for name, table in reference.reference_tables(contracts).items():
        connection.register("said", table)
        connection.execute(f"create table reference.{name} as from said")
        connection.unregister("said")


def _register_metering(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    address = tables.metering(settings)
    if delta.exists(address):
        view = f"create view operations.metering as from {duck.delta_scan(address)}"
        connection.execute(view)
        return
    connection.register("nothing_metered", tables.METERING.empty_table())
    connection.execute("create table operations.metering as from nothing_metered")


def _register_models(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    found = {
        f"{layer}.{path.name}": path
        for layer in _LAYERS
        for path in sorted((settings.lake / layer).glob("*"))
        if delta.exists(path)
    }
    upstreams = [row[0] for row in connection.execute("select name from lake.upstream").fetchall()]
    mappings = connection.execute(
        "select unnest(['mapping.' || source_id, 'mapping.' || source_id || '.' || digest]) "
        "from lake.mapping"
    ).fetchall()
    names = [*upstreams, *found, *(row[0] for row in mappings)]
    for table_name, address in found.items():
        layer, _, name = table_name.partition(".")
        connection.execute(f"create view {layer}.{name} as from {duck.delta_scan(address)}")
        version = delta.version_of(address)
        held = delta.marks_of(address, {*names, "daily_from"})
        _require_same_calendar(settings, address, held.pop("daily_from", None))
        connection.execute("insert into lake.upstream values (?, null, ?)", [table_name, version])
        rows = [(table_name, mark, reached) for mark, reached in held.items()]
        if rows:
            connection.executemany("insert into lake.mark values (?, ?, ?)", rows)
    for table_name, address in found.items():
        followed = connection.execute(
            "select min(version) from lake.mark where name = ?", [table_name]
        ).fetchall()[0][0]
        if followed is not None:
            _register_touched(connection, table_name, address, followed)


def _register_touched(
    connection: duckdb.DuckDBPyConnection, table_name: str, address: Path, since: int
) -> None:
    try:
        changes = changes_since(address, since)
    except LakeError:
        # The log no longer reaches back so far: whoever asks must read everything.
        connection.execute(
            "insert into lake.touched values (?, ?, null)",
            [table_name, delta.version_of(address)],
        )
        return
    rows = [
        (table_name, change.version, partition.get("partition_date"))
        for change in changes
        for partition in change.partitions
    ]
    if rows:
        connection.executemany("insert into lake.touched values (?, ?, ?)", rows)


def _require_same_calendar(settings: Settings, address: Path, year: int | None) -> None:
    """Refuse to mix partitions of two go-live dates in one table."""
    if year is not None and year != settings.daily_from.year:
        raise LakeError(
            Problem(
                str(address),
                f"its days have partitions from {year} on, but SJOSTAD_DAILY_FROM is "
                f"{settings.daily_from}",
                f"Set SJOSTAD_DAILY_FROM to {year}-01-01, or delete silver/ and gold/ in the lake "
                "and run 'sjostad build'.",
            )
        )


def _note_commit(
    cursor: duckdb.DuckDBPyConnection,
    settings: Settings,
    plan: Mapping[str, Any],
    commit: delta.Commit,
) -> None:
    """Let the models after this one see the new version, and what it touched."""
    layer, name = plan["layer"], plan["name"]
    table_name, address = f"{layer}.{name}", tables.model(settings, layer, name)
    known = cursor.execute(
        "select max(version) from lake.upstream where name = ?", [table_name]
    ).fetchall()[0][0]
    cursor.execute("delete from lake.upstream where name = ?", [table_name])
    cursor.execute("insert into lake.upstream values (?, null, ?)", [table_name, commit.version])
    cursor.execute(f"create or replace view {layer}.{name} as from {duck.delta_scan(address)}")
    if commit.written:
        _register_touched(cursor, table_name, address, known or 0)
