"""Spreadsheets (.xlsx, .xls, .xlsb, .ods): the last resort, when nothing else is delivered.

`delivery.records` names the sheet, unless there is only one; `csv.headerRow` says which row names
the columns. Dates and times become ISO 8601, whole numbers are written without a point. A sheet
that reaches the last row its format allows was probably cut there and is refused. An error in a
cell (#N/A) reads as an empty one.

Source: ECMA-376 and [MS-XLS], read by calamine; row limits of Excel.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

import duckdb
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from ingestion import cells, columns
from ingestion.cells import Row
from ingestion.deliveries import Member
from ingestion.offered import Reading
from lakehouse.contracts import SourceContract
from lakehouse.errors import DeliveryRefused, Problem

LAST_ROW: Final = {"xls": 65_536, "xlsx": 1_048_576}
_MAX_BYTES: Final = 512 << 20
"""Unpacked bytes of a workbook, which is read into memory whole."""


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read spreadsheets.

    Raises:
        DeliveryRefused: A file is none, lacks the sheet or a column, or was probably cut.
    """
    header = contract.delivery.csv.header_row
    rows = (row for member in members for row in _rows(member, contract))
    return cells.reading(connection, members, contract, rows, header=header)


def _rows(member: Member, contract: SourceContract) -> Iterator[Row]:
    sheet = _sheet(member, contract.delivery.records)
    header = contract.delivery.csv.header_row
    table = sheet.to_python(skip_empty_area=False)
    if len(table) < header:
        raise DeliveryRefused(
            Problem(
                member.label,
                f"the header should be in row {header}, the sheet has {len(table)}",
                "Correct delivery.csv.headerRow, or ask for the file again.",
            )
        )
    titles = [(_text(cell) or "").strip() for cell in table[header - 1]]
    columns.require(contract, titles, f"{member.label}, row {header}")
    places = [titles.index(name) for name in columns.names(contract)]
    for number, row in enumerate(table[header:], start=header + 1):
        texts = [_text(cell) for cell in row]
        if any(texts):
            raw = json.dumps(dict(zip(titles, texts, strict=False)), ensure_ascii=False)
            yield Row(member.number, number, raw, [texts[place] for place in places])


def _sheet(member: Member, name: str | None) -> CalamineSheet:
    kind = _kind(member)
    try:
        with member.path.open("rb") as file:
            book = CalamineWorkbook.from_filelike(file)
        if name is None and len(book.sheet_names) == 1:
            name = book.sheet_names[0]
        if name not in book.sheet_names:
            what = f"there is no sheet '{name}'" if name else "there are several sheets"
            raise DeliveryRefused(
                Problem(
                    member.label,
                    what,
                    f"Write one as delivery.records: {', '.join(book.sheet_names)[:300]}.",
                )
            )
        sheet = book.get_sheet_by_name(name)
    except (CalamineError, OSError, ValueError) as error:
        raise DeliveryRefused(
            Problem(member.label, f"this is no readable spreadsheet: {error}", "Ask for CSV.")
        ) from error
    if sheet.height >= LAST_ROW[kind]:
        raise DeliveryRefused(
            Problem(
                f"{member.label}, sheet {name}",
                f"it has {sheet.height} rows, all that {kind} can hold; more were probably cut off",
                "Ask for CSV, or for several files.",
            )
        )
    return sheet


def _kind(member: Member) -> str:
    """Which row limit holds, by the file's first bytes; refuses one that unpacks too large."""
    with member.path.open("rb") as file:
        if file.read(2) != b"PK":
            return "xls"
    try:
        with zipfile.ZipFile(member.path) as packed:
            size = sum(part.file_size for part in packed.infolist())
    except zipfile.BadZipFile as error:
        raise DeliveryRefused(
            Problem(member.label, f"this is no readable spreadsheet: {error}", "Ask for it again.")
        ) from error
    if size > _MAX_BYTES:
        raise DeliveryRefused(
            Problem(
                member.label,
                f"the workbook unpacks to {size >> 20} MiB, more than {_MAX_BYTES >> 20}",
                "Ask for CSV.",
            )
        )
    return "xlsx"


def _text(cell: object) -> str | None:
    """The text of a cell; None when it is empty."""
    match cell:
        case "":
            return None
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer() and abs(cell) < 2**53:
            return str(int(cell))
        case datetime() | date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell.total_seconds())
    return str(cell)
