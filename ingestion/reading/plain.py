"""Plain measurements that are read the quick way, straight into a table of few typed columns.

A plain measurement is a JSON value with a time that names an instant. Formats insert such ones
while they parse; a file in which anything else stands is left to the careful reader of its format,
whole, so the quick way never decides what a broken record is. What a record said is looked up by
that reader too, for the few that break a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import duckdb
import pyarrow as pa

from ingestion.deliveries import Member
from ingestion.reading import clocks, elements, json_atoms
from ingestion.reading.offered import Lines, Reading, together
from lakehouse.duck import set_clock

COLUMNS: Final = {
    "_file": "integer",
    "_row": "bigint",
    "origin": "bigint",  # what the measurements of one thing have in common
    "t": "timestamp",
    "cell": "varchar",
    "value": "double",
    "text": "varchar",
    "result_time": "timestamp",
}
"""Columns of a table of plain measurements; the names are those of offered rows."""

Careful = Callable[[duckdb.DuckDBPyConnection, Sequence[Member]], Reading]
"""A format's reader of files that knows each record."""


def create(connection: duckdb.DuckDBPyConnection, table: str, **more: str) -> None:
    """Make an empty table of plain measurements, with more columns if the format has some."""
    columns = ", ".join(f"{name} {kind}" for name, kind in (COLUMNS | more).items())
    connection.execute(f"create temp table {table} ({columns})")


def instant(text: str) -> str:
    """SQL of the instant in UTC that a text names; null for every other text."""
    return clocks.dated(clocks.parse(text, "iso8601").instant)


def told(atom: str) -> str:
    """SQL of the columns `cell`, `value` and `text` of a JSON value."""
    has_text = f"({json_atoms.is_text(atom)} or {json_atoms.has_parts(atom)})"
    return f"""{json_atoms.cell(atom)} as cell, {json_atoms.value(atom)} as value,
        case when {has_text} then {json_atoms.cell(atom)} end as text"""


def result_time(text: str, time_text: str, t: str) -> str:
    """SQL of the time of a result, which most often is said to be that of the phenomenon."""
    parsed = clocks.parse(text, "iso8601").instant
    return f"case when {text} = {time_text} then {t} else {parsed} end"


def without(connection: duckdb.DuckDBPyConnection, table: str, left: Sequence[Member]) -> None:
    """Take out of a table what files have given that are left to the careful reader."""
    if left:
        numbers = ", ".join(str(member.number) for member in left)
        connection.execute(f"delete from {table} where _file in ({numbers})")


def beside(
    connection: duckdb.DuckDBPyConnection,
    quick: Reading | None,
    left: Sequence[Member],
    careful: Careful,
) -> Reading:
    """What was read the quick way, if anything, and the files that are left to the careful one."""
    readings = [quick] if quick else []
    if left:
        readings.append(careful(connection, left))
    return together(readings)


def looked_up(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], careful: Careful
) -> Callable[[Lines], str]:
    """What `Reading.raw` asks for: the files of the wanted records are read the careful way.

    Args:
        connection: Holds `files`, and gets the table `looked_up`.
        members: Files that were read the quick way.
        careful: Reads some of them on a connection of its own.
    """

    def raw(wanted: Lines) -> str:
        connection.execute("create temp table looked_up (_file integer, _row bigint, _raw varchar)")
        concerned = [member for member in members if len(wanted.get(member.number, ()))]
        for part in elements.parts(concerned):
            rows = [(one.number, row) for one in part for row in wanted[one.number].tolist()]
            connection.register("found_records", _texts(connection, part, careful, rows))
            connection.execute("insert into looked_up by name from found_records")
            connection.unregister("found_records")
        return "select _file, _row, _raw from looked_up"

    return raw


def _texts(
    connection: duckdb.DuckDBPyConnection,
    part: Sequence[Member],
    careful: Careful,
    rows: Sequence[tuple[int, int]],
) -> pa.Table:
    files, numbers = zip(*rows, strict=True)
    wanted = pa.table({"_file": pa.array(files, pa.int32()), "_row": pa.array(numbers, pa.int64())})
    received = connection.execute("select _file, received_at from files").to_arrow_table()
    with connection.cursor() as apart:  # it has tables of its own, under the same names
        set_clock(apart)
        apart.register("files", received)
        apart.register("wanted", wanted)
        reading = careful(apart, part)
        found: pa.Table = apart.execute(
            f"select * from ({reading.records}) semi join wanted using (_file, _row)"
        ).to_arrow_table()
        return found
