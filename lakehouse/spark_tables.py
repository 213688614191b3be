"""What a Spark engine must be told so that dbt can build silver and gold there.

Spark reads the same Delta tables where they lie: bronze and reference. Only their names have to be
given to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa

from lakehouse import tables
from lakehouse.contracts import Contracts
from lakehouse.settings import Settings

_TYPES: Final[Mapping[pa.DataType, str]] = {
    pa.string(): "string",
    pa.float64(): "double",
    pa.int64(): "bigint",
    pa.date32(): "date",
    tables.INSTANT: "timestamp",
}


def statements(
    settings: Settings, contracts: Contracts, root: str | None = None, built: Path | None = None
) -> Iterator[str]:
    """SQL that names bronze and the reference tables in Spark, to be run in this order.

    Args:
        settings: The lake.
        contracts: Its sources; those that have delivered nothing yet have no table.
        root: Where the engine finds the lake, such as `abfss://lake@account.dfs.core.windows.net`,
            if it is another place than here.
        built: Where Spark's silver and gold lie, if they are on this machine: an engine that
            forgets tables with the session can build upon them only if they are named as well.
    """
    lake = root.rstrip("/") if root else settings.lake.absolute().as_uri()
    yield "create schema if not exists bronze"
    yield "create schema if not exists reference"
    yield "create schema if not exists operations"
    there = [name.split(".") for name in tables.every(settings) if "." in name]
    delivered = [name for layer, name in there if layer == "bronze" and name in contracts.sources]
    yield from (_table("reference", name, lake) for layer, name in there if layer == "reference")
    yield from (_table("bronze", source_id, lake) for source_id in delivered)
    if "operations.metering" in tables.every(settings):
        yield _table("operations", "metering", lake)
    else:
        yield f"create or replace view operations.metering as {_nothing(tables.METERING)}"
    if built is not None:
        for layer in ("silver", "gold"):
            yield f"create schema if not exists {layer}"
            for log in sorted(built.glob(f"{layer}/*/_delta_log")):
                yield _table(layer, log.parent.name, built.absolute().as_uri())
    yield f"create or replace view bronze.telemetry as {' union all '.join(_rows(delivered))}"


def _table(layer: str, name: str, lake: str) -> str:
    place = f"{lake}/{layer}/{name}".replace("'", "\\'")
    return f"create table if not exists {layer}.`{name}` using delta location '{place}'"


def _rows(source_ids: list[str]) -> Iterator[str]:
    yield _nothing(pa.schema([pa.field("source_id", pa.string()), *tables.TELEMETRY]))
    names = ", ".join(tables.TELEMETRY.names)
    for source_id in source_ids:
        yield f"select '{source_id}' as source_id, {names} from bronze.`{source_id}`"


def _nothing(schema: pa.Schema) -> str:
    """A query without rows that has the columns of a table."""
    columns = (f"cast(null as {_TYPES[column.type]}) as {column.name}" for column in schema)
    return f"select {', '.join(columns)} where false"
