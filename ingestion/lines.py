"""Text files as numbered lines in UTF-8, with every byte that is not text marked.

Lines are what a person finds again in an editor, so a line number is a row's address in its
delivery. Bytes that the declared encoding does not allow become U+FFFD; rows that carry one are
quarantined by the readers, the rest of the file goes on.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from ingestion.deliveries import Member
from lakehouse.errors import DeliveryRefused, Problem

UNREADABLE: Final = "�"
TABLE: Final = "create temp table lines (_file integer, _row bigint, _raw varchar)"
_CHUNK: Final = 1 << 20
_LONGEST_LINE: Final = 16 << 20
_SMALL: Final = 1 << 20
"""Bytes up to which a file is read whole; thousands of small files are a common delivery."""
_AT_ONCE: Final = 32 << 20
"""Bytes of small files that are handed to DuckDB together."""
_NO_DELIMITER: Final = "\x1f"
_NO_TEXT: Final = (_NO_DELIMITER, "\x00", "\ufeff")
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
) -> None:
    """Make table `lines(_file, _row, _raw)` of the lines of files, blank ones left out.

    Args:
        connection: Where the table is made; `_row` is the line number from 1.
        members: The files.
        encoding: Their declared encoding, a Python codec name.
        skip: Lines at the top of each that are no records.

    Raises:
        DeliveryRefused: The encoding is unknown or a line is longer than 16 MiB.
    """
    connection.execute(TABLE)
    is_small = {member.number: member.path.stat().st_size <= _SMALL for member in members}
    for table in _small_files([m for m in members if is_small[m.number]], encoding):
        connection.register("lines_of_files", table)
        connection.execute(
            f"insert into lines from lines_of_files where _row > ? and {_is_filled('_raw')}", [skip]
        )
        connection.unregister("lines_of_files")
    for member in members:
        if is_small[member.number]:
            continue
        text = _as_utf8(member, encoding)
        if text.stat().st_size == 0:
            continue
        try:
            _insert(connection, member, _reader(text), skip)
        except (pa.ArrowInvalid, duckdb.Error) as error:
            raise DeliveryRefused(
                Problem(member.label, f"the text cannot be read: {error}", "Ask for it again.")
            ) from error


def _is_filled(line: str) -> str:
    """SQL: whether a line is not blank; trimming long ones would cost more than reading them."""
    return f"""case when strlen({line}) <= 200 then trim({line}) <> ''
        else regexp_matches({line}, '[^ ]') end"""


def _small_files(members: Sequence[Member], encoding: str) -> Iterator[pa.Table]:
    """Tables like `lines` of the lines of files, some files at a time."""
    texts: list[bytes] = []
    numbers: list[int] = []
    size = 0
    for member in members:
        texts.append(_small_text(member, encoding))
        numbers.append(member.number)
        size += len(texts[-1])
        if size >= _AT_ONCE or member is members[-1]:
            yield _split(numbers, texts)
            texts, numbers, size = [], [], 0


def _small_text(member: Member, encoding: str) -> bytes:
    """The text of a file as clean UTF-8 with one kind of line end."""
    content = member.path.read_bytes()
    codec = _codec(member, encoding)
    text = content.decode(codec, errors="replace")
    if UNREADABLE in text or codec != "utf-8" or any(sign in text for sign in _NO_TEXT):
        content = text.translate(_CONTROL).encode()
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content


def _split(numbers: list[int], texts: list[bytes]) -> pa.Table:
    """A table like `lines` of the lines of texts, blank ones as well."""
    # Arrow would check again, slowly, what has been decoded once.
    whole = pa.array(texts, pa.large_binary()).view(pa.large_string())
    split = pc.split_pattern(whole, "\n")
    counts = pc.list_value_length(split).to_numpy()
    ends = np.cumsum(counts)
    rows = np.arange(1, counts.sum() + 1) - np.repeat(ends - counts, counts)
    return pa.table(
        {
            "_file": pa.array(np.repeat(np.array(numbers, np.int32), counts)),
            "_row": pa.array(rows, pa.int64()),
            "_raw": pc.list_flatten(split),
        }
    )


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
) -> None:
    connection.register("lines_of_file", reader)
    try:
        connection.execute(
            f"""
            insert into lines
            select ?, number, line from (select row_number() over () as number, line
                                         from lines_of_file)
            where number > ? and {_is_filled("line")}
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
            if any(sign in text for sign in _NO_TEXT):
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
