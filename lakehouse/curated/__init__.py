"""The curated database: silver and gold as views of one DuckDB file, for analysts.

It holds views and no rows, so it costs the same whatever the tables hold, and each view reads the
files of one exact version. It is replaced whole after each build: readers that have the old file
open keep a consistent lake.

Readings that may never be shared openly are not in it. A model says that it holds such readings
with `meta: {is_restricted: true}`; whatever is made from one is left out as well, unless it says
`is_restricted: false`: that no reading, and nothing about a single device, is left in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import duckdb

from lakehouse import delta, flushing, tables
from lakehouse.delta import data_files
from lakehouse.delta.parquet_views import reading_of
from lakehouse.duck import identifier, literal
from lakehouse.locks import exclusive
from lakehouse.settings import Settings

LAYERS: Final = ("silver", "gold")

_META: Final = """
create schema meta;
create table meta.tables
    (schema_name varchar, table_name varchar, version bigint, "rows" bigint, files bigint);
create table meta.files (path varchar);
"""


@dataclass(frozen=True, slots=True)
class Model:
    """A dbt model, as far as analysts are concerned.

    Attributes:
        unique_id: dbt's id of it.
        layer: `silver` or `gold`.
        name: Its table.
        description: What it is.
        columns: What each column is.
        depends_on: Ids of what it is made from.
        is_restricted: Whether it holds readings that may never be shared openly; None if it says
            nothing, and is what it is made from.
    """

    unique_id: str
    layer: str
    name: str
    description: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    depends_on: frozenset[str] = frozenset()
    is_restricted: bool | None = None

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> Self:
        """A model as dbt's manifest has it."""
        return cls(
            unique_id=node["unique_id"],
            layer=node["schema"],
            name=node["name"],
            description=" ".join(node["description"].split()),
            columns={
                name: " ".join(column["description"].split())
                for name, column in node["columns"].items()
            },
            depends_on=frozenset(node["depends_on"]["nodes"]),
            is_restricted=node["config"]["meta"].get("is_restricted"),
        )


def curated_database(settings: Settings) -> Path:
    """Where the curated database is."""
    return settings.home / "curated.duckdb"


def shared_models(models: Sequence[Model]) -> list[Model]:
    """The models of silver and gold that are neither restricted nor made from one that is.

    A model that says of itself that it is not restricted is none, whatever it is made from.
    """
    held = {model.unique_id for model in models if model.is_restricted}
    while more := {
        model.unique_id
        for model in models
        if model.is_restricted is None and model.unique_id not in held and model.depends_on & held
    }:
        held |= more
    return [model for model in models if model.unique_id not in held and model.layer in LAYERS]


def build_curated_database(
    settings: Settings, models: Sequence[Model], versions: Mapping[str, int]
) -> Path:
    """Replace the curated database by one of these versions.

    Args:
        settings: The lake.
        models: All models that dbt knows.
        versions: The version of each table, by `layer.name`; tables without one are left out.

    Raises:
        Busy: Another process is building it.
        LakeError: A table cannot be read.
    """
    target = curated_database(settings)
    with exclusive(settings, "curated_database"):
        fresh = target.with_name("curated.duckdb.new")
        for left in (fresh, fresh.with_name(f"{fresh.name}.wal")):
            left.unlink(missing_ok=True)
        _write(fresh, settings, shared_models(models), versions)
        flushing.flush(fresh)
        os.replace(fresh, target)
        flushing.flush(target.parent)
    return target


def _write(
    path: Path, settings: Settings, models: Sequence[Model], versions: Mapping[str, int]
) -> None:
    with duckdb.connect(str(path), config={"threads": 1, "memory_limit": "1GB"}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.begin()  # each of a thousand statements would be flushed by itself
        connection.execute(_META)
        for layer in LAYERS:
            connection.execute(f"create schema {layer}")
        for model in models:
            version = versions.get(f"{model.layer}.{model.name}")
            if version is not None:
                _add_view(connection, settings, model, version)
        connection.commit()
        connection.execute("checkpoint")


def _add_view(
    connection: duckdb.DuckDBPyConnection, settings: Settings, model: Model, version: int
) -> None:
    table = delta.open_table(tables.model(settings, model.layer, model.name), version)
    reading, extent = reading_of(connection, table), data_files.extent_of(table)
    view = f"{model.layer}.{identifier(model.name)}"
    connection.execute(f"create view {view} as {reading.query}")
    connection.execute(f"comment on view {view} is {literal(model.description)}")
    for row in connection.execute(f"describe {view}").fetchall():
        if described := model.columns.get(row[0]):
            column = f"{view}.{identifier(row[0])}"
            connection.execute(f"comment on column {column} is {literal(described)}")
    connection.execute(
        "insert into meta.tables values (?, ?, ?, ?, ?)",
        [model.layer, model.name, version, extent.rows, extent.files],
    )
    if reading.files:
        paths = [str(file) for file in reading.files]
        connection.execute("insert into meta.files select unnest(?::varchar[])", [paths])
