"""Plain tables of text that DuckDB's own readers take whole, many times faster than by line.

They are used only where they cannot be wrong: on clean UTF-8 in which every line is a record. The
lines are counted on their own, and a reader that gives another number of rows, or none, leaves
the files to the slower readers, which know each line by its number.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from ingestion.deliveries import Member
from lakehouse.contracts.delivery import CsvDialect
from lakehouse.duck import identifier, literal

_CHUNK: Final = 1 << 20
_LONGEST_LINE: Final = 16 << 20
_STRANGE: Final = (b"\r", b"\0", b"\x1d", b"\x1f")
_MARKS: Final = ("\ufeff", "\ufffd")
"""A byte order mark, and the character that stands for bytes that were no text."""
_ESCAPED: Final = (rb"\u00",)
_ESCAPES: Final = tuple(rb"\u00%d" % digit for digit in range(2, 8))
"""How letters of ASCII may be written that nobody has to escape: with them a key has two names."""
_NEVER: Final = "\x1d"
"""What stands for null in a cell: a character that no clean file holds."""


@dataclass(frozen=True, slots=True)
class Census:
    """What the bytes of a text file are, counted without a parser.

    Attributes:
        lines: Lines, with the last one whether or not it has an end.
        is_clean: It is UTF-8 with line feeds only: no byte order mark, carriage return or
            control character that a reader could take for something else.
        words: How often each of the words that were asked for occurs.
    """

    lines: int
    is_clean: bool
    words: tuple[int, ...]


def census(path: Path, words: Sequence[bytes] = ()) -> Census:
    """Count the lines of a file and words without a line end in it, and look at its bytes."""
    lines, found, rest = 0, [0] * len(words), b""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_clean = True
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            is_clean = is_clean and _is_clean(chunk, decoder)
            cut = chunk.rfind(b"\n") + 1
            whole, rest = (rest + chunk[:cut], chunk[cut:]) if cut else (b"", rest + chunk)
            lines += whole.count(b"\n")
            for number, word in enumerate(words):
                found[number] += whole.count(word)
            if not is_clean or len(rest) > _LONGEST_LINE:
                return Census(lines, is_clean=False, words=tuple(found))
    for number, word in enumerate(words):
        found[number] += rest.count(word)
    is_whole = not decoder.getstate()[0]
    return Census(lines + bool(rest), is_clean=is_whole, words=tuple(found))


def _is_clean(chunk: bytes, decoder: codecs.IncrementalDecoder) -> bool:
    """Whether a piece of a file is UTF-8 without the characters that readers differ on."""
    if not chunk.isascii() or decoder.getstate()[0]:
        try:
            text = decoder.decode(chunk)
        except UnicodeDecodeError:
            return False
        if any(mark in text for mark in _MARKS):
            return False
    return not any(sign in chunk for sign in _STRANGE)


def json_lines(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], names: Sequence[str]
) -> str | None:
    """Read flat JSON objects, one a line, by the names of their members.

    Returns:
        A relation of `_file`, `_row` and the VARCHAR columns `c1`, `c2` … as the names are
        counted, since a name may be any word, `id` and `_row` too; None when the files need
        another reader, as they do if an object may name a key twice.
    """
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    found = ", ".join(f"{identifier(name)} as c{n}" for n, name in enumerate(names, start=1))
    query = f"""select {found} from read_json({_paths(members)}, format = 'newline_delimited',
        columns = {{{columns}}}, ignore_errors = """
    with _counted(members, _ESCAPED) as counts:
        # Strictly it stops at an object that names a key twice, and at what is no object.
        is_strict = _made(connection, f"{query} false)", "bulk_0")
    are_escaped = [
        member for member, one in zip(members, counts, strict=True) if any(one.result().words)
    ]
    if any(any(census(member.path, _ESCAPES).words) for member in are_escaped):
        if is_strict:
            connection.execute("drop table bulk_0")
        return None
    if not is_strict and not _is_read_leniently(connection, f"{query} true)", members, names):
        return None
    return _numbered(connection, members, counts, "bulk_0", skip=0)


def _is_read_leniently(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    members: Sequence[Member],
    names: Sequence[str],
) -> bool:
    """Read with null rows for what is no object, if no key is named twice."""
    words = [form.encode() for name in names for form in _forms(name)]
    with _counted(members, words) as counts:
        if not _made(connection, query, "bulk_0"):
            return False
    if _are_said_once(connection, names, [count.result() for count in counts]):
        return True
    connection.execute("drop table bulk_0")
    return False


def _forms(name: str) -> tuple[str, str, str]:
    """A key as it stands in an object, and how it is said to be null."""
    key = json.dumps(name, ensure_ascii=False)
    return key, f"{key}:null", f"{key}: null"


def _are_said_once(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str], found: Sequence[Census]
) -> bool:
    """Whether every key stands as often in the bytes as rows have a value for it.

    If it stands there more often, an object may have named it twice, and which one counts would
    be a guess.
    """
    values = ", ".join(f"count(c{number})" for number in range(1, len(names) + 1))
    present = connection.execute(f"select {values} from bulk_0").fetchall()[0]
    said = [sum(one.words[number] for one in found) for number in range(3 * len(names))]
    expected = [said[at] - said[at + 1] - said[at + 2] for at in range(0, len(said), 3)]
    return list(present) == expected


def delimited(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    header: Sequence[str],
    dialect: CsvDialect,
    group: int,
) -> str | None:
    """Read delimited files that have the same header.

    Returns:
        A relation of `_file`, `_row` and the VARCHAR columns `c1`, `c2` … as the header counts
        them, empty cells and null markers null; None when the files need another reader.
    """
    if len(header) == 1 or dialect.delimiter == " ":
        return None  # a blank line would be a record of empty cells
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(1, len(header) + 1))
    quote = literal(dialect.quote or "")
    query = f"""select * from read_csv({_paths(members)}, auto_detect = false, header = false,
        columns = {{{columns}}}, delim = {literal(dialect.delimiter)}, quote = {quote},
        escape = {quote}, skip = {dialect.header_row}, nullstr = {literal(_NEVER)},
        strict_mode = true, null_padding = false, new_line = '\\n')"""
    signs = [sign.encode() for sign in (dialect.delimiter, dialect.quote) if sign]
    with _counted(members, signs) as counts:
        if not _made(connection, query, f"bulk_{group}"):
            return None
    if not _are_cells_of_lines(connection, members, counts, f"bulk_{group}", len(header), dialect):
        connection.execute(f"drop table bulk_{group}")
        return None
    return _numbered(connection, members, counts, f"bulk_{group}", skip=dialect.header_row)


def _are_cells_of_lines(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    counts: Sequence[Future[Census]],
    table: str,
    columns: int,
    dialect: CsvDialect,
) -> bool:
    """Whether DuckDB's cells are all that stands on the lines, and no cell has a quote in it.

    It passes over empty cells that a line has too many, and takes a quote inside a cell that does
    not begin with one for a letter; the reader by line calls both broken.
    """
    words = [count.result().words for count in counts]
    above = b"".join(line for one in members for line in _above(one, dialect.header_row))
    delimiter, quote = dialect.delimiter, dialect.quote
    delimiters = sum(word[0] for word in words) - above.count(delimiter.encode())
    quotes = sum(sum(word[1:]) for word in words)
    if quotes:
        listed = "[" + ", ".join(f"c{number}" for number in range(1, columns + 1)) + "]"
        cells = f"array_to_string({listed}, '')"
        within, is_odd = connection.execute(
            f"""select coalesce(sum(len({cells}) - len(replace({cells}, $delimiter, ''))), 0),
                coalesce(bool_or(contains({cells}, $quote)), false) from {table}""",
            {"delimiter": delimiter, "quote": quote},
        ).fetchall()[0]
        if is_odd:
            return False
        delimiters -= within
    rows = connection.execute(f"select count(*) from {table}").fetchall()[0][0]
    return bool(delimiters == rows * (columns - 1))


def _above(member: Member, count: int) -> list[bytes]:
    """The first lines of a file, with their ends."""
    with member.path.open("rb") as file:
        return list(islice(file, count))


def _paths(members: Sequence[Member]) -> str:
    return "[" + ", ".join(literal(member.path) for member in members) + "]"


@contextmanager
def _counted(
    members: Sequence[Member], words: Sequence[bytes] = ()
) -> Iterator[list[Future[Census]]]:
    """Count lines and words while the block reads them."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield [pool.submit(census, member.path, words) for member in members]


def _made(connection: duckdb.DuckDBPyConnection, query: str, table: str) -> bool:
    try:
        connection.execute(f"create temp table {table} as {query}")
    except duckdb.Error:  # whatever it is, the line-by-line reader names the line
        return False
    return True


def _numbered(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    counts: Sequence[Future[Census]],
    table: str,
    skip: int,
) -> str | None:
    """The table with file and line numbers, if it has a row for every line."""
    found = [count.result() for count in counts]
    rows = [max(0, one.lines - skip) for one in found]
    total = connection.execute(f"select count(*) from {table}").fetchall()[0][0]
    if total != sum(rows) or not all(one.is_clean for one in found):
        connection.execute(f"drop table {table}")
        return None
    if len(members) == 1:
        return f"(select {members[0].number} as _file, rowid + {skip} + 1 as _row, * from {table})"
    # A file without rows begins where the next one does, and would be taken for it.
    starts = {member.number: sum(rows[:at]) for at, member in enumerate(members) if rows[at]}
    connection.register(
        f"starts_{table}",
        pa.table(
            {
                "start": pa.array(starts.values(), pa.int64()),
                "_file": pa.array(starts, pa.int32()),
            }
        ),
    )
    return f"""(select s._file, t.id - s.start + {skip} + 1 as _row, t.* exclude (id)
        from (select rowid as id, * from {table}) t
        asof join starts_{table} s on t.id >= s.start)"""
