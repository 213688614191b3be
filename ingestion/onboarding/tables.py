"""A sample as rows of named cells, whichever format it came in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

MOST_ROWS: Final = 50_000
NOTHING: Final = frozenset(("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "-", "--",
                            "..", "saknas", "#N/A"))  # fmt: skip
"""Texts that stand for no value, wherever data are."""
_NUMBER: Final = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


@dataclass(slots=True)
class Table:
    """Rows of cells by column, all columns of the same length.

    Attributes:
        cells: The cells of each column as delivered; None where there is none.
        files: The member each row is from.
        decimal: The decimal sign of its numbers.
        titles: What a document says of a column beyond its name, such as its unit.
    """

    cells: dict[str, list[str | None]]
    files: list[int]
    decimal: str = "."
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Rows."""
        return len(self.files)

    def filled(self, name: str) -> list[str]:
        """The cells of a column that say something."""
        return [cell for cell in self.cells[name] if cell is not None and cell not in NOTHING]

    def number(self, cell: str | None) -> float | None:
        """A cell as a number; None when it is none."""
        return as_number(cell, self.decimal)

    def numbers(self, name: str) -> list[float]:
        """The cells of a column that are numbers."""
        found = (self.number(cell) for cell in self.filled(name))
        return [value for value in found if value is not None]

    def is_number(self, name: str) -> bool:
        """Whether a column carries numbers: most of what it says; the rest goes to quarantine."""
        filled = self.filled(name)
        return bool(filled) and len(self.numbers(name)) >= 0.75 * len(filled)


def as_number(cell: str | None, decimal: str = ".") -> float | None:
    """A text as a number with that decimal sign; None when it is none."""
    if cell is None:
        return None
    text = cell.strip()
    if not _NUMBER.fullmatch(text) or ("," if decimal == "." else ".") in text:
        return None
    return float(text.replace(",", "."))


def looks_like_number(cell: str) -> bool:
    """Whether a text is a number with either decimal sign."""
    return bool(_NUMBER.fullmatch(cell.strip()))


def of_rows(rows: Iterator[tuple[int, Mapping[str, str | None]]], decimal: str = ".") -> Table:
    """A table of rows that may each have other columns.

    Args:
        rows: Pairs of member and cells by column.
        decimal: The decimal sign of its numbers.
    """
    cells: dict[str, list[str | None]] = {}
    files: list[int] = []
    for number, (file, row) in enumerate(rows):
        if number == MOST_ROWS:
            break
        for name in row:
            if name not in cells:
                cells[name] = [None] * number
        for name, column in cells.items():
            column.append(row.get(name))
        files.append(file)
    return Table(cells, files, decimal)


def with_header(
    header: Sequence[str], rows: Iterator[tuple[int, Sequence[str]]], decimal: str = "."
) -> Table:
    """A table of rows under a header; cells right of it are left alone.

    So are columns that most rows end before: prose beside the first rows of a table.
    """
    names = [name.strip() for name in header]
    kept = [place for place, name in enumerate(names) if name and names.count(name) == 1]

    def named() -> Iterator[tuple[int, dict[str, str | None]]]:
        for file, row in rows:
            yield file, {names[p]: (row[p] if p < len(row) else None) for p in kept}

    table = of_rows(named(), decimal)
    short = [name for name, cells in table.cells.items() if cells.count(None) > len(cells) / 50]
    for name in short:
        del table.cells[name]
    return table
