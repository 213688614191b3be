"""Text files as numbered lines in UTF-8, with every byte that is not text marked.

Lines are what a person finds again in an editor, so a line number is a row's address in its
delivery. Bytes that the declared encoding does not allow become U+FFFD; rows that carry one are
quarantined by the readers, the rest of the file goes on.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv

from ingestion.deliveries import Member
from lakehouse.errors import DeliveryRefused, Problem

UNREADABLE: Final = "�"
_CHUNK: Final = 1 << 20
_LONGEST_LINE: Final = 16 << 20
_NO_DELIMITER: Final = "\x1f"
_CONTROL: Final = str.maketrans({_NO_DELIMITER: UNREADABLE, "\x00": UNREADABLE, "\ufeff": None})


def head(member: Member, encoding: str, count: int) -> list[str]:
    """The first `count` lines of a file, without line ends.

    Raises:
        DeliveryRefused: The encoding is unknown.
    """
    lines: list[str] = []
    with member.path.open(
        encoding=_codec(member, encoding), errors="replace", newline=None
    ) as file:
        for line in file:
            lines.append(line.rstrip("\r\n").removeprefix("\ufeff"))
            if len(lines) == count:
                break
    return lines


def load(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    encoding: str,
    *,
    skip: int = 0,
    table: str = "lines",
) -> None:
    """Make table `lines(_file, _row, _raw)` of the lines of files, blank ones left out.

    Args:
        connection: Where the table is made; `_row` is the line number from 1.
        members: The files.
        encoding: Their declared encoding, a Python codec name.
        skip: Lines at the top of each that are no records.
        table: Another name for the table.

    Raises:
        DeliveryRefused: The encoding is unknown or a line is longer than 16 MiB.
    """
    create(connection, table)
    for member in members:
        text = _as_utf8(member, encoding)
        if text.stat().st_size == 0:
            continue
        try:
            _insert(connection, member, _reader(text), skip, table)
        except (pa.ArrowInvalid, duckdb.Error) as error:
            raise DeliveryRefused(
                Problem(member.label, f"the text cannot be read: {error}", "Ask for it again.")
            ) from error


def create(connection: duckdb.DuckDBPyConnection, table: str = "lines") -> None:
    """Make the table that `load` fills, empty."""
    connection.execute(f"create temp table {table} (_file integer, _row bigint, _raw varchar)")


def _reader(text: Path) -> pacsv.CSVStreamingReader:
    return pacsv.open_csv(
        text,
        read_options=pacsv.ReadOptions(column_names=["line"], block_size=_LONGEST_LINE),
        parse_options=pacsv.ParseOptions(
            delimiter=_NO_DELIMITER,
            quote_char=False,
            double_quote=False,
            escape_char=False,
            ignore_empty_lines=False,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={"line": pa.string()}, strings_can_be_null=False
        ),
    )


def _insert(
    connection: duckdb.DuckDBPyConnection,
    member: Member,
    reader: pacsv.CSVStreamingReader,
    skip: int,
    table: str,
) -> None:
    connection.register("lines_of_file", reader)
    try:
        connection.execute(
            f"""
            insert into {table}
            select ?, number, line from (select row_number() over () as number, line
                                         from lines_of_file)
            where number > ? and trim(line) <> ''
            """,
            [member.number, skip],
        )
    finally:
        connection.unregister("lines_of_file")


def _as_utf8(member: Member, encoding: str) -> Path:
    """The file itself when it is clean UTF-8, otherwise a clean copy beside it."""
    codec = _codec(member, encoding)
    if codec == "utf-8" and _is_clean(member.path):
        return member.path
    clean = member.path.with_name(f"{member.path.name}.{member.number}.utf8")
    decoder = codecs.getincrementaldecoder(codec)(errors="replace")
    with member.path.open("rb") as source, clean.open("w", encoding="utf-8", newline="") as target:
        while chunk := source.read(_CHUNK):
            target.write(decoder.decode(chunk).translate(_CONTROL))
        target.write(decoder.decode(b"", final=True).translate(_CONTROL))
    return clean


def _is_clean(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            try:
                text = decoder.decode(chunk)
            except UnicodeDecodeError:
                return False
            if "\ufeff" in text or "\x00" in text or _NO_DELIMITER in text:
                return False
    return not decoder.getstate()[0]


def _codec(member: Member, encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise DeliveryRefused(
            Problem(
                member.label,
                f"'{encoding}' is no known encoding",
                "Correct delivery.csv.encoding in the contract.",
            )
        ) from None
