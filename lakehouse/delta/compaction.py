"""Many small files of a partition become one that holds the same rows.

A source that delivers every quarter of an hour leaves 96 files a day, and whoever reads the table
opens each of them. Only partitions with many small files are rewritten, and a file that has grown
is left alone, so the cost follows what is new and not the history.

The new files are read back and compared with the old ones before the log names them: a rewrite
that loses or doubles a row never becomes a version. delta-rs has a compaction of its own; it
rounds the largest time of a file down, and can only be checked when it has been committed
(docs/decisions/0014-upkeep.md).

Source: Delta protocol, "Add File and Remove File" (`dataChange`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from lakehouse import delta, flushing
from lakehouse.delta import data_files, transaction_log
from lakehouse.duck import connect, identifier, literal
from lakehouse.errors import LakeConflict, LakeError, Problem

_SMALL: Final = 16 << 20
"""Bytes from which a file is never rewritten again."""
_WORTH: Final = 8
"""Small files that a partition may have before they are put together."""
_FULL: Final = 128 << 20
"""Bytes that are put together into one file at most."""
_AT_ONCE: Final = 64 << 20
"""Bytes after which a commit is made: others wait for it."""
_MANY: Final = 1000
"""Files that are put together into one, or in one commit, at most."""
_ATTEMPTS: Final = 20
"""So often a commit is tried while others write."""
_UNDERSTOOD: Final = frozenset({"appendOnly", "invariants", "timestampNtz"})
"""Features of a table under which a file may be rewritten row by row."""


@dataclass(frozen=True, slots=True)
class SmallFile:
    """A file of a table, as its log tells it."""

    path: str
    rows: int
    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """Small files of one partition that become one, in the order they were committed."""

    partition: Mapping[str, str | None]
    files: tuple[SmallFile, ...]

    @property
    def rows(self) -> int:
        """Rows that the log says they hold."""
        return sum(file.rows for file in self.files)

    @property
    def size(self) -> int:
        """Their bytes."""
        return sum(file.size for file in self.files)


def plan(table: DeltaTable) -> list[Bundle]:
    """What is worth putting together in a table, by its log alone."""
    found = []
    for partition, files in _small_files(table):
        if len(files) < _WORTH:
            continue
        bundles = [Bundle(partition, some) for some in _bounded(files, _FULL)]
        found += [bundle for bundle in bundles if len(bundle.files) > 1]
    return found


def strange_features(table: DeltaTable) -> list[str]:
    """Features of a table under which its files cannot simply be rewritten."""
    protocol = table.protocol()
    return sorted(
        {*(protocol.reader_features or ()), *(protocol.writer_features or ())} - _UNDERSTOOD
    )


def _small_files(
    table: DeltaTable,
) -> Iterator[tuple[Mapping[str, str | None], list[SmallFile]]]:
    """The small files of each partition, oldest first."""
    told = pa.table(table.get_add_actions(flatten=True))
    names = table.metadata().partition_columns
    wanted = ["path", "num_records", "size_bytes", "modification_time"]
    small = [
        (tuple(_text(row[f"partition.{name}"]) for name in names), row)
        for row in told.select([*wanted, *(f"partition.{name}" for name in names)]).to_pylist()
        if row["size_bytes"] < _SMALL and row["num_records"]  # without, nothing could be compared
    ]
    small.sort(key=lambda item: [value or "" for value in item[0]])
    for values, rows in groupby(small, key=lambda item: item[0]):
        files = [
            SmallFile(
                unquote(row["path"]),
                row["num_records"],
                row["size_bytes"],
                row["modification_time"],
            )
            for _, row in rows
        ]
        files.sort(key=lambda file: (file.modified, file.path))
        yield dict(zip(names, values, strict=True)), files


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _bounded(files: Sequence[SmallFile], size: int) -> Iterator[tuple[SmallFile, ...]]:
    """Files in their order, in groups that are not too large and not too many."""
    group: list[SmallFile] = []
    for file in files:
        held = sum(one.size for one in group)
        if group and (held + file.size > size or len(group) == _MANY):
            yield tuple(group)
            group = []
        group.append(file)
    if group:
        yield tuple(group)


def commits(bundles: Sequence[Bundle]) -> Iterator[list[Bundle]]:
    """Bundles in groups that make one commit each, so that nobody waits long for one."""
    group: list[Bundle] = []
    for bundle in bundles:
        together = [*group, bundle]
        is_much = sum(one.size for one in together) > _AT_ONCE
        if group and (is_much or sum(len(one.files) for one in together) > _MANY):
            yield group
            group = []
        group.append(bundle)
    if group:
        yield group


def compact(address: Path, bundles: Sequence[Bundle]) -> delta.Commit:
    """Put the files of bundles together, in one commit that changes no data.

    Args:
        address: The table.
        bundles: What `plan` found.

    Raises:
        LakeError: What was written does not hold the rows of the old files; nothing was
            committed, and the table is as it was.
        LakeConflict: Another writer removed one of the files.
    """
    table = delta.open_table(address)
    written: list[AddAction] = []
    try:
        with connect(extensions=()) as connection:
            for bundle in bundles:
                _rewrite(connection, address, table, bundle, written)
        now = int(time.time() * 1000)
        gone = [
            RemoveAction(file.path, False, now, file.size, dict(bundle.partition))
            for bundle in bundles
            for file in bundle.files
        ]
        note = {"upkeep": "compaction", "rows": str(sum(bundle.rows for bundle in bundles))}
        flush_files(address, written)
    except BaseException as error:  # whatever it was: no version names these files
        _unlink(address, written)
        if isinstance(error, duckdb.Error):
            why = str(error).split("\n", 1)[0]
            raise LakeError(
                Problem(str(address), f"its files cannot be read: {why}", "Run 'sjostad doctor'.")
            ) from error
        raise
    try:
        return rearrange(address, written, gone, note)
    except LakeConflict:
        _unlink(address, written)
        raise


def _rewrite(
    connection: duckdb.DuckDBPyConnection,
    address: Path,
    table: DeltaTable,
    bundle: Bundle,
    written: list[AddAction],
) -> None:
    """Write the rows of a bundle to a file, and see that they are the same."""
    schema = pa.schema(table.schema().to_arrow())
    kinds = _kinds(connection, schema)
    old = _relation([address / file.path for file in bundle.files])
    there = _columns(connection, old)
    columns = [
        f"{identifier(name)}::{kinds[name]} as {identifier(name)}"
        for name in schema.names
        if name in there and name not in bundle.partition
    ]
    columns += [
        f"{'null' if value is None else literal(value)}::{kinds[name]} as {identifier(name)}"
        for name, value in bundle.partition.items()
    ]
    query = f"select {', '.join(columns)} from {old}"
    first = len(written)
    written += data_files.write(connection, query, address, schema, [*bundle.partition])
    new = written[first:]
    own = {name: kind for name, kind in kinds.items() if name not in bundle.partition}
    before = _counted(connection, old, own)
    paths = [address / file.path for file in new]
    after = _counted(connection, _relation(paths), own) if paths else (0, 0)
    told = {dict(file.partition_values).items() <= bundle.partition.items() for file in new}
    if not (before == after and after[0] == bundle.rows and told == {True}):
        place = ", ".join(f"{name} {value}" for name, value in bundle.partition.items())
        raise LakeError(
            Problem(
                f"{address}{', ' if place else ''}{place}",
                f"the log tells {bundle.rows:,} rows, the files hold {before[0]:,}, and put "
                f"together they would hold {after[0]:,}"
                + ("" if before[0] != after[0] else ", not all the same"),
                "Nothing was changed. Run 'sjostad doctor', and report it.",
            )
        )
    written[first:] = [replace(file, data_change=False) for file in new]


def _kinds(connection: duckdb.DuckDBPyConnection, schema: pa.Schema) -> dict[str, str]:
    """The DuckDB type of each column of a table."""
    connection.register("nothing", schema.empty_table())
    kinds = _columns(connection, "nothing")
    connection.unregister("nothing")
    return kinds


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    found = connection.execute(f"describe (from {relation})").fetchall()
    return {row[0]: row[1] for row in found}


def _relation(paths: Sequence[Path]) -> str:
    listed = ", ".join(literal(path) for path in paths)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def _counted(
    connection: duckdb.DuckDBPyConnection, relation: str, kinds: Mapping[str, str]
) -> tuple[int, int]:
    """How many rows files hold, and a fingerprint that does not depend on their order."""
    there = _columns(connection, relation)
    values = ", ".join(
        f"{identifier(name)}::{kind}" if name in there else f"null::{kind}"
        for name, kind in kinds.items()
    )
    found = connection.execute(
        f"select count(*), coalesce(sum(hash({values})::hugeint), 0) from {relation}"
    ).fetchall()[0]
    return found[0], found[1]


def rearrange(
    address: Path,
    files: Sequence[AddAction],
    gone: Sequence[RemoveAction],
    note: Mapping[str, str],
    marks: delta.Marks | None = None,
) -> delta.Commit:
    """Put files in the place of others, in one commit.

    Two such commits over the same files would both pass delta-rs's own check and leave every row
    twice. So the library tries none of them again, and each attempt looks first whether the files
    are still the table's, on the very version that it is made on.

    Args:
        address: The table.
        files: Files that are there already, flushed.
        gone: What they are put in the place of.
        note: Extra facts kept in the commit.
        marks: Marks of the commit.

    Raises:
        LakeConflict: Another writer removed one of the files.
        LakeError: The commit failed.
    """
    table = delta.open_table(address)
    before, schema = table.version(), pa.schema(table.schema().to_arrow())
    wanted = {file.path for file in gone}
    for _ in range(_ATTEMPTS):
        if not wanted <= data_files.names_of(table):
            break
        # A table that is written whole says of its rows what holds while they are the same.
        kept = {} if any(file.data_change for file in gone) else _kept(address, table.version())
        try:
            table.create_write_transaction(
                [*gone, *files],
                "append",
                schema,
                table.metadata().partition_columns or None,
                commit_properties=CommitProperties(
                    {**kept, **note},
                    max_commit_retries=0,
                    app_transactions=[Transaction(*mark) for mark in (marks or {}).items()],
                ),
            )
        except CommitFailedError:
            table = delta.open_table(address)
            continue
        except (DeltaError, OSError) as error:  # only the log can say whether it is there
            if wanted & data_files.names_of(delta.open_table(address)):
                raise LakeError(
                    Problem(str(address), f"the commit failed: {error}", "Free space, run again.")
                ) from error
        version = delta.open_table(address).version()
        for number in range(before + 1, version + 1):
            transaction_log.flush_commit(address, number)
        return delta.Commit(version, written=True)
    raise LakeConflict(
        Problem(str(address), "another writer was first", "Run it again when that is done.")
    )


def _kept(address: Path, version: int) -> dict[str, Any]:
    """What a table that is written whole says of its rows: it holds after a compaction too."""
    note = delta.note_of(address, version)
    return {"digest": note["digest"]} if "digest" in note else {}


def flush_files(address: Path, files: Sequence[AddAction]) -> None:
    """Flush files before the log names them: else a power cut could leave neither them nor the old.

    The old ones stay on disk until a vacuum, but no version after this one would read them.
    """
    paths = [address / file.path for file in files]
    for path in (*paths, *{path.parent for path in paths}):
        flushing.flush(path)


def _unlink(address: Path, files: Sequence[AddAction]) -> None:
    for file in files:
        (address / file.path).unlink(missing_ok=True)
