"""Spreadsheets (.xlsx), the last resort when nothing else is delivered.

`delivery.records` names the sheet, unless there is only one; `csv.headerRow` says which row names
the columns. Dates and times become ISO 8601, formulas the value that Excel last saw. A sheet that
reaches the last row its format allows was probably cut there and is refused, as is the older .xls,
whose limit of 65,536 rows has cut more than any other.

Source: ECMA-376, read by openpyxl; row limits of Excel.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

import duckdb

from ingestion.archives import entries
from ingestion.deliveries import Member
from ingestion.reading import cells, columns
from ingestion.reading.cells import Row
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract
from lakehouse.errors import DeliveryRefused, Problem

LAST_ROW: Final = 1_048_576
MAX_BYTES: Final = 512 << 20
"""Unpacked bytes of a workbook; its shared texts are read into memory whole."""
MAX_PARTS: Final = 10_000
"""Parts of a workbook, which has some for each sheet; a million would be an object each."""
_OLD: Final = b"\xd0\xcf\x11\xe0"


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
    header = contract.delivery.csv.header_row
    titles: list[str] = []
    places: list[int] = []
    number = last = 0
    for number, row in enumerate(sheet(member, contract.delivery.records), start=1):
        if number < header:
            continue
        texts = [text_of(cell) for cell in row]
        if number == header:
            titles = [(text or "").strip() for text in texts]
            columns.require(contract, titles, f"{member.label}, row {header}")
            places = [titles.index(name) for name in columns.names(contract)]
        elif any(texts):
            last = number  # formats alone often reach to the end of the sheet
            raw = json.dumps(dict(zip(titles, texts, strict=False)), ensure_ascii=False)
            found = [texts[place] if place < len(texts) else None for place in places]
            yield Row(member.number, number, raw, found)
    if number < header:
        raise DeliveryRefused(
            Problem(
                member.label,
                f"the header should be in row {header}, the sheet has {number}",
                "Correct delivery.csv.headerRow, or ask for the file again.",
            )
        )
    if last >= LAST_ROW:
        raise DeliveryRefused(
            Problem(
                member.label,
                f"the sheet has {last} rows, all that it can hold; more were probably cut off",
                "Ask for CSV, or for several files.",
            )
        )


def sheets(member: Member) -> list[str]:
    """The names of a workbook's sheets, in its order.

    Raises:
        DeliveryRefused: It is no workbook that can be read.
    """
    import openpyxl

    _require_workbook(member)
    try:
        with member.path.open("rb") as file:
            return list(openpyxl.load_workbook(file, read_only=True).sheetnames)
    except Exception as error:  # openpyxl lets any error of a damaged file through
        what = f"this is no readable spreadsheet: {type(error).__name__} {error}"
        raise DeliveryRefused(Problem(member.label, what[:500], "Ask for CSV.")) from error


def sheet(member: Member, name: str | None) -> Iterator[tuple[object, ...]]:
    """The rows of a sheet, as a stream; every way a workbook can be bad becomes a refusal."""
    import openpyxl

    _require_workbook(member)
    try:
        with member.path.open("rb") as file:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            if name is None and len(book.sheetnames) == 1:
                name = book.sheetnames[0]
            if name not in book.sheetnames:
                what = f"there is no sheet '{name}'" if name else "there are several sheets"
                remedy = f"Write one as delivery.records: {', '.join(book.sheetnames)[:300]}."
                raise DeliveryRefused(Problem(member.label, what, remedy))
            # Without the bound, one cell that claims a far row would make billions of empty ones.
            yield from book[name].iter_rows(max_row=LAST_ROW, values_only=True)
    except DeliveryRefused:
        raise
    except Exception as error:  # openpyxl lets any error of a damaged file through
        what = f"this is no readable spreadsheet: {type(error).__name__} {error}"
        raise DeliveryRefused(Problem(member.label, what[:500], "Ask for CSV.")) from error


def _require_workbook(member: Member) -> None:
    """Refuse what is no .xlsx, and one that unpacks too large, before it is opened."""
    with member.path.open("rb") as file:
        is_old = file.read(4) == _OLD
    what = "this is an .xls of before 2007" if is_old else None
    if entries(member.path) > MAX_PARTS:
        remedy = "Ask for CSV, or for an .xlsx."
        raise DeliveryRefused(
            Problem(member.label, f"the workbook holds more than {MAX_PARTS:,} parts", remedy)
        )
    try:
        with zipfile.ZipFile(member.path) as packed:
            size = sum(part.file_size for part in packed.infolist())
        if size > MAX_BYTES:
            what = f"the workbook unpacks to {size >> 20} MiB, more than {MAX_BYTES >> 20}"
    except zipfile.BadZipFile as error:
        what = what or f"this is no readable spreadsheet: {error}"
    if what:
        raise DeliveryRefused(Problem(member.label, what, "Ask for CSV, or for an .xlsx."))


def text_of(cell: object) -> str | None:
    """The text of a cell; None when it is empty."""
    match cell:
        case None | "":
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
