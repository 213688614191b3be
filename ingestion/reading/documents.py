"""JSON documents of a batch: one a line, or one a file.

What is no whole JSON document, or holds bytes that are no text, is marked and never stops the
others. A document is a record, unless a format takes records out of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import duckdb
import pyarrow as pa

from ingestion.deliveries import Member
from ingestion.reading import lines, long_numbers
from lakehouse.contracts import SourceContract
from lakehouse.duck import literal

_AT_ONCE: Final = 32 << 20
"""Bytes of files that are handed to DuckDB together."""


def load(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> None:
    """Make table `documents(_file, _row, _raw, document, rule, reason)`.

    `_row` is the line number, or 1 when a file is one document; `document` is JSON, null where
    `rule` says why the text is none.
    """
    load_texts(connection, members, contract)
    connection.execute(
        f"""
        create temp table documents as
        select *, {damage("document is null")} as rule, {DAMAGE_REASON} as reason
        from (select *, try_cast(_raw as json) as document from lines)
        """
    )


def load_texts(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> None:
    """Make table `lines(_file, _row, _raw)`: the text of each document, not yet looked at.

    Numbers that DuckDB would shorten stand in quotes: it is a text then that keeps its digits.
    """
    if contract.delivery.framing == "lines":
        lines.load(connection, members, "utf-8")
    else:
        lines.create(connection)
        for texts in _texts(members):
            connection.register("texts", texts)
            connection.execute("insert into lines from texts")
            connection.unregister("texts")
    for member in members:
        if long_numbers.are_in(member.path):
            _quote_long_numbers(connection, member)


def _quote_long_numbers(connection: duckdb.DuckDBPyConnection, member: Member) -> None:
    found = connection.execute(
        """select rowid, _raw from lines
        where _file = ? and regexp_matches(_raw, '[0-9.]{18}')""",
        [member.number],
    ).fetchall()
    changed = [(text, row) for row, raw in found if (text := long_numbers.quoted(raw)) != raw]
    if changed:
        connection.executemany("update lines set _raw = ? where rowid = ?", changed)


def damage(is_no_json: str) -> str:
    """SQL of the rule that a text breaks which is no document, else null."""
    return f"""case when contains(_raw, {literal(lines.UNREADABLE)}) then 'encoding'
        when {is_no_json} then 'layout' end"""


DAMAGE_REASON: Final = """case rule
    when 'encoding' then 'bytes that are not utf-8'
    when 'layout' then 'this is not a whole JSON document' end"""


def _texts(members: Sequence[Member]) -> Iterator[pa.Table]:
    """The files as rows of `lines`, a few at a time."""
    found: list[tuple[int, str]] = []
    size = 0
    for number, member in enumerate(members, start=1):
        content = member.path.read_bytes()
        found.append((member.number, content.decode("utf-8-sig", errors="replace")))
        size += len(content)
        if size >= _AT_ONCE or number == len(members):
            yield pa.table(
                {
                    "_file": pa.array([number for number, _ in found], pa.int32()),
                    "_row": pa.array([1] * len(found), pa.int64()),
                    "_raw": pa.array([text for _, text in found], pa.large_string()),
                }
            )
            found, size = [], 0
