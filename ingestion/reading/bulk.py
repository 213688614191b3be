"""Plain tables of text that DuckDB's own readers take whole, many times faster than by line.

They are used only where they cannot be wrong: on clean UTF-8 in which every line is a record. The
lines are counted on their own, and a reader that gives another number of rows, or none, leaves
the files to the slower readers, which know each line by its number.

DuckDB numbers no lines. Rows that keep the order of the lines are told by their place in the
table they are put into: as they come (`Stream`), or in a table of their own (`json_lines`,
`delimited`) for what cannot be judged without their number.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from typing import Final

import duckdb
import pyarrow as pa

from ingestion.deliveries import Member
from ingestion.reading import json_atoms
from ingestion.reading.census import Census, begun
from lakehouse.contracts.delivery import CsvDialect
from lakehouse.duck import connect, identifier, literal

_NEVER: Final = "\x1d"
"""What stands for null in a cell: a character that no clean file holds."""


_TELLING: Final = (rb"\u00", b"null")
_ESCAPE: Final = re.compile(rb"\\u00[2-7]")
"""How letters of ASCII may be written that nobody has to escape: with them a key has two names."""
_GROUPED: Final = re.compile(rb':\s*"\s*[-+]?[0-9.][0-9.eE+-]*_[0-9]')
"""A text that looks like a number with its digits in groups."""
_AHEAD: Final = 1 << 16
"""Bytes of a table that show whether its cells stand in quotes."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Lines as DuckDB reads them, in order, each one row.

    Attributes:
        relation: Of `_file` and the columns `c1`, `c2` … of the lines.
        counts: The files' lines, which are being counted.
        skip: Lines at the top of each file that are no records.
        fits: Whether the words that were counted let the reader be right. It is told whether a
            number was exactly 0 or 1.
    """

    relation: str
    counts: Sequence[Future[Census]]
    skip: int
    fits: Callable[[Sequence[Census], bool], bool]

    def lines(self, has_flags: bool) -> list[int] | None:
        """Records of each file; None if one of them is not for this reader."""
        found = [count.result() for count in self.counts]
        if not all(one.is_clean for one in found) or not self.fits(found, has_flags):
            return None
        return [max(0, one.lines - self.skip) for one in found]


def json_stream(
    members: Sequence[Member], names: Sequence[str], numbers: Collection[str]
) -> Stream | None:
    """Flat JSON objects, one a line, by the names of their members, of which some are numbers.

    Reading them fails at an object that names a key twice, at what is no object, and at a text
    where a number should be. None if a name may be written in more than one way.
    """
    relation = _by_file(members, _json(members, names, "false", numbers))
    if any("/" in name for name in names):
        return None

    def fits(found: Sequence[Census], has_flags: bool) -> bool:
        # DuckDB takes true for 1, and "1_000" for a thousand.
        grouped = [member for member, one in zip(members, found, strict=True) if one.is_grouped]
        if _any_has(grouped, _GROUPED) or (has_flags and _any_has(members, _flags(numbers))):
            return False
        return _is_told_whole(members, names, found)

    return Stream(relation, begun(members, _TELLING, long_numbers=True), 0, fits)


def _flags(names: Iterable[str]) -> re.Pattern[bytes]:
    """What true and false look like where a number should be."""
    keys = "|".join(re.escape(json.dumps(name, ensure_ascii=False)) for name in sorted(names))
    return re.compile(rf"(?:{keys})\s*:\s*[tf]".encode())


def _any_has(members: Sequence[Member], pattern: re.Pattern[bytes]) -> bool:
    """Whether a pattern is found in one of some files."""
    for member in members:
        with (
            member.path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            if pattern.search(content):
                return True
    return False


def _is_told_whole(
    members: Sequence[Member], names: Sequence[str], found: Sequence[Census]
) -> bool:
    """Whether DuckDB's reader tells all that is told, once `_TELLING` is counted.

    No key may be written with escapes that it does not need or once with null and once more, no
    number with more digits than a double has.
    """
    escaped = [member for member, one in zip(members, found, strict=True) if one.words[0]]
    nulls = [member for member, one in zip(members, found, strict=True) if one.words[1]]
    return (
        not _any_has(escaped, _ESCAPE)
        and not (nulls and _are_null_and_more(nulls, names))
        and not any(one.has_long_numbers for one in found)
    )


def _are_null_and_more(members: Sequence[Member], names: Sequence[str]) -> bool:
    """Whether an object says a key to be null that it names twice; DuckDB lets that pass."""
    keys = "|".join(re.escape(json.dumps(name, ensure_ascii=False)) for name in names)
    null = literal(f"({keys})\\s*:\\s*null")
    asked = f"""select exists (
        from read_json_objects({_paths(members)}, format = 'newline_delimited',
            ignore_errors = true)
        where contains(json::varchar, 'null') and regexp_matches(json::varchar, {null})
            and {json_atoms.names_twice("json")})"""
    try:
        with connect(extensions=()) as own:
            return bool(own.execute(asked).fetchall()[0][0])
    except duckdb.Error:  # whatever it is, the line-by-line reader names the line
        return True


def csv_stream(
    members: Sequence[Member], header: Sequence[str], dialect: CsvDialect
) -> Stream | None:
    """Delimited files that have the same header and no quoted cells, if they begin like that.

    Reading them fails at a line with another number of cells. None if they begin otherwise.
    """
    delimiter, quote = dialect.delimiter.encode(), (dialect.quote or "").encode()
    relation = _by_file(members, _csv(members, header, dialect))
    if (quote and quote in _begin(members[0])) or not _can_be_bulk(header, dialect):
        return None

    def fits(found: Sequence[Census], has_flags: bool) -> bool:
        records = sum(max(0, one.lines - dialect.header_row) for one in found)
        delimiters = sum(one.words[0] for one in found) - _above(members, dialect).count(delimiter)
        return delimiters == records * (len(header) - 1) and not any(
            sum(one.words[1:]) for one in found
        )

    counts = begun(members, [delimiter, quote] if quote else [delimiter])
    return Stream(relation, counts, dialect.header_row, fits)


def _begin(member: Member) -> bytes:
    with member.path.open("rb") as file:
        return file.read(_AHEAD)


def _by_file(members: Sequence[Member], query: str) -> str:
    """The relation of a reader's rows with `_file`. A join would not keep their order."""
    path = identifier(_NEVER)
    if len(members) == 1:
        return f"(select {members[0].number} as _file, * exclude ({path}) from ({query}))"
    paths = ", ".join(literal(member.path) for member in members)
    numbers = ", ".join(str(member.number) for member in members)
    return f"""(select [{numbers}][enum_code({path}::enum({paths})) + 1] as _file,
        * exclude ({path}) from ({query}))"""


def json_lines(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], names: Sequence[str]
) -> str | None:
    """Read flat JSON objects, one a line, by the names of their members.

    Returns:
        A relation of `_file`, `_row` and the VARCHAR columns `c1`, `c2` … as the names are
        counted, since a name may be any word, `id` and `_row` too; None when the files need
        another reader, as they do if an object may name a key twice.
    """
    # Strictly it stops at an object that names a key twice, and at what is no object.
    counts = begun(members, _TELLING, long_numbers=True)
    is_strict = _made(connection, _json(members, names, "false"), "bulk_0")
    if not _is_told_whole(members, names, [count.result() for count in counts]):
        return None
    if not is_strict and not _is_read_leniently(connection, members, names):
        return None
    return _numbered(connection, members, counts, "bulk_0", skip=0)


def _json(
    members: Sequence[Member],
    names: Sequence[str],
    ignore_errors: str,
    numbers: Collection[str] = (),
) -> str:
    columns = ", ".join(
        f"{literal(name)}: '{'DOUBLE' if name in numbers else 'VARCHAR'}'" for name in names
    )
    found = ", ".join(f"{identifier(name)} as c{n}" for n, name in enumerate(names, start=1))
    return f"""select {found}, {identifier(_NEVER)} from read_json({_paths(members)},
        format = 'newline_delimited', columns = {{{columns}}}, ignore_errors = {ignore_errors},
        {_FILE_NAMES})"""


def _is_read_leniently(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], names: Sequence[str]
) -> bool:
    """Read with null rows for what is no object, if no key is named twice."""
    counts = begun(members, [form.encode() for name in names for form in _forms(name)])
    if not _made(connection, _json(members, names, "true"), "bulk_0"):
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
    if not _can_be_bulk(header, dialect):
        return None
    counts = begun(members, [sign.encode() for sign in (dialect.delimiter, dialect.quote) if sign])
    if not _made(connection, _csv(members, header, dialect), f"bulk_{group}"):
        return None
    if not _are_cells_of_lines(connection, members, counts, f"bulk_{group}", len(header), dialect):
        connection.execute(f"drop table bulk_{group}")
        return None
    return _numbered(connection, members, counts, f"bulk_{group}", skip=dialect.header_row)


def _can_be_bulk(header: Sequence[str], dialect: CsvDialect) -> bool:
    """Whether a blank line cannot be a record of empty cells."""
    return len(header) > 1 and dialect.delimiter != " "


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
    delimiter, quote = dialect.delimiter, dialect.quote
    above = _above(members, dialect).count(delimiter.encode())
    delimiters = sum(word[0] for word in words) - above
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


def _above(members: Sequence[Member], dialect: CsvDialect) -> bytes:
    """The lines of all files that are no records."""
    found = b""
    for member in members:
        with member.path.open("rb") as file:
            found += b"".join(islice(file, dialect.header_row))
    return found


def _csv(members: Sequence[Member], header: Sequence[str], dialect: CsvDialect) -> str:
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(1, len(header) + 1))
    quote = literal(dialect.quote or "")
    return f"""select * from read_csv({_paths(members)}, auto_detect = false, header = false,
        columns = {{{columns}}}, delim = {literal(dialect.delimiter)}, quote = {quote},
        escape = {quote}, skip = {dialect.header_row}, nullstr = {literal(_NEVER)},
        strict_mode = true, null_padding = false, new_line = '\\n', {_FILE_NAMES})"""


_FILE_NAMES: Final = f"filename = '{_NEVER}', hive_partitioning = false"


def _paths(members: Sequence[Member]) -> str:
    return "[" + ", ".join(literal(member.path) for member in members) + "]"


def _made(connection: duckdb.DuckDBPyConnection, query: str, table: str) -> bool:
    try:
        connection.execute(
            f"""create or replace temp table {table} as
            select * exclude ({identifier(_NEVER)}) from ({query})"""
        )
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
