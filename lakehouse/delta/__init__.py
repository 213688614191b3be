"""The one way a Delta table is written.

A commit carries its own proof of identity: named marks (Delta application transactions) that
say which delivery, cursor or upstream version it covers. Delta stores such marks but does not
enforce them, so they are compared here, on the very `DeltaTable` object that is then written
through: two writers racing with the same mark end in one commit and one conflict.

delta-rs does not flush to disk. On a local disk every new file, the log entry and their
folders are flushed here before a commit is reported.

Source: Delta protocol, "Transaction Identifiers".
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction

from lakehouse.delta import data_files, transaction_log
from lakehouse.errors import LakeConflict, LakeError, Problem

Marks = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Commit:
    """The outcome of a write: the table's version, and whether this call wrote it."""

    version: int
    written: bool


def exists(address: Path) -> bool:
    """Whether there is a Delta table at an address."""
    return transaction_log.folder(address).is_dir() and DeltaTable.is_deltatable(str(address))


def open_table(address: Path, version: int | None = None) -> DeltaTable:
    """Open a Delta table.

    Raises:
        LakeError: There is no readable table at the address, or its log entry is empty.
    """
    try:
        table = DeltaTable(str(address), version=version)
    except (TableNotFoundError, DeltaError) as error:
        raise LakeError(
            Problem(str(address), f"no readable Delta table: {error}", "Run 'sjostad doctor'.")
        ) from error
    # delta-rs takes an empty entry, which a power cut can leave, for a commit without rows.
    entry = transaction_log.entry(address, table.version())
    if entry.is_file() and entry.stat().st_size == 0:
        raise transaction_log.empty(entry)
    return table


def version_of(address: Path) -> int | None:
    """The newest version of a table, by its log; None when there is no table.

    Raises:
        LakeError: The newest entry of its log is empty or torn.
    """
    found = transaction_log.newest(address)
    if found is None and exists(address):  # nothing but a checkpoint is left of its log
        return open_table(address).version()
    return found


def marks_of(address: Path, names: Iterable[str]) -> dict[str, int]:
    """The newest version of each of these marks that a table carries."""
    version = version_of(address)
    return {} if version is None else transaction_log.marks(address, version, frozenset(names))


def mark_of(address: Path, name: str) -> int:
    """The highest version a mark has in a table; 0 when it has none."""
    return marks_of(address, [name]).get(name, 0)


def marked(address: Path, names: Iterable[str]) -> set[str]:
    """Which of these marks a table carries."""
    return set(marks_of(address, names))


def append(
    address: Path,
    data: pa.Table | pa.RecordBatchReader,
    schema: pa.Schema,
    *,
    marks: Marks,
    note: Mapping[str, str] | None = None,
    description: str = "",
) -> Commit:
    """Add rows to a table, once.

    Args:
        address: The table; made with `schema` if it does not exist.
        data: Rows in exactly `schema`.
        schema: Explicit schema of the table.
        marks: Marks of this commit; if the table has them all already, nothing is written.
        note: Extra facts kept in the commit, such as the ledger.
        description: Description of a new table.

    Raises:
        LakeConflict: Another writer moved a mark; read again and recompute.
    """

    def commit(table: DeltaTable, properties: CommitProperties) -> None:
        write_deltalake(table, data, mode="append", commit_properties=properties)

    return _write(address, schema, commit, (), marks, note, description)


def append_query(
    address: Path,
    connection: duckdb.DuckDBPyConnection,
    query: str,
    schema: pa.Schema,
    *,
    partition_by: Sequence[str] = (),
    marks: Marks,
    note: Mapping[str, str] | None = None,
    description: str = "",
) -> Commit:
    """Add the rows of a DuckDB query to a table, once; the fast way for many rows.

    Args:
        address: The table; made with `schema` if it does not exist.
        connection: What the query reads.
        query: Its columns are some of `schema`, of their types; those it lacks are null.
        schema: Explicit schema of the table.
        partition_by: Partition columns of a new table.
        marks: Marks of this commit; if the table has them all already, nothing is written.
        note: Extra facts kept in the commit, such as the ledger.
        description: Description of a new table.

    Raises:
        LakeConflict: Another writer moved a mark; read again and recompute.
    """
    commit = _of_query(address, connection, query, schema, partition_by, "append")
    return _write(address, schema, commit, partition_by, marks, note, description)


def replace_query(
    address: Path,
    connection: duckdb.DuckDBPyConnection,
    query: str,
    schema: pa.Schema,
    *,
    partition_by: Sequence[str] = (),
    since: Marks,
    marks: Marks,
    note: Mapping[str, str] | None = None,
) -> Commit:
    """Replace all rows of a table by those of a DuckDB query, in one commit.

    Args:
        address: The table; it exists.
        connection: What the query reads.
        query: As for `append_query`.
        schema: Explicit schema of the table.
        partition_by: The table's partition columns.
        since: Marks as they stood when the query was made up: what came after them is not in it.
        marks: Marks of this commit, among them those of `since`, moved on.
        note: Extra facts kept in the commit.

    Raises:
        LakeConflict: Another writer moved a mark; read again and recompute.
    """
    replace_all = _of_query(address, connection, query, schema, partition_by, "overwrite")

    def commit(table: DeltaTable, properties: CommitProperties) -> None:
        # On the very table that is written through: what comes after it is a conflict of marks.
        held = transaction_log.marks(address, table.version(), since.keys())
        moved = [name for name in since if held.get(name, 0) != since[name]]
        if moved:
            raise LakeConflict(
                Problem(str(address), f"another writer moved {', '.join(moved)}", "Read it again.")
            )
        replace_all(table, properties)

    return _write(address, schema, commit, partition_by, marks, note, "")


def replace_files(
    address: Path,
    files: Sequence[AddAction],
    schema: pa.Schema,
    *,
    partition_by: Sequence[str] = (),
    partitions: Sequence[str] | None = None,
    marks: Marks,
    note: Mapping[str, str] | None = None,
    description: str = "",
) -> Commit:
    """Replace a table's rows, or exactly those of some partitions, by files that are there already.

    Who replaces all rows may also bring other columns.

    Args:
        address: The table; made with `schema` if it does not exist.
        files: As `data_files.write` gives them.
        schema: Explicit schema of the table.
        partition_by: Partition columns of a new table.
        partitions: Values of the only partition column; None replaces everything.
        marks: Marks of this commit.
        note: Extra facts kept in the commit.
        description: Description of a new table.

    Raises:
        LakeConflict: Another writer moved a mark; read again and recompute.
        LakeError: A file is of another partition; nothing is written.
    """
    told = {file.partition_values[partition_by[0]] for file in files} if partitions else set()
    if stray := told.difference(partitions or ()):
        why = f"rows of {stray} are to replace those of {partitions}"
        raise LakeError(Problem(str(address), why, "This is an error of ours: report it."))

    def commit(table: DeltaTable, properties: CommitProperties) -> None:
        _commit_files(
            address, table, files, "overwrite", schema, partition_by, properties, partitions
        )

    return _write(address, schema, commit, partition_by, marks, note, description)


def _of_query(
    address: Path,
    connection: duckdb.DuckDBPyConnection,
    query: str,
    schema: pa.Schema,
    partition_by: Sequence[str],
    mode: str,
) -> Callable[[DeltaTable, CommitProperties], None]:
    """The commit of files that DuckDB writes."""

    def commit(table: DeltaTable, properties: CommitProperties) -> None:
        files = data_files.write(connection, query, address, schema, partition_by)
        _commit_files(address, table, files, mode, schema, partition_by, properties)

    return commit


def _commit_files(
    address: Path,
    table: DeltaTable,
    files: Sequence[AddAction],
    mode: str,
    schema: pa.Schema,
    partition_by: Sequence[str],
    properties: CommitProperties,
    partitions: Sequence[str] | None = None,
) -> None:
    only = None if partitions is None else [(partition_by[0], "in", [*partitions])]
    if mode == "overwrite":
        # Tried again by the library it would keep what a rearrangement put there meanwhile.
        properties.max_commit_retries = 0
    try:
        table.create_write_transaction(
            [*files], mode, schema, [*partition_by] or None, only, commit_properties=properties
        )
    except CommitFailedError:  # somebody else's commit: nothing will ever name these files
        for file in files:
            (address / file.path).unlink()
        raise
    table.update_incremental()  # else it stands at the version before: nothing is flushed


def replace(
    address: Path,
    data: pa.Table | pa.RecordBatchReader,
    schema: pa.Schema,
    *,
    partition_by: Sequence[str] = (),
    marks: Marks | None = None,
    note: Mapping[str, str] | None = None,
    description: str = "",
) -> Commit:
    """Replace all rows of a table, and its columns if the new rows have others.

    Args:
        address: The table; made with `schema` if it does not exist.
        data: The new rows.
        schema: Explicit schema of the table.
        partition_by: Partition columns of a new table.
        marks: Marks of this commit.
        note: Extra facts kept in the commit.
        description: Description of a new table.

    Raises:
        LakeConflict: Another writer moved a mark; read again and recompute.
    """

    def commit(table: DeltaTable, properties: CommitProperties) -> None:
        write_deltalake(
            table,
            data,
            mode="overwrite",
            schema_mode="overwrite",
            commit_properties=properties,
        )

    return _write(address, schema, commit, partition_by, marks or {}, note, description)


def note_of(address: Path, version: int) -> dict[str, Any]:
    """The facts a commit was written with (its `commitInfo`)."""
    note: dict[str, Any] = {}
    for action in transaction_log.read_entry(address, version):
        note |= action.get("commitInfo", {})
    return note


def _write(
    address: Path,
    schema: pa.Schema,
    commit: Callable[[DeltaTable, CommitProperties], None],
    partition_by: Sequence[str],
    marks: Marks,
    note: Mapping[str, str] | None,
    description: str,
) -> Commit:
    table = _open_or_create(address, schema, partition_by, description)
    if _is_done(address, table, marks):
        return Commit(table.version(), written=False)
    before = table.version()
    try:
        commit(
            table,
            CommitProperties(
                custom_metadata=dict(note or {}),
                app_transactions=[Transaction(name, value) for name, value in marks.items()],
            ),
        )
    except CommitFailedError as error:
        after = open_table(address)
        if marks and _is_done(address, after, marks):
            return Commit(after.version(), written=False)
        raise LakeConflict(
            Problem(str(address), f"another writer was first: {error}", "Read again and retry.")
        ) from error
    except (DeltaError, OSError) as error:
        # The outcome is unknown: only the log can say whether the commit is there.
        after = open_table(address)
        if not (marks and _is_done(address, after, marks)):
            raise LakeError(
                Problem(str(address), f"the commit failed: {error}", "Free space, then run again.")
            ) from error
        table = after
    for number in range(before + 1, table.version() + 1):
        transaction_log.flush_commit(address, number)
    return Commit(table.version(), written=True)


def _is_done(address: Path, table: DeltaTable, marks: Marks) -> bool:
    held = transaction_log.marks(address, table.version(), marks.keys())
    reached = {name: held.get(name, 0) >= marks[name] for name in marks}
    if marks and all(reached.values()):
        return True
    if any(reached.values()):
        moved = ", ".join(sorted(name for name, done in reached.items() if done))
        raise LakeConflict(
            Problem(table.table_uri, f"another writer moved {moved}", "Read again and retry.")
        )
    return False


def _open_or_create(
    address: Path, schema: pa.Schema, partition_by: Sequence[str], description: str
) -> DeltaTable:
    if exists(address):
        return open_table(address)
    # Made elsewhere, then its first log entry put in place if there is none: of two processes one
    # is first, and neither sees a table that the other is still making.
    transaction_log.folder(address).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{address.name}.", dir=address.parent) as beside:
        DeltaTable.create(
            beside,
            schema=schema,
            partition_by=list(partition_by),
            name=address.name,
            description=description,
        )
        with contextlib.suppress(FileExistsError):
            os.link(transaction_log.entry(Path(beside), 0), transaction_log.entry(address, 0))
    transaction_log.flush_commit(address, 0)
    return open_table(address)
