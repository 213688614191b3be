"""How a delimited text is written: encoding, delimiter, quotes, decimal sign, header.

Encodings are told apart by strict decoding: what is no UTF-8 is one of three single-byte ones,
by how many of its odd bytes become letters and signs that are used here. A detector of ninety
encodings guesses more and explains less: charset-normalizer 3.5.2 takes Swedish in cp1252 for
cp1250 and in cp850 for cp852, or cp775. DuckDB's sniffer is asked for its
opinion, which is told beside ours where it differs, and never taken.
"""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from ingestion.onboarding.tables import looks_like_number
from lakehouse.duck import connect, literal
from lakehouse.errors import DeliveryRefused, Problem

DELIMITERS: Final = (";", ",", "\t", "|")
_SINGLE_BYTE: Final = ("cp1252", "iso-8859-1", "cp850")
_USUAL: Final = frozenset("åäöÅÄÖéÉüÜßøØæÆèàáíóúñç°µ²³–’§·×±")
_LINES: Final = 2000


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the files of a sample are written.

    Attributes:
        encoding: Python codec name.
        delimiter: Between cells.
        quote: Around cells, or None when no cell is quoted.
        decimal: Decimal sign.
        header_row: Line of the header, from 1.
        header: The names in it.
        has_extra: Whether the header has empty or doubled names, or rows differ in their width.
        remarks: What a person should look at.
    """

    encoding: str
    delimiter: str
    quote: str | None
    decimal: str
    header_row: int
    header: tuple[str, ...]
    has_extra: bool
    remarks: tuple[str, ...] = ()


def decode(content: bytes) -> tuple[str, str]:
    """The text of bytes and the encoding that allows every one of them."""
    for mark, name in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(name, errors="replace"), name
    try:
        return content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        readings = [(_familiar(content, name), -n, name) for n, name in enumerate(_SINGLE_BYTE)]
        name = max(readings)[2]
        return content.decode(name, errors="replace"), name


def _familiar(content: bytes, encoding: str) -> float:
    """Share of a text's signs beyond ASCII that people use here; -1 when it cannot be decoded."""
    try:
        odd = [sign for sign in content.decode(encoding) if ord(sign) > 127]
    except UnicodeDecodeError:
        return -1.0
    return sum(sign in _USUAL for sign in odd) / max(1, len(odd))


def find(content: bytes, place: str) -> Dialect:
    """The dialect of a delimited file.

    Args:
        content: Its beginning.
        place: Its name, for messages.

    Raises:
        DeliveryRefused: It is no table, or has no line that names its columns.
    """
    text, encoding = decode(content)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:_LINES]
    delimiter, width = _delimiter(lines, place)
    rows = [cut(line, delimiter) for line in lines]
    row = _header_row(rows, width, place)
    header = tuple(name.strip() for name in rows[row])
    body = [cells for line, cells in zip(lines[row + 1 :], rows[row + 1 :], strict=True) if line]
    is_quoted = any('"' in line for line in lines[row:])
    odd = sum(len(cells) != len(header) for cells in body)
    has_extra = len(set(header) - {""}) < len(header) or odd > 0.2 * len(body)
    decimal = _decimal(body)
    remarks = _opinion(text, delimiter, row) if odd > 0.05 * len(body) else []
    if encoding != "utf-8":
        word = next((w for w in text.split() if any(ord(sign) > 127 for sign in w)), "")
        remarks.append(f"the bytes are no UTF-8; read as {encoding} they give words like '{word}'")
    return Dialect(
        encoding, delimiter, '"' if is_quoted else None, decimal, row + 1, header, has_extra,
        tuple(remarks),
    )  # fmt: skip


def cut(line: str, delimiter: str) -> list[str]:
    """The cells of one line."""
    return next(csv.reader([line], delimiter=delimiter), [])


def _delimiter(lines: Sequence[str], place: str) -> tuple[str, int]:
    """The sign that cuts most lines into the same number of cells, at least two."""
    filled = [line for line in lines if line.strip()]
    found: list[tuple[float, int, str]] = []
    for sign in DELIMITERS:
        widths = Counter(len(cut(line, sign)) for line in filled)
        width, lines_of_it = max(widths.items(), key=lambda pair: (pair[0] > 1, pair[1]))
        if width > 1:
            found.append((round(lines_of_it / len(filled), 1), width, sign))
    if not found:
        raise DeliveryRefused(
            Problem(
                place,
                "no format fits: it is no JSON, no XML, and no sign cuts its lines into cells",
                "Write the contract by hand (docs/add_a_source.md), or ask what the file is.",
            )
        )
    _, width, sign = max(found)
    return sign, width


def _header_row(rows: list[list[str]], width: int, place: str) -> int:
    """Number from 0 of the first row as wide as most whose next row looks like data."""
    for number, cells in enumerate(rows[:-1]):
        names = [cell.strip() for cell in cells]
        while names and not names[-1]:
            names.pop()
        below = rows[number + 1 : number + 4]
        while below and not any(below[-1]) and len(rows) <= number + 4:
            below.pop()
        # Blocks above the table have names with one row of values, too.
        is_table = bool(below) and all(len(row) >= width and _has_values(row) for row in below)
        if is_table and _has_values(names) and len(cells) >= width:
            break
        if is_table and len(names) > 1 and not _has_values(names) and len(cells) >= width:
            return number
    shown = ", ".join(rows[0][:6]) if rows else ""
    raise DeliveryRefused(
        Problem(
            place,
            f"no line names the columns: it begins with '{shown}'",
            "Ask for files with a header; a contract calls columns by their names.",
        )
    )


def _has_values(cells: Sequence[str]) -> bool:
    """Whether a row holds numbers or times, which no header does."""
    return any(
        looks_like_number(cell) or (cell[:4].isdigit() and cell[4:5] in "-/.") for cell in cells
        if cell.strip()
    )  # fmt: skip


def _decimal(rows: Sequence[Sequence[str]]) -> str:
    """The decimal sign: the one that more cells are numbers with."""
    cells = [cell.strip() for row in rows for cell in row if looks_like_number(cell)]
    commas = sum("," in cell for cell in cells)
    return "," if commas > sum("." in cell for cell in cells) else "."


def _opinion(text: str, delimiter: str, header: int) -> list[str]:
    """What DuckDB's sniffer thinks, where it differs."""
    with (
        tempfile.TemporaryDirectory(prefix="sjostad-sniff-") as folder,
        connect(extensions=()) as db,
    ):
        path = Path(folder) / "sample.csv"
        path.write_text(text, encoding="utf-8")
        query = f"select Delimiter, SkipRows, HasHeader from sniff_csv({literal(path)})"
        try:
            sign, skipped, has_header = db.execute(query).fetchall()[0]
        except duckdb.Error:
            return ["DuckDB's sniffer makes no table of it"]
    if sign != delimiter:
        return [f"DuckDB's sniffer takes '{sign}' for the delimiter"]
    if not has_header or skipped != header:
        told = f"on line {skipped + 1}" if has_header else "nowhere"
        return [f"DuckDB's sniffer sees the header {told}"]
    return []
