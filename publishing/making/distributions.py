"""A product's rows as files: Parquet straight from the Delta version, CSV from that Parquet.

The CSV is the canonical raw form (RFC 4180, UTF-8): instants in UTC as ISO 8601 with Z, decimal
point, nothing for null and `""` for an empty text. Spreadsheet programs may read formulas into
it; it is not altered for them, because a value must survive the way there and back.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse import duck, tables
from lakehouse.contracts.product import ProductColumn, ProductContract
from lakehouse.errors import Problem, ReleaseRefused

_BATCH_ROWS = 100_000
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


@dataclass(frozen=True, slots=True)
class ReleasedType:
    """How a logical type of a contract is released.

    Attributes:
        arrow: Type in Parquet.
        sql: Type that the column is cast to.
        accepts: DuckDB types of a gold model that mean the same; others are refused, because a
            silent cast could change the values that were audited.
    """

    arrow: pa.DataType
    sql: str
    accepts: tuple[str, ...]


TYPES: Final = {
    "string": ReleasedType(pa.string(), "VARCHAR", ("VARCHAR",)),
    "integer": ReleasedType(pa.int64(), "BIGINT", (*_WHOLE, "HUGEINT")),
    "number": ReleasedType(pa.float64(), "DOUBLE", ("FLOAT", "DOUBLE", "DECIMAL", *_WHOLE)),
    "boolean": ReleasedType(pa.bool_(), "BOOLEAN", ("BOOLEAN",)),
    "date": ReleasedType(pa.date32(), "DATE", ("DATE",)),
    "timestamp": ReleasedType(tables.INSTANT, "TIMESTAMPTZ", ("TIMESTAMP",)),
}


@dataclass(frozen=True, slots=True)
class Extent:
    """How much was written: rows in every file, and the first and last time in them."""

    rows: int
    period: tuple[str, str] | None


def write_distributions(
    contract: ProductContract, address: Path, version: int, folder: Path
) -> Extent:
    """Write `<product>.parquet` and `<product>.csv` of one Delta version into a folder.

    Args:
        contract: Says which columns, in which order, and the key to sort by.
        address: The gold table.
        version: The audited version.
        folder: Staging folder; must exist.

    Raises:
        ReleaseRefused: A column is missing or of another type, or the files and the table do
            not hold the same number of rows.
    """
    source = duck.delta_scan(address, version)
    parquet, text = folder / f"{contract.id}.parquet", folder / f"{contract.id}.csv"
    spill = folder / ".spill"
    connection = duck.connect()
    try:
        # A sort larger than memory goes to disk beside the release, not to the working folder.
        connection.execute(f"set temp_directory = {duck.literal(spill)}")
        found = _types(connection, source)
        problems = list(_mismatches(contract, found, address))
        if problems:
            raise ReleaseRefused(*problems)
        _write_parquet(connection, _selection(contract, found, source), contract, parquet)
        _write_csv(connection, contract, parquet, text)
        expected = _number(connection, f"select count(*) from {source}")
        period = _period(connection, contract, parquet)
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)
    counts = {"Delta": expected, "Parquet": parquet_rows(parquet), "CSV": csv_rows(text)}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} has {rows}" for name, rows in counts.items())
        raise ReleaseRefused(
            Problem(f"{contract.id} at version {version}", f"rows differ: {told}", "Report this.")
        )
    return Extent(expected, period)


def parquet_rows(path: Path) -> int:
    """Number of rows that a Parquet file says it holds."""
    return int(pq.read_metadata(path).num_rows)


def csv_rows(path: Path) -> int:
    """Number of records in a CSV file after its header, read by another parser than wrote it."""
    csv.field_size_limit(2**31 - 1)
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file, strict=True)) - 1


def _types(connection: duckdb.DuckDBPyConnection, source: str) -> dict[str, str]:
    rows = connection.execute(f"describe select * from {source}").fetchall()
    return {str(name): str(kind) for name, kind, *_ in rows}


def _mismatches(
    contract: ProductContract, found: dict[str, str], address: Path
) -> Iterable[Problem]:
    for column in contract.columns:
        place = f"{address}, column {column.name}"
        actual, released = found.get(column.name), TYPES.get(column.logical_type)
        if released is None:
            yield Problem(
                f"{contract.path}: {column.name}",
                f"logicalType '{column.logical_type}' cannot be released",
                f"Use one of: {', '.join(TYPES)}.",
            )
        elif actual is None:
            yield Problem(
                place, "the gold model lacks a promised column", "Add it to the model's SQL."
            )
        elif not actual.startswith(released.accepts):
            yield Problem(
                place,
                f"it is {actual}, but the contract says {column.logical_type}",
                "Cast it in the model's SQL, or correct the contract.",
            )


def _selection(contract: ProductContract, found: dict[str, str], source: str) -> str:
    columns = ", ".join(_cast(column, found[column.name]) for column in contract.columns)
    # The other columns follow the key, so that the order is total even if the key were not.
    rest = [column.name for column in contract.columns if not column.is_key]
    order = ", ".join(f"{duck.identifier(name)} nulls first" for name in (*contract.key, *rest))
    return f"select {columns} from {source} order by {order}"


def _cast(column: ProductColumn, actual: str) -> str:
    name = duck.identifier(column.name)
    if column.logical_type == "timestamp" and actual != "TIMESTAMP WITH TIME ZONE":
        return f"{name} at time zone 'UTC' as {name}"  # gold models hold UTC
    return f"cast({name} as {TYPES[column.logical_type].sql}) as {name}"


def _write_parquet(
    connection: duckdb.DuckDBPyConnection, sql: str, contract: ProductContract, path: Path
) -> None:
    schema = pa.schema(
        [
            pa.field(column.name, TYPES[column.logical_type].arrow, nullable=not column.is_key)
            for column in contract.columns
        ]
    )
    reader = connection.execute(sql).to_arrow_reader(_BATCH_ROWS)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in reader:
            table = pa.Table.from_batches([batch])
            try:
                writer.write_table(table.cast(schema), row_group_size=_BATCH_ROWS)
            except (ValueError, pa.ArrowInvalid) as error:
                raise ReleaseRefused(
                    Problem(contract.id, f"rows break the contract: {error}", "Mend the model.")
                ) from error


def _write_csv(
    connection: duckdb.DuckDBPyConnection, contract: ProductContract, parquet: Path, path: Path
) -> None:
    columns = ", ".join(_as_text(column) for column in contract.columns)
    connection.execute(
        f"copy (select {columns} from read_parquet({duck.literal(parquet)})) "
        f"to {duck.literal(path)} (format csv, header, new_line '\\r\\n')"
    )


def _as_text(column: ProductColumn) -> str:
    name = duck.identifier(column.name)
    return f"{_instant(name)} as {name}" if column.logical_type == "timestamp" else name


def _instant(sql: str) -> str:
    """SQL that writes an instant as ISO 8601 with Z, with a fraction only where there is one."""
    wall = f"({sql} at time zone 'UTC')"
    return (
        f"case when date_trunc('second', {wall}) = {wall} "
        f"then strftime({wall}, '%Y-%m-%dT%H:%M:%SZ') "
        f"else strftime({wall}, '%Y-%m-%dT%H:%M:%S.%fZ') end"
    )


def _period(
    connection: duckdb.DuckDBPyConnection, contract: ProductContract, parquet: Path
) -> tuple[str, str] | None:
    name = contract.publication.time_column
    kind = next(column.logical_type for column in contract.columns if column.name == name)
    quoted = duck.identifier(name)
    ends = (f"min({quoted})", f"max({quoted})")
    told = ", ".join(_instant(end) if kind == "timestamp" else f"{end}::varchar" for end in ends)
    row = connection.execute(f"select {told} from read_parquet({duck.literal(parquet)})").fetchone()
    return (str(row[0]), str(row[1])) if row and row[0] is not None else None


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row else 0
