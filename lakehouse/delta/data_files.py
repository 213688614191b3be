"""Parquet files that DuckDB writes into a Delta table's folder and reads from it.

DuckDB writes the rows of a query about twice as fast as they could be handed over as Arrow; a
Delta commit then needs the statistics of each file, which readers skip files by. Bounds are those
that DuckDB tells, or wider: times are widened to whole milliseconds, which is what the protocol
keeps, and where DuckDB tells none of a text they are those of all texts.

Source: Delta protocol, "Per-file Statistics" and "Partition Value Serialization".
"""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
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


Partition = dict[str, str | None]
"""The values of partition columns, as texts."""


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


def paths_of(table: DeltaTable, names: Sequence[str]) -> list[Path]:
    """Where files of a table are, by the names its log has for them; both are URL-encoded."""
    root = Path(unquote(table.table_uri.removeprefix("file://")))
    return [root / unquote(name) for name in names]


def names_of(table: DeltaTable) -> set[str]:
    """The files of a table's version, by their paths in its folder."""
    return {unquote(path) for path in pa.table(table.get_add_actions())["path"].to_pylist()}


def write(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    address: Path,
    schema: pa.Schema,
    partition_by: Sequence[str],
    known: Partition | None = None,
) -> list[AddAction]:
    """Write the rows of a query as new files of a table.

    Args:
        connection: What the query reads.
        query: Its columns are some of `schema`, of their types; those it lacks are null.
        address: The table's folder.
        schema: The table's schema.
        partition_by: Columns that the table is partitioned by; the query has them all.
        known: The partition of all rows, if that is known: the query is then run once only.

    Returns:
        One action for each file, none when there are no rows. The files are not yet part of
        the table and not yet flushed.

    Raises:
        LakeError: They cannot be written.
    """
    written = []
    try:
        for copy, partition in _copies(connection, query, address, partition_by, known):
            for name, rows, size, _, columns, values in connection.execute(copy).fetchall():
                told = _statistics(rows, columns, schema, partition_by)
                written.append((Path(name), rows, size, told, partition or dict(values or {})))
    except duckdb.IOException as error:
        raise LakeError(
            Problem(str(address), f"the files cannot be written: {error}", "Free space, run again.")
        ) from error
    now = int(time.time() * 1000)
    actions = []
    for path, rows, size, told, partition in written:
        if not rows:
            path.unlink()
            continue
        actions.append(
            AddAction(
                path=os.path.relpath(path, address),
                size=size,
                partition_values=partition,
                modification_time=now,
                data_change=True,
                # deltalake 1.6.6 misreads an escaped U+10FFFF
                stats=json.dumps(told, ensure_ascii=False),
            )
        )
    return actions


_FEW: Final = 4
"""Up to so many partitions are written one by one, which is faster than sorting rows into them."""


def _copies(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    address: Path,
    partition_by: Sequence[str],
    known: Partition | None,
) -> Iterator[tuple[str, Partition]]:
    """Statements that write the rows of a query, and the partition if it is one for all of them."""
    options = "format parquet, compression zstd, parquet_version 'V2', return_stats"
    columns = ", ".join(identifier(name) for name in partition_by)
    for partition in [known] if known else _partitions(connection, query, partition_by):
        if partition is None:
            yield (
                f"""copy ({query}) to {literal(address)} ({options}, partition_by ({columns}),
                filename_pattern 'part-{{uuid}}', overwrite_or_ignore)""",
                {},
            )
            return
        folder = address.joinpath(
            *(f"{name}={re.sub('[^0-9A-Za-z-]', '_', value or '')}"
              for name, value in partition.items())
        )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        conditions = [
            f"{identifier(name)} " + ("is null" if value is None else f"= {literal(value)}")
            for name, value in partition.items()
        ]
        rows = f"* exclude ({columns})" if columns else "*"
        yield (
            f"""copy (select {rows} from ({query}) where {" and ".join(conditions) or "true"})
            to {literal(folder / f"part-{uuid.uuid4()}.parquet")} ({options})""",
            partition,
        )


def _partitions(
    connection: duckdb.DuckDBPyConnection, query: str, partition_by: Sequence[str]
) -> list[Partition | None]:
    """The partitions of a query's rows; only None if they are many."""
    if not partition_by:
        return [{}]
    names = [identifier(name) for name in partition_by]
    ends = ", ".join(
        f"case when count({name}) = count(*) then [min({name}), max({name})]::varchar[] end"
        for name in names
    )
    one = connection.execute(f"select {ends} from ({query})").fetchall()[0]
    if all(values and values[0] == values[1] for values in one):
        return [{name: values[0] for name, values in zip(partition_by, one, strict=True)}]
    texts = ", ".join(f"{name}::varchar" for name in names)
    found = connection.execute(f"select distinct {texts} from ({query}) limit {_FEW + 1}")
    partitions = [dict(zip(partition_by, values, strict=True)) for values in found.fetchall()]
    return [None] if len(partitions) > _FEW else [*partitions]


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
    return _relation(connection, table, files)


def whole(connection: duckdb.DuckDBPyConnection, table: DeltaTable) -> str | None:
    """The SQL that reads all files of a table; None when it has none.

    Args:
        connection: Where the SQL is run; asked which columns the files have.
        table: As for `scan`.
    """
    files = pa.table(table.get_add_actions(flatten=True))
    return _relation(connection, table, files) if files.num_rows else None


def rows_where(table: DeltaTable, column: str, value: str, columns: Sequence[str]) -> pa.Table:
    """The rows of a table in which a text column has a value.

    Only files whose statistics allow for it are read. delta-rs would make an expression of every
    statistic of every file first, which takes longer than reading a small file.

    Args:
        table: Without partition columns among those that are asked for, nor deletion vectors.
        column: A text column.
        value: What it must be.
        columns: What is wanted of the rows.
    """
    import pyarrow.dataset as pads

    files = pa.table(table.get_add_actions(flatten=True))
    if f"min.{column}" in files.column_names:
        low, high = files[f"min.{column}"].to_pylist(), files[f"max.{column}"].to_pylist()
        may_hold = [
            least is None or most is None or least <= value <= most
            for least, most in zip(low, high, strict=True)
        ]
        files = files.filter(pa.array(may_hold, pa.bool_()))
    schema = pa.schema(table.schema().to_arrow())
    if not files.num_rows:
        return schema.empty_table().select([*columns])
    wanted = pa.schema([schema.field(name) for name in dict.fromkeys([*columns, column])])
    paths = [str(path) for path in paths_of(table, files["path"].to_pylist())]
    files_there = pads.dataset(paths, schema=wanted, format="parquet")
    return files_there.to_table(columns=[*columns], filter=pads.field(column) == value)


def _relation(connection: duckdb.DuckDBPyConnection, table: DeltaTable, files: pa.Table) -> str:
    """A relation over some files of a table; columns that no file has are null."""
    paths = ", ".join(map(literal, paths_of(table, files["path"].to_pylist())))
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
    rows: int,
    columns: Mapping[str, Mapping[str, str]],
    schema: pa.Schema,
    partition_by: Sequence[str],
) -> dict[str, Any]:
    """What the log says of a file, from what DuckDB returned of it.

    Every plain column has bounds, if its numbers are finite: deltalake's pyarrow reader takes one
    without, in a file that has some, for a column that no value is in, and finds nothing by it.
    """
    nulls: dict[str, int] = {}
    bounds: dict[str, tuple[Any, Any]] = {}
    untold = {*partition_by}
    for quoted, told in columns.items():
        name, *inner = quoted.strip('"').split('"."')
        if inner:  # a list or a struct: its parts are told, and say little of it
            untold.add(name)
            continue
        nulls[name] = int(told["null_count"])
        both = _bounds(told, schema.field(name).type)
        if both and nulls[name] < rows:
            bounds[name] = both
    return {
        "numRecords": rows,
        "minValues": {name: least for name, (least, _) in bounds.items()},
        "maxValues": {name: most for name, (_, most) in bounds.items()},
        "nullCount": nulls
        | {name: rows for name in schema.names if name not in untold.union(nulls)},
    }


_ANY_TEXT: Final = ("", "\U0010ffff")
"""Between these is every text: DuckDB tells no bounds of long ones and of ENUMs."""


def _bounds(told: Mapping[str, str], kind: pa.DataType) -> tuple[Any, Any] | None:
    """The bounds of a column in a file; wider ones than it has are right, narrower are not."""
    least, most = told.get("min"), told.get("max")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _ANY_TEXT if least is None or most is None else (least, most)
    if least is None or most is None or (pa.types.is_floating(kind) and _is_endless(told)):
        return None
    if pa.types.is_timestamp(kind):
        return _whole(least, up=False), _whole(most, up=True)
    read = _READ.get(str(kind))
    return (read(least), read(most)) if read else None


_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    **dict.fromkeys(("int8", "int16", "int32", "int64"), int),
    **dict.fromkeys(("float", "double"), float),
    "bool": lambda text: text in ("1", "true"),
    "date32[day]": str,
}
"""How DuckDB writes the bounds of a column, by its Arrow type."""


def _is_endless(told: Mapping[str, str]) -> bool:
    """Whether a column holds what JSON has no number for."""
    ends = (float(told["min"]), float(told["max"]))
    return told.get("has_nan") == "true" or not all(map(isfinite, ends))


def _whole(text: str, *, up: bool) -> str:
    """An instant as DuckDB writes it, at the whole millisecond below or above it."""
    instant = datetime.fromisoformat(text).astimezone(UTC)
    below = instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    edge = below + _MILLISECOND if up and below < instant else below
    return edge.strftime("%Y-%m-%dT%H:%M:%S.") + f"{edge.microsecond // 1000:03d}Z"
