"""Rows of cells that a reader in Python finds, one by one, taken in bulk to the batch's DuckDB.

What the cells mean (time, device, channels) says the contract; `columns` applies it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple

import duckdb
import pyarrow as pa

from ingestion.deliveries import Member
from ingestion.reading import columns
from ingestion.reading.lines import UNREADABLE
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract
from lakehouse.duck import literal

_AT_ONCE: Final = 20_000
"""Rows that are held in Python before DuckDB takes them."""

_SCHEMA: Final = pa.schema(
    [
        pa.field("_file", pa.int32()),
        pa.field("_row", pa.int64()),
        pa.field("_raw", pa.large_string()),
        pa.field("f", pa.list_(pa.large_string())),
        pa.field("layout_rule", pa.string()),
        pa.field("layout_problem", pa.string()),
    ]
)


class Row(NamedTuple):
    """One record: its address, its text, and its cells or what is wrong with it.

    Attributes:
        file: Member number.
        row: Record number in the member, from 1.
        raw: The record as delivered.
        cells: Texts in the order of `columns.names`, None where empty; none when `rule` speaks.
        rule: Why the record cannot be taken apart.
        reason: The same in words.
    """

    file: int
    row: int
    raw: str
    cells: Sequence[str | None] = ()
    rule: str | None = None
    reason: str | None = None


def reading(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    contract: SourceContract,
    rows: Iterable[Row],
    *,
    header: int = 0,
    group: int = 0,
) -> Reading:
    """Load rows and offer them by the contract's rules.

    Args:
        connection: The batch's; gets the table `cells`.
        members: The files that the rows are from.
        contract: Says what the cells mean; `csv.nullMarkers` and `csv.decimal` hold here too.
        rows: In order of file and row; read once.
        header: Number of the row above the first record, for a contract whose clock is the row.
        group: Number that tells this call's relations from another's in the same batch.
    """
    connection.execute(
        """create temp table cells (_file integer, _row bigint, _raw varchar, f varchar[],
            layout_rule varchar, layout_problem varchar)"""
    )
    left = iter(rows)
    while found := tuple(islice(left, _AT_ONCE)):
        connection.register("found_rows", _table(found))
        connection.execute("insert into cells from found_rows")
        connection.unregister("found_rows")
    place = {name: number for number, name in enumerate(columns.names(contract), start=1)}
    dialect = contract.delivery.csv
    markers = null_markers(contract)

    def cell(name: str) -> str:
        return f"case when f[{place[name]}] not in ({markers}) then f[{place[name]}] end"

    offered = columns.offer(
        connection,
        contract,
        members,
        "cells",
        cell,
        decimal=dialect.decimal,
        group=group,
        header=header,
    )
    return Reading("select _file, _row, _raw from cells", offered, may_be_silent=False)


def null_markers(contract: SourceContract) -> str:
    """SQL of the list of texts that stand for an empty cell."""
    markers = dict.fromkeys(("", *contract.delivery.csv.null_markers))
    return ", ".join(literal(marker) for marker in markers)


def _table(rows: Sequence[Row]) -> pa.Table:
    checked = [_checked(row) for row in rows]
    return pa.table(
        [
            pa.array([row[number] for row in checked], field.type)
            for number, field in enumerate(_SCHEMA)
        ],
        schema=_SCHEMA,
    )


def _checked(row: Row) -> Row:
    """The row, marked when it holds what is no text: bytes, or half of a surrogate pair."""
    if not row.raw.isascii() or any(cell and not cell.isascii() for cell in row.cells):
        raw, cells = _sound(row.raw), [_sound(cell) if cell else cell for cell in row.cells]
        if UNREADABLE in raw or any(cell and UNREADABLE in cell for cell in cells):
            rule, reason = row.rule or "encoding", row.reason or "characters that are no text"
            return Row(row.file, row.row, raw, (), rule, reason)
    return row


def _sound(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
