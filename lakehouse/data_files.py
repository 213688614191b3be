"""Parquet files that DuckDB writes into a Delta table's folder and reads from it.

DuckDB writes the rows of a query about twice as fast as they could be handed over as Arrow; a
Delta commit then needs the statistics of each file, which readers skip files by. Only those of
whole numbers and times are given: a text may be cut short in them, and a number may be NaN.
Times are widened to whole milliseconds, because that is what the protocol keeps.

Source: Delta protocol, "Per-file Statistics" and "Partition Value Serialization".
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.transaction import AddAction

from lakehouse.duck import identifier, literal
from lakehouse.errors import LakeError, Problem

_MILLISECOND: Final = timedelta(milliseconds=1)
_INSTANT: Final = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a table holds, by its log alone."""

    rows: int
    files: int
    size: int


def extent_of(table: DeltaTable) -> Extent:
    """The rows, files and bytes of a table's version."""
    files = pa.table(table.get_add_actions(flatten=True))
    if not files.num_rows:
        return Extent(0, 0, 0)
    rows, sizes = files["num_records"].to_pylist(), files["size_bytes"].to_pylist()
    return Extent(sum(rows), files.num_rows, sum(sizes))


def write(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    address: Path,
    schema: pa.Schema,
    partition_by: Sequence[str],
) -> list[AddAction]:
    """Write the rows of a query as new files of a table.

    Args:
        connection: What the query reads.
        query: Its columns are some of `schema`, of their types; those it lacks are null.
        address: The table's folder.
        schema: The table's schema.
        partition_by: Columns that the table is partitioned by; the query has them all.

    Returns:
        One action for each file, none when there are no rows. The files are not yet part of
        the table and not yet flushed.

    Raises:
        LakeError: They cannot be written.
    """
    partitions = ", ".join(identifier(name) for name in partition_by)
    target = address if partition_by else address / f"part-{uuid.uuid4()}.parquet"
    options = (
        f"partition_by ({partitions}), filename_pattern 'part-{{uuid}}', overwrite_or_ignore, "
        if partition_by
        else ""
    )
    try:
        written = connection.execute(
            f"""copy ({query}) to {literal(target)} (format parquet, compression zstd,
                parquet_version 'V2', {options}return_stats)"""
        ).fetchall()
    except duckdb.IOException as error:
        raise LakeError(
            Problem(str(address), f"the files cannot be written: {error}", "Free space, run again.")
        ) from error
    for name, rows, *_ in written:
        if not rows:
            Path(name).unlink()
    now = int(time.time() * 1000)
    return [
        AddAction(
            path=os.path.relpath(name, address),
            size=size,
            partition_values=dict(values or {}),
            modification_time=now,
            data_change=True,
            stats=json.dumps(_statistics(rows, columns, schema)),
        )
        for name, rows, size, _, columns, values in written
        if rows
    ]


def scan(
    connection: duckdb.DuckDBPyConnection,
    table: DeltaTable,
    column: str,
    first: datetime,
    last: datetime,
) -> str | None:
    """The SQL that reads the files of a table that may hold times within a range.

    Reads the files themselves, which needs no extension and no second look at the log.

    Args:
        connection: Where the SQL is run; asked which columns the files have.
        table: Without partition columns among those that are asked for, nor deletion vectors.
        column: A time column with statistics.
        first: Start of the range, UTC.
        last: Its end, inclusive.

    Returns:
        A relation with all columns of the table that are no partition columns; None when no
        file can hold such a row.
    """
    files = pa.table(table.get_add_actions(flatten=True))
    low, high = f"min.{column}", f"max.{column}"
    if low in files.column_names:
        # Statistics are kept in milliseconds, and a file without them may hold anything.
        after = pc.greater_equal(_instants(files[high]), pa.scalar(first - _MILLISECOND, _INSTANT))
        before = pc.less_equal(_instants(files[low]), pa.scalar(last + _MILLISECOND, _INSTANT))
        files = files.filter(pc.fill_null(pc.and_(after, before), True))
    if not files.num_rows:
        return None
    root = Path(table.table_uri.removeprefix("file://"))
    paths = ", ".join(literal(root / unquote(path)) for path in files["path"].to_pylist())
    parquet = f"read_parquet([{paths}], union_by_name = true, hive_partitioning = false)"
    there = {row[0] for row in connection.execute(f"describe (from {parquet})").fetchall()}
    columns = ", ".join(
        identifier(name) if name in there else f"null as {identifier(name)}"
        for name in pa.schema(table.schema().to_arrow()).names
        if name not in table.metadata().partition_columns
    )
    return f"(select {columns} from {parquet})"


def _instants(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(_INSTANT)


def _statistics(
    rows: int, columns: Mapping[str, Mapping[str, str]], schema: pa.Schema
) -> dict[str, Any]:
    smallest: dict[str, Any] = {}
    largest: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for quoted, told in columns.items():
        name = quoted.strip('"')
        nulls[name] = int(told["null_count"])
        kind = schema.field(name).type
        if "min" not in told or "max" not in told:
            continue
        if pa.types.is_integer(kind):
            smallest[name], largest[name] = int(told["min"]), int(told["max"])
        elif pa.types.is_timestamp(kind):
            smallest[name] = _whole(told["min"], up=False)
            largest[name] = _whole(told["max"], up=True)
    return {
        "numRecords": rows,
        "minValues": smallest,
        "maxValues": largest,
        "nullCount": nulls | {name: rows for name in schema.names if name not in nulls},
    }


def _whole(text: str, *, up: bool) -> str:
    """An instant as DuckDB writes it, at the whole millisecond below or above it."""
    instant = datetime.fromisoformat(text).astimezone(UTC)
    below = instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    edge = below + _MILLISECOND if up and below < instant else below
    return edge.strftime("%Y-%m-%dT%H:%M:%S.") + f"{edge.microsecond // 1000:03d}Z"
