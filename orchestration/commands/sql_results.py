"""What a query came to, as a table for people or as CSV, JSON or Parquet, all with times in UTC.

Rows are passed on batch by batch, so that a result may be larger than memory. A table shows the
first rows and the columns that fit, and says what it leaves out; the other formats leave out
nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_CELL: Final = 60
_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Result:
    """What a query gives: its columns, and its rows to be read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def write(result: Result, form: str, file: IO[bytes]) -> None:
    """Write all rows of a result to a binary file, as `csv`, `json` or `parquet`."""
    if form == "parquet":
        with pq.ParquetWriter(file, result.schema, compression="zstd") as parquet:
            for batch in result.batches:
                parquet.write_batch(batch)
    elif form == "csv":
        schema = _as_text(result.schema.empty_table()).schema
        with pacsv.CSVWriter(file, schema) as lines:
            for batch in result.batches:
                lines.write_table(_as_text(pa.Table.from_batches([batch])))
    else:
        _write_json(result, file)


def show(result: Result, console: Console, limit: int) -> None:
    """Print the first rows as a table, and how many there are.

    On a terminal the columns that do not fit are named below the table instead.
    """
    rows, total = _first(result, limit)
    names = result.schema.names
    cells = [[_cell(row[number]) for row in rows] for number in range(len(names))]
    widths = [
        max(cell_len(text) for text in (name, *column))
        for name, column in zip(names, cells, strict=True)
    ]
    fitting = _fitting(widths, console.width) if console.is_terminal else len(names)
    table = Table(box=SIMPLE_HEAD, header_style="dim", padding=(0, 1, 0, 0), pad_edge=False,
                  show_edge=False)  # fmt: skip
    for field in list(result.schema)[:fitting]:
        is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        is_number = is_number or pa.types.is_decimal(field.type)
        table.add_column(Text(_printable(field.name)), justify="right" if is_number else "left",
                         no_wrap=True)  # fmt: skip
    for row in zip(*cells[:fitting], strict=True):
        table.add_row(*map(Text, row))
    if not console.is_terminal:
        console.width = max(console.width, sum(widths) + _GAP * len(widths))
    console.print(table)
    counted = f"{total:,} row" + ("" if total == 1 else "s")
    console.print(Text(f"first {limit:,} of {counted}" if total > limit else counted, "dim"))
    if fitting < len(names):
        left = ", ".join(map(_printable, names[fitting:]))
        console.print(
            Text(f"{len(names) - fitting} of {len(names)} columns do not fit: {left}", "dim")
        )


def _first(result: Result, limit: int) -> tuple[list[tuple[Any, ...]], int]:
    """The first rows of a result, and how many it has."""
    rows: list[tuple[Any, ...]] = []
    total = 0
    for batch in result.batches:
        total += batch.num_rows
        wanted = limit - len(rows)
        if wanted > 0:
            rows += islice(_rows(_as_text(pa.Table.from_batches([batch.slice(0, wanted)]))), wanted)
    return rows, total


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _fitting(widths: Sequence[int], width: int) -> int:
    """How many of the first columns a line holds; one at least."""
    used = 0
    for number, one in enumerate(widths):
        used += one + _GAP
        if used > width and number:
            return number
    return len(widths)


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    text = _printable(str(value))
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _printable(text: str) -> str:
    """A text that cannot steer the terminal: delivered data may hold anything."""
    return "".join(one if one.isprintable() else "�" for one in text)


def _as_text(table: pa.Table, *, is_nested_kept: bool = False) -> pa.Table:
    """The same rows with times in UTC, durations and, unless kept, nested values as text."""
    for number, field in enumerate(table.schema):
        if is_nested_kept and pa.types.is_nested(field.type):
            continue
        if (texts := _texts(table.column(number), field.type)) is not None:
            table = table.set_column(number, pa.field(field.name, texts.type), texts)
    return table


def _texts(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    if pa.types.is_timestamp(kind):
        mark = "Z" if kind.tz else ""
        seconds = pc.strftime(
            pc.cast(column, pa.timestamp("us", kind.tz)), f"%Y-%m-%dT%H:%M:%S{mark}"
        )
        return pc.replace_substring_regex(
            pc.replace_substring_regex(seconds, r"(\.\d*?)0+(Z?)$", r"\1\2"), r"\.(Z?)$", r"\1"
        )
    if pa.types.is_nested(kind):
        values = [None if one is None else _json(one) for one in column.to_pylist()]
        return pa.chunked_array([pa.array(values, pa.string())])
    is_plain = (
        pa.types.is_primitive(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_null(kind)
    )
    if is_plain and not pa.types.is_interval(kind):
        return None
    values = [None if one is None else _told(one) for one in column.to_pylist()]
    return pa.chunked_array([pa.array(values, pa.string())])


def _told(value: object) -> str:
    """A value in words; an interval as ISO 8601 writes it."""
    if isinstance(value, pa.MonthDayNano):
        return f"P{value.months}M{value.days}DT{value.nanoseconds / 1e9:g}S"
    return str(value)


def _write_json(result: Result, file: IO[bytes]) -> None:
    """An array with one object a line."""
    names, before = result.schema.names, "[\n"
    for batch in result.batches:
        for row in _rows(_as_text(pa.Table.from_batches([batch]), is_nested_kept=True)):
            file.write(f"{before}{_json(dict(zip(names, row, strict=True)))}".encode())
            before = ",\n"
    file.write(("[]\n" if before == "[\n" else "\n]\n").encode())


def _json(value: object) -> str:
    return json.dumps(_sayable(value), ensure_ascii=False, default=str)


def _sayable(value: Any) -> Any:  # noqa: ANN401 - a value is anything
    """A value as JSON can say it: not a number becomes text, and a whole decimal a number."""
    if isinstance(value, dict):
        return {str(key): _sayable(one) for key, one in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [_sayable(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
