"""Looking for one word in everything that lies under the home folder.

Each file is looked at as bytes, and as what it is: Parquet column by column (pages are compressed,
checkpoints of logs are Parquet too), DuckDB and SQLite table by table, gzip and zip unpacked. What
cannot be read is told as well: of that nobody can say that there is nothing in it.
"""

from __future__ import annotations

import gzip
import io
import mmap
import os
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakehouse.duck import identifier
from lakehouse.settings import Settings
from lakehouse.traces.word_in_bytes import Word

_CHUNK: Final = 4 << 20
_DEEPEST: Final = 3
"""Archives in archives that are unpacked."""
_DAMAGE: Final = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError)


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Cursor(Protocol):
    def fetchmany(self, size: int = ..., /) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a word was found.

    Attributes:
        path: The file.
        place: Where in it: `bytes`, `column device`, `unpacked`, `name`; `unreadable` if that part
            of it could not be looked at.
        hits: How often; of columns, in how many values.
    """

    path: Path
    place: str
    hits: int


def find_traces(
    settings: Settings, value: str, known: Iterable[str] = (), *, also: Sequence[Path] = ()
) -> list[Trace]:
    """Every place under the home folder where a word stands.

    Args:
        settings: Says where the home folder is.
        value: The word, such as a device's id.
        known: Words that are not meant, even where it is a part of them: ids of other devices.
        also: Other folders to look into, such as an inbox that lies elsewhere.
    """
    word = Word.of(value, known)
    roots = [settings.home, *(one for one in also if not one.is_relative_to(settings.home))]
    return [trace for root in roots for trace in traces_in(root, word)]


def traces_in(root: Path, word: Word) -> Iterator[Trace]:
    """The places in a folder, or in one file, where a word stands."""
    for path in sorted(_files(root)):
        if word.is_in(path.relative_to(root).as_posix() if path != root else path.name):
            yield Trace(path, "name", 1)
        try:
            found = list(_in_file(path, word))
        except FileNotFoundError:  # of work under way, and gone meanwhile
            continue
        except OSError:
            found = [("unreadable", 1)]
        yield from (Trace(path, place, hits) for place, hits in found)


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _in_file(path: Path, word: Word) -> Iterator[tuple[str, int]]:
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if hits := _count(word, content):
            yield "bytes", hits
        start = content[:16]
    if start.startswith(b"PAR1"):
        yield from _in_parquet(path, word)
    elif start[8:12] == b"DUCK":
        yield from _in_duckdb(path, word)
    elif start.startswith(b"SQLite format 3\0"):
        yield from _in_sqlite(path, word)
    elif _is_packed(start):
        with path.open("rb") as file:
            yield from _in_packed(file, word, _DEEPEST)


def _count(word: Word, content: bytes | mmap.mmap) -> int:
    return sum(found["own"] is not None for found in word.in_bytes.finditer(content))


def _is_packed(start: bytes) -> bool:
    return start.startswith((b"\x1f\x8b", b"PK\x03\x04"))


def _in_packed(file: IO[bytes], word: Word, deep: int) -> Iterator[tuple[str, int]]:
    """What gzip and zip hold, spreadsheets among them; and archives in them."""
    start = file.read(4)
    file.seek(0)
    try:
        if start.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=file) as packed:
                yield from _in_stream(packed, word, deep)
            return
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                if word.is_in(name):
                    yield "name in archive", 1
                with archive.open(name) as member:
                    yield from _in_stream(member, word, deep)
    except _DAMAGE:
        yield "unreadable", 1


def _in_stream(stream: _Readable, word: Word, deep: int) -> Iterator[tuple[str, int]]:
    """What an unpacked stream holds, piece by piece; an archive in it is unpacked in memory."""
    start, carried, hits = b"", b"", 0
    try:
        while chunk := stream.read(_CHUNK):
            if not start:
                start = chunk[:16]
                if _is_packed(start) or start.startswith(b"PAR1"):
                    chunk += stream.read()
                    yield from _in_inner(io.BytesIO(chunk), start, word, deep)
            # What is carried over has been counted, but for what the next piece shows to be more.
            hits += _count(word, carried + chunk) - _count(word, carried)
            carried = (carried + chunk)[-2 * word.longest - 2 :]
    except _DAMAGE:
        yield "unreadable", 1
    if hits > 0:
        yield "unpacked", hits


def _in_inner(inner: IO[bytes], start: bytes, word: Word, deep: int) -> Iterator[tuple[str, int]]:
    if start.startswith(b"PAR1"):
        yield from _in_parquet(inner, word)
    elif deep:
        yield from _in_packed(inner, word, deep - 1)
    else:
        yield "unreadable", 1


def _in_parquet(source: Path | IO[bytes], word: Word) -> Iterator[tuple[str, int]]:
    hits: dict[str, int] = {}
    try:
        with pq.ParquetFile(source) as file:
            for batch in file.iter_batches():
                for name, column in zip(batch.schema.names, batch.columns, strict=True):
                    found = sum(_of_values(values, word) for values in _leaves(column))
                    hits[name] = hits.get(name, 0) + found
    except (pa.ArrowException, OSError):
        yield "unreadable", 1
    yield from ((f"column {name}", found) for name, found in hits.items() if found)


def _leaves(column: pa.Array) -> Iterator[pa.Array]:
    """The columns that a nested one is made of."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _leaves(column.dictionary)
    elif pa.types.is_struct(kind):
        for part in column.flatten():
            yield from _leaves(part)
    elif pa.types.is_map(kind):
        yield from _leaves(column.keys)
        yield from _leaves(column.items)
    elif pa.types.is_nested(kind):
        yield from _leaves(pc.list_flatten(column))
    else:
        yield column


def _of_values(values: pa.Array, word: Word) -> int:
    """How many of these values have the word; equal ones are looked at once.

    Numbers are no ids: a device is a text in every table of the lake.
    """
    kind = values.type
    if pa.types.is_fixed_size_binary(kind):
        values = values.cast(pa.binary())
    elif not (_is_any(kind, "string") or _is_any(kind, "binary")):
        return 0
    may_be = values.filter(pc.match_substring(values, word.text, ignore_case=True))
    hits = 0
    for one in pc.value_counts(may_be).to_pylist():
        value = one["values"]
        found = word.is_in(value) if isinstance(value, str) else bool(_count(word, value))
        hits += one["counts"] * found
    return hits


def _is_any(kind: pa.DataType, name: str) -> bool:
    return str(kind) in (name, f"large_{name}", f"{name}_view")


def _in_duckdb(path: Path, word: Word) -> Iterator[tuple[str, int]]:
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            columns = connection.execute(
                """select schema_name, table_name, column_name from duckdb_columns()
                where not internal and numeric_precision is null
                and (database_name, schema_name, table_name) in (
                    select (database_name, schema_name, table_name) from duckdb_tables())"""
            ).fetchall()
            for schema, table, column in columns:
                name = f"{identifier(column)}::varchar"
                rows = f"select {name} from {identifier(schema)}.{identifier(table)}"
                found = connection.execute(
                    f"{rows} where contains(lower({name}), lower(?))", [word.text]
                )
                if hits := _rows(found, word):
                    yield f"column {table}.{column}", hits
            told = """select sql from duckdb_views() where not internal union all
                select comment from duckdb_columns() where comment is not null union all
                select comment from duckdb_views() where comment is not null"""
            if hits := _rows(connection.execute(told), word):
                yield "views", hits
    except duckdb.Error:
        yield "unreadable", 1


def _in_sqlite(path: Path, word: Word) -> Iterator[tuple[str, int]]:
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            tables = connection.execute(
                "select name from sqlite_master where type = 'table'"
            ).fetchall()
            for (table,) in tables:
                cursor = connection.execute(f"select * from {identifier(table)}")
                if hits := _rows(cursor, word):
                    yield f"table {table}", hits
    except sqlite3.Error:
        yield "unreadable", 1


def _rows(cursor: _Cursor, word: Word) -> int:
    """How many values of a result have the word."""
    hits = 0
    while rows := cursor.fetchmany(10_000):
        for row in rows:
            for value in row:
                if isinstance(value, bytes):
                    hits += bool(_count(word, value))
                elif value is not None:
                    hits += word.is_in(str(value))
    return hits
