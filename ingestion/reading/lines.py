"""Text files as numbered lines in UTF-8, with every byte that is not text marked.

Lines are what a person finds again in an editor, so a line number is a row's address in its
delivery. Bytes that the declared encoding does not allow become U+FFFD; rows that carry one are
quarantined by the readers, the rest of the file goes on.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv

from ingestion.archives import unreadable
from ingestion.deliveries import Member
from lakehouse.errors import DeliveryRefused, Problem

UNREADABLE: Final = "�"
_CHUNK: Final = 1 << 20
_LONGEST_LINE: Final = 16 << 20
_SMALL: Final = 1 << 20
"""Bytes up to which a file is read whole; thousands of small files are a common delivery."""
_AT_ONCE: Final = 32 << 20
"""Bytes of small files that are handed to DuckDB together."""
_READ_ERROR: Final = "failed(): IOError:"
"""What Arrow calls a failing disk where DuckDB hands its errors on."""
_NO_DELIMITER: Final = "\x1f"
_FILLED: Final = "not regexp_full_match({}, '\\pZ*')"
"""Whether a line is not blank; DuckDB's trim would cost more than reading the line."""
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
        SourceUnavailable: The machine could not read a file.
    """
    create(connection, table)
    try:
        _load(connection, members, encoding, skip, table)
    except (OSError, duckdb.IOException) as error:
        names = ", ".join(dict.fromkeys(member.label for member in members))
        raise unreadable(names[:300], error) from error


def _load(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    encoding: str,
    skip: int,
    table: str,
) -> None:
    done = _load_small(connection, members, skip, table) if _is_utf8(members, encoding) else set()
    for member in members:
        if member.number in done or _is_empty(member, encoding):
            continue
        try:
            _insert(connection, member, _reader(_as_utf8(member, encoding)), skip, table)
        except (pa.ArrowInvalid, duckdb.InvalidInputException) as error:
            if _READ_ERROR in str(error):
                raise unreadable(member.label, error) from error
            raise DeliveryRefused(
                Problem(member.label, f"the text cannot be read: {error}", "Ask for it again.")
            ) from error


def create(connection: duckdb.DuckDBPyConnection, table: str = "lines") -> None:
    """Make the table that `load` fills, empty."""
    connection.execute(f"create temp table {table} (_file integer, _row bigint, _raw varchar)")


def _is_utf8(members: Sequence[Member], encoding: str) -> bool:
    return bool(members) and _codec(members[0], encoding) == "utf-8"


def _load_small(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], skip: int, table: str
) -> set[int]:
    """Load the small files that are clean UTF-8, many in one statement; their numbers.

    The others, and those whose name would be taken for a pattern, are left to be read one by one.
    """
    unclean = " or ".join(f"contains(text, chr({ord(sign)}))" for sign in ("\r", *_NO_TEXT))
    for group in _groups(members):
        connection.register(
            "small_files",
            pa.table({"filename": list(group), "_file": pa.array(group.values(), pa.int32())}),
        )
        connection.execute(
            f"""
            insert into {table}
            select * from (
                select _file, generate_subscripts(cut, 1) as _row, unnest(cut) as _raw
                from (
                    select _file, string_split(text, chr(10)) as cut
                    from (select filename, try(decode(content)) as text from read_blob(?))
                        join small_files using (filename)
                    where text is not null and not ({unclean})
                )
            ) where _row > ? and {_FILLED.format("_raw")}
            """,
            [list(group), skip],
        )
        connection.unregister("small_files")
    # A file without any line is read once more, and has none then either.
    return {row[0] for row in connection.execute(f"select distinct _file from {table}").fetchall()}


def _groups(members: Sequence[Member]) -> Iterator[dict[str, int]]:
    """Paths and numbers of small files, some megabytes at a time."""
    group: dict[str, int] = {}
    size = 0
    for member in members:
        path, bytes_there = str(member.path), member.path.stat().st_size
        if bytes_there > _SMALL or path in group or any(sign in path for sign in "*?["):
            continue
        if size + bytes_there > _AT_ONCE:
            yield group
            group, size = {}, 0
        group[path] = member.number
        size += bytes_there
    if group:
        yield group


def _reader(text: pa.NativeFile) -> pacsv.CSVStreamingReader:
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
            where number > ? and {_FILLED.format("line")}
            """,
            [member.number, skip],
        )
    finally:
        connection.unregister("lines_of_file")


def _is_empty(member: Member, encoding: str) -> bool:
    """Whether a file holds nothing but byte order marks; Arrow takes no empty text."""
    with member.path.open(encoding=_codec(member, encoding), errors="replace") as file:
        return not any(part.strip("\ufeff") for part in iter(partial(file.read, 1024), ""))


def _as_utf8(member: Member, encoding: str) -> pa.NativeFile:
    """A file's text in UTF-8, made while it is read."""
    decoder = codecs.getincrementaldecoder(_codec(member, encoding))(errors="replace")

    def marked(block: pa.Buffer) -> bytes:
        if not block.size:  # the end of the file
            return _marked(decoder.decode(b"", final=True))
        parts = (block[at : at + _CHUNK].to_pybytes() for at in range(0, block.size, _CHUNK))
        return b"".join(_marked(decoder.decode(part)) for part in parts)

    return pa.TransformInputStream(pa.OSFile(str(member.path)), marked)


def _marked(text: str) -> bytes:
    # Looking for signs that most text has not is far quicker than translating it.
    is_odd = any(sign in text for sign in _NO_TEXT)
    return (text.translate(_CONTROL) if is_odd else text).encode()


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
