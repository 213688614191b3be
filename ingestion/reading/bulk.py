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
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa

from ingestion.deliveries import Member
from ingestion.reading.census import Census, begun
from lakehouse.contracts.delivery import CsvDialect
from lakehouse.duck import identifier, literal

_NEVER: Final = "\x1d"
"""What stands for null in a cell: a character that no clean file holds."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Lines as DuckDB reads them, in order, each one row.

    Attributes:
        relation: Of `_file` and the VARCHAR columns of the lines.
        counts: The files' lines, which are being counted.
        skip: Lines at the top of each file that are no records.
    """

    relation: str
    counts: Sequence[Future[Census]]
    skip: int

    def lines(self) -> list[int] | None:
        """Records of each file; None if one of them is not clean."""
        found = [count.result() for count in self.counts]
        if not all(one.is_clean for one in found):
            return None
        return [max(0, one.lines - self.skip) for one in found]


def json_stream(members: Sequence[Member], names: Sequence[str]) -> Stream:
    """Flat JSON objects, one a line, by the names of their members.

    Reading them fails at an object that names a key twice, and at what is no object.
    """
    return Stream(_by_file(members, _json(members, names, "false")), begun(members), skip=0)


def csv_stream(members: Sequence[Member], header: Sequence[str], dialect: CsvDialect) -> Stream:
    """Delimited files that have the same header, with the columns `c1`, `c2` … of text.

    Reading them fails at a line with another number of cells.
    """
    query = _csv(members, header, dialect)
    return Stream(_by_file(members, query), begun(members), dialect.header_row)


def _by_file(members: Sequence[Member], query: str) -> str:
    """The relation of a reader's rows with `_file`. A join would not keep their order."""
    if len(members) == 1:
        return f"(select {members[0].number} as _file, * exclude (_path) from ({query}))"
    paths = ", ".join(literal(member.path) for member in members)
    numbers = ", ".join(str(member.number) for member in members)
    return f"""(select [{numbers}][enum_code(_path::enum({paths})) + 1] as _file,
        * exclude (_path) from ({query}))"""


def json_lines(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], names: Sequence[str]
) -> str | None:
    """Read flat JSON objects, one a line, by the names of their members.

    Returns:
        A relation of `_file`, `_row` and one VARCHAR column for each name; None when the files
        need another reader, as they do if an object may name a key twice.
    """
    # Strictly it stops at an object that names a key twice, and at what is no object.
    counts = begun(members)
    is_strict = _made(connection, _json(members, names, "false"), "bulk_0")
    if not is_strict and not _is_read_leniently(connection, members, names):
        return None
    return _numbered(connection, members, counts, "bulk_0", skip=0)


def _json(members: Sequence[Member], names: Sequence[str], ignore_errors: str) -> str:
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    return f"""select * from read_json({_paths(members)}, format = 'newline_delimited',
        columns = {{{columns}}}, ignore_errors = {ignore_errors}, {_FILE_NAMES})"""


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
    values = ", ".join(f"count({identifier(name)})" for name in names)
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
    counts = begun(members)
    if not _made(connection, _csv(members, header, dialect), f"bulk_{group}"):
        return None
    return _numbered(connection, members, counts, f"bulk_{group}", skip=dialect.header_row)


def _csv(members: Sequence[Member], header: Sequence[str], dialect: CsvDialect) -> str:
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(1, len(header) + 1))
    quote = literal(dialect.quote or "")
    return f"""select * from read_csv({_paths(members)}, auto_detect = false, header = false,
        columns = {{{columns}}}, delim = {literal(dialect.delimiter)}, quote = {quote},
        escape = {quote}, skip = {dialect.header_row}, nullstr = {literal(_NEVER)},
        strict_mode = true, null_padding = false, new_line = '\\n', {_FILE_NAMES})"""


_FILE_NAMES: Final = "filename = '_path', hive_partitioning = false"


def _paths(members: Sequence[Member]) -> str:
    return "[" + ", ".join(literal(member.path) for member in members) + "]"


def _made(connection: duckdb.DuckDBPyConnection, query: str, table: str) -> bool:
    try:
        connection.execute(
            f"create or replace temp table {table} as select * exclude (_path) from ({query})"
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
    rows = Stream(table, counts, skip).lines()
    total = connection.execute(f"select count(*) from {table}").fetchall()[0][0]
    if rows is None or total != sum(rows):
        connection.execute(f"drop table {table}")
        return None
    if len(members) == 1:
        return f"(select {members[0].number} as _file, rowid + {skip} + 1 as _row, * from {table})"
    starts = [sum(rows[:number]) for number in range(len(rows))]
    connection.register(
        f"starts_{table}",
        pa.table({"start": starts, "_file": pa.array([m.number for m in members], pa.int32())}),
    )
    return f"""(select s._file, t.id - s.start + {skip} + 1 as _row, t.* exclude (id)
        from (select rowid as id, * from {table}) t
        asof join starts_{table} s on t.id >= s.start)"""
