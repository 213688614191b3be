"""Taking rows out of a Delta table so that nothing tells of them: not an old file, not the log.

A delete alone leaves what it deleted: in the files of the version before, and in the log, whose
statistics have the least and the greatest device of every file that was ever added. So it is done
in two steps. `take_out` writes the files that hold such rows anew without them, counts what it
wrote, and commits. `forget` sums the table up in a checkpoint and removes every log entry before
it and every file that the table does not need now. Both can be stopped anywhere and done again.

The version goes on counting, marks stay, and what follows the table finds that its log does not
reach back and reads it whole (`lakehouse/dbt_plugin.py`).

Whoever calls these holds off all other writers of the table.

Source: Delta protocol, "Checkpoints", "Metadata Cleanup", "Per-file Statistics".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from lakehouse import delta, flushing
from lakehouse.delta import compaction, data_files, transaction_log
from lakehouse.duck import connect, identifier, literal
from lakehouse.errors import LakeError, Problem

_VERSION: Final = re.compile(r"(\d{20})\.")
_MARK: Final = "erasure"

Prepare = Callable[[duckdb.DuckDBPyConnection], None]


@dataclass(frozen=True, slots=True)
class TakenOut:
    """What was taken out of a table, or would be.

    Attributes:
        rows: Rows that are gone.
        changed: Rows of which something was replaced.
        files: Files that were written anew.
    """

    rows: int
    changed: int
    files: int


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    size: int
    partition: tuple[tuple[str, str | None], ...]


def take_out(
    address: Path,
    gone: str,
    *,
    replaced: Mapping[str, str] | None = None,
    prepare: Prepare = lambda _connection: None,
    marks: delta.Marks | None = None,
    note: Mapping[str, str] | None = None,
    dry_run: bool = False,
) -> TakenOut:
    """Write the files of a table that hold some rows anew without them, in one commit.

    Args:
        address: The table.
        gone: SQL condition of the rows that go.
        replaced: New values of columns in the rows that stay, as SQL.
        prepare: Makes what the SQL needs in the connection that it is run in.
        marks: Marks of the commit.
        note: Extra facts kept in the commit.
        dry_run: Only count.

    Raises:
        LakeError: What was written does not hold the rows that stay; nothing was committed.
        LakeConflict: Another writer was first.
    """
    table = delta.open_table(address)
    if strange := compaction.strange_features(table):
        what = f"the table has {', '.join(strange)}"
        raise LakeError(Problem(str(address), what, "Take the rows out with its own tool."))
    new = replaced or {}
    written: list[AddAction] = []
    try:
        with connect(extensions=()) as connection:
            prepare(connection)
            rewriting = _Rewriting(connection, address, table, f"coalesce(({gone}), false)", new)
            held, done = rewriting.find()
            if dry_run or not held:
                return done
            for _, files in groupby(held, key=lambda file: file.partition):
                written += rewriting.write([*files])
        compaction.flush_files(address, written)
        now = int(time.time() * 1000)
        old = [RemoveAction(one.path, True, now, one.size, dict(one.partition)) for one in held]
        compaction.rearrange(address, written, old, note or {}, marks)
    except BaseException as error:
        if not {file.path for file in written} & data_files.names_of(delta.open_table(address)):
            for file in written:  # no version names them
                (address / file.path).unlink(missing_ok=True)
        if isinstance(error, duckdb.Error):
            why = str(error).split("\n", 1)[0]
            raise LakeError(
                Problem(str(address), f"its files cannot be read: {why}", "Run 'sjostad doctor'.")
            ) from error
        raise
    return done


@dataclass(frozen=True, slots=True)
class _Rewriting:
    """The files of a table, in a connection that reads them."""

    connection: duckdb.DuckDBPyConnection
    address: Path
    table: DeltaTable
    gone: str
    replaced: Mapping[str, str]

    def find(self) -> tuple[list[_File], TakenOut]:
        """The files that hold rows that go or change, by partition; and how many rows those are."""
        files = _files(self.table)
        if not files:
            return [], TakenOut(0, 0, 0)
        is_changed = " or ".join(
            f"{identifier(name)} is distinct from ({new})" for name, new in self.replaced.items()
        )
        counted = self.connection.execute(
            f"""select filename, count(*) filter (where {self.gone}),
                count(*) filter (where not {self.gone} and ({is_changed or "false"}))
            from {self._relation(files)} group by filename"""
        ).fetchall()
        told = {name: (rows, changed) for name, rows, changed in counted if rows or changed}
        held = [file for file in files if str(self.address / file.path) in told]
        held.sort(key=lambda file: [value or "" for _, value in file.partition])
        rows, changed = (sum(one[n] for one in told.values()) for n in (0, 1))
        return held, TakenOut(rows, changed, len(held))

    def write(self, files: Sequence[_File]) -> list[AddAction]:
        """Write what stays of the files of one partition, and see that it is that."""
        schema = pa.schema(self.table.schema().to_arrow())
        own = [name for name in schema.names if name not in dict(files[0].partition)]
        columns = ", ".join(
            f"({self.replaced[name]}) as {identifier(name)}"
            if name in self.replaced
            else identifier(name)
            for name in own
        )
        staying = f"select {columns} from {self._relation(files)} where not {self.gone}"
        kinds = _kinds(self.connection, schema)
        partition = "".join(
            f", {'null' if value is None else literal(value)}::{kinds[name]} as {identifier(name)}"
            for name, value in files[0].partition
        )
        names = [name for name, _ in files[0].partition]
        written = data_files.write(
            self.connection,
            f"select *{partition} from ({staying})",
            self.address,
            schema,
            names,
            dict(files[0].partition) or None,
        )
        made = [_File(one.path, one.size, files[0].partition) for one in written]
        before = self._fingerprint(f"({staying})", own)
        after = self._fingerprint(self._relation(made), own) if made else (0, 0)
        if before != after:
            for one in written:
                (self.address / one.path).unlink()
            what = (
                f"{before[0]:,} rows are to stay, and {after[0]:,} were written, not all the same"
            )
            raise LakeError(Problem(str(self.address), what, "Nothing was changed; report it."))
        return written

    def _relation(self, files: Sequence[_File]) -> str:
        """A relation over files with all columns of the table; what a file lacks is null."""
        paths = ", ".join(literal(self.address / file.path) for file in files)
        parquet = (
            f"read_parquet([{paths}], union_by_name = true, hive_partitioning = false, "
            "filename = true)"
        )
        found = self.connection.execute(f"describe (from {parquet})").fetchall()
        there = {row[0] for row in found}
        schema = pa.schema(self.table.schema().to_arrow())
        kinds = _kinds(self.connection, schema)
        columns = ", ".join(
            f"{identifier(name) if name in there else 'null'}::{kinds[name]} as {identifier(name)}"
            for name in schema.names
            if name not in self.table.metadata().partition_columns
        )
        return f"(select {columns}, filename from {parquet})"

    def _fingerprint(self, relation: str, names: Sequence[str]) -> tuple[int, int]:
        columns = ", ".join(identifier(name) for name in names)
        found: list[tuple[int, int]] = self.connection.execute(
            f"select count(*), coalesce(sum(hash({columns})::hugeint), 0) from {relation}"
        ).fetchall()
        return found[0]


def _files(table: DeltaTable) -> list[_File]:
    told = pa.table(table.get_add_actions(flatten=True))
    names = table.metadata().partition_columns
    wanted = ["path", "size_bytes", *(f"partition.{name}" for name in names)]
    return [
        _File(
            unquote(row["path"]),
            row["size_bytes"],
            tuple((name, _text(row[f"partition.{name}"])) for name in names),
        )
        for row in told.select(wanted).to_pylist()
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _kinds(connection: duckdb.DuckDBPyConnection, schema: pa.Schema) -> dict[str, str]:
    connection.register("nothing", schema.empty_table())
    found = connection.execute("describe (from nothing)").fetchall()
    connection.unregister("nothing")
    return {row[0]: row[1] for row in found}


def forget(address: Path, note: Mapping[str, str] | None = None) -> int:
    """Keep nothing of a table but what it is now: neither older versions nor the log of them.

    Nobody else may be writing it: a file that no version names yet is removed as well.

    Args:
        address: The table.
        note: Extra facts kept in the commit that the log begins with from here on.

    Returns:
        Files that were removed, of the log and of data.

    Raises:
        LakeError: No checkpoint can be made; nothing was removed.
    """
    table = delta.open_table(address)
    schema = pa.schema(table.schema().to_arrow())
    # The log keeps its newest entry, which a reader may ask for: it must have no old file in it.
    number = delta.mark_of(address, _MARK) + 1
    delta.append(address, schema.empty_table(), schema, marks={_MARK: number}, note=note)
    table = delta.open_table(address)
    try:
        table.create_checkpoint()
    except (DeltaError, OSError) as error:
        raise LakeError(
            Problem(str(address), f"no checkpoint can be made: {error}", "Free space, run again.")
        ) from error
    newest = table.version()
    checkpoint = transaction_log.checkpoint_files(address, newest)
    if not checkpoint:
        what = f"there is no checkpoint of version {newest}"
        raise LakeError(Problem(str(address), what, "Run it again, then 'sjostad doctor'."))
    for path in (*checkpoint, transaction_log.folder(address)):
        flushing.flush(path)
    return _remove_old(address, newest, data_files.names_of(table))


def _remove_old(address: Path, newest: int, needed: set[str]) -> int:
    old = [
        path
        for path in transaction_log.folder(address).iterdir()
        if path.is_file()
        and ((found := _VERSION.match(path.name)) is None or int(found[1]) < newest)
        and path.name != "_last_checkpoint"
    ]
    old += [
        path
        for path in address.rglob("*")
        if path.is_file()
        and not path.is_relative_to(transaction_log.folder(address))
        and path.relative_to(address).as_posix() not in needed
    ]
    for path in old:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in old}:
        flushing.flush(folder)
    return len(old)
