"""SQL that reads one exact version of a Delta table from its Parquet files, without any extension.

What Excel, BI tools and DBeaver have is a plain DuckDB. Columns are read by name, in the table's
types: those that a file lacks are null in its rows, and no file is opened to find that out.
Partition columns stand in the names of folders; a condition on one of them leaves out the files of
the others, because it is told by `filename`.

Source: DuckDB manual, "Parquet Tips" (`schema`) and "Hive Partitioning"; Delta protocol,
"Partition Value Serialization".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from lakehouse.delta import data_files
from lakehouse.duck import identifier, literal
from lakehouse.errors import LakeError, Problem

_NO_VALUE: Final = "__HIVE_DEFAULT_PARTITION__"
_UNREADABLE: Final = frozenset({"deletionVectors", "columnMapping"})


@dataclass(frozen=True, slots=True)
class Reading:
    """How a version of a table is read.

    Attributes:
        query: A SELECT with the table's columns, in its order and types.
        files: The files it reads, and no other.
    """

    query: str
    files: tuple[Path, ...]


def reading_of(connection: duckdb.DuckDBPyConnection, table: DeltaTable) -> Reading:
    """The SELECT that gives the rows of a table's version.

    Args:
        connection: Asked how DuckDB names types; nothing is left in it.
        table: Opened at the version.

    Raises:
        LakeError: Its files alone do not tell its rows.
    """
    features = frozenset(table.protocol().reader_features or ())
    if table.protocol().min_reader_version == 2 or features & _UNREADABLE:
        raise _untold(table, "it uses deletion vectors or column mapping")
    types = _types(connection, table)
    actions = pa.table(table.get_add_actions(flatten=True))
    if not actions.num_rows:
        nothing = ", ".join(f"null::{kind} as {identifier(name)}" for name, kind in types.items())
        return Reading(f"select {nothing} where false", ())
    files = data_files.paths_of(table, actions["path"].to_pylist())
    partitions = table.metadata().partition_columns
    file_name = "filename" if "filename" not in types else "_sjostad_filename"
    told = _told_by_folders(types, partitions, file_name)
    _require_true(connection, table, actions, files, told, file_name)
    schema = ", ".join(
        f"{literal(name)}: {{name: {literal(name)}, type: {literal(kind)}, default_value: null}}"
        for name, kind in types.items()
        if name not in told
    )
    columns = ", ".join(
        f"{told[name]} as {identifier(name)}" if name in told else identifier(name)
        for name in types
    )
    paths = ", ".join(map(literal, files))
    query = (
        f"select {columns} from read_parquet([{paths}], schema = map {{{schema}}}, "
        f"filename = {literal(file_name)}, hive_partitioning = false)"
    )
    return Reading(query, tuple(files))


def _types(connection: duckdb.DuckDBPyConnection, table: DeltaTable) -> dict[str, str]:
    """The table's columns in order, with DuckDB's names of their types."""
    connection.register("shape", pa.schema(table.schema().to_arrow()).empty_table())
    try:
        found = connection.execute("describe shape").fetchall()
    finally:
        connection.unregister("shape")
    return {str(row[0]): str(row[1]) for row in found}


def _told_by_folders(
    types: Mapping[str, str], partitions: Sequence[str], file_name: str
) -> dict[str, str]:
    """For each partition column, the expression that takes its value from a file's name.

    To Delta an empty text is none.
    """
    pattern = "".join(f"/{re.escape(name)}=([^/]*)" for name in partitions) + "/[^/]*$"
    return {
        name: f"cast(url_decode(nullif(nullif(regexp_extract({identifier(file_name)}, "
        f"{literal(pattern)}, {number}), {literal(_NO_VALUE)}), '')) as {types[name]})"
        for number, name in enumerate(partitions, start=1)
    }


def _require_true(
    connection: duckdb.DuckDBPyConnection,
    table: DeltaTable,
    actions: pa.Table,
    files: Sequence[Path],
    told: Mapping[str, str],
    file_name: str,
) -> None:
    """Refuse a table whose folders tell other partition values than its log does."""
    if not told:
        return
    logged = {name: actions[f"partition.{name}"] for name in told}
    connection.register("logged", pa.table({file_name: list(map(str, files)), **logged}))
    differ = " or ".join(
        f"{expression} is distinct from {identifier(name)}" for name, expression in told.items()
    )
    try:
        found = connection.execute(f"select count(*) from logged where {differ}").fetchall()
        is_true = found[0][0] == 0
    except duckdb.ConversionException:
        is_true = False
    finally:
        connection.unregister("logged")
    if not is_true:
        raise _untold(table, "its folders are not named for its partitions")


def _untold(table: DeltaTable, why: str) -> LakeError:
    return LakeError(
        Problem(
            table.table_uri,
            f"its Parquet files alone do not tell its rows: {why}",
            "Remove the table and run 'sjostad build'.",
        )
    )
