"""Reading a sample into rows of named cells, by the format it was recognised as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb

from ingestion.deliveries import Member
from ingestion.formats import excel
from ingestion.formats.json_paths import decoded
from ingestion.onboarding import dialects, json_shapes, xml_shapes
from ingestion.onboarding.annotated import Said, counted, listed
from ingestion.onboarding.recognition import Recognised
from ingestion.onboarding.samples import Sample
from ingestion.onboarding.tables import MOST_ROWS, Table, looks_like_number, of_rows, with_header
from ingestion.reading.paths import Json
from lakehouse.duck import connect, literal
from lakehouse.errors import DeliveryRefused, Problem

_MOST_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Read:
    """A sample as a table.

    Attributes:
        table: Its rows.
        delivery: What `delivery` says of how the rows are found, such as `csv` or `records`.
        has_extra: Whether rows have cells that no column of the table has.
        seen: How its text is written, in words.
    """

    table: Table
    delivery: dict[str, Any] = field(default_factory=dict)
    has_extra: bool = False
    seen: str = ""


def read(sample: Sample, recognised: Recognised) -> Read:
    """Read a sample.

    Raises:
        DeliveryRefused: It is damaged, or no table.
    """
    match recognised.name:
        case "csv":
            return _csv(sample)
        case "json" | "geojson":
            return _json(sample, recognised)
        case "xml":
            shape = xml_shapes.find(sample.members)
            return Read(shape.table, {"records": _records(shape)})
        case "parquet":
            return _parquet(sample)
        case _:
            return _excel(sample)


def _csv(sample: Sample) -> Read:
    first = sample.members[0]
    dialect = dialects.find(sample.head(first), first.label)
    titles: dict[str, str] = {}

    def rows() -> Iterator[tuple[int, list[str]]]:
        for member in sample.members:
            text = dialects.decode(sample.head(member))[0].removeprefix("\ufeff")
            lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            titles.update(_titles(lines[: dialect.header_row - 1], dialect))
            filled = [line for line in lines[dialect.header_row :] if line.strip()]
            for line in filled[: MOST_ROWS // len(sample.members)]:
                yield member.number, dialects.cut(line, dialect.delimiter)

    table = with_header(dialect.header, rows(), dialect.decimal)
    table.titles = titles
    csv = _dialect(dialect)
    said = Said(csv, check="; ".join(dialect.remarks)) if dialect.remarks else csv
    sign = "tab" if dialect.delimiter == "\t" else f"'{dialect.delimiter}'"
    seen = f"cells between {sign}, header on line {dialect.header_row}, {dialect.encoding}"
    if dialect.decimal != ".":
        seen += ", decimal comma"
    return Read(table, {"csv": said}, dialect.has_extra, seen)


def _dialect(dialect: dialects.Dialect) -> dict[str, Any]:
    """What of a dialect differs from the standard, as a contract writes it."""
    told = {
        "delimiter": (dialect.delimiter, ","),
        "quote": (dialect.quote, '"'),
        "decimal": (dialect.decimal, "."),
        "encoding": (dialect.encoding, "utf-8"),
        "headerRow": (dialect.header_row, 1),
        "extraColumns": ("ignore" if dialect.has_extra else None, None),
    }
    return {key: found for key, (found, usual) in told.items() if found != usual}


def _titles(above: list[str], dialect: dialects.Dialect) -> dict[str, str]:
    """What the lines above a header say of its columns: cells beside the column's name."""
    found = {}
    for line in above:
        cells = [cell.strip() for cell in dialects.cut(line, dialect.delimiter)]
        for name in dialect.header:
            if name and name in cells:
                found[name] = ";".join(cell for cell in cells if cell != name)
    return found


def _json(sample: Sample, recognised: Recognised) -> Read:
    documents: list[tuple[int, Json]] = []
    for member in sample.members:
        for text in _texts(sample, member, recognised.framing == "lines"):
            try:
                documents.append((member.number, decoded(text)))
            except (ValueError, RecursionError):
                continue  # `source check` shows it in quarantine, with its line
            if len(documents) >= MOST_ROWS:
                break
    if not documents:
        raise DeliveryRefused(
            Problem(sample.members[0].label, "no whole JSON document is in it", "Ask for it again.")
        )
    shape = json_shapes.find(documents)
    delivery: dict[str, Any] = {"framing": recognised.framing}
    usual = "$.features[*]" if recognised.name == "geojson" else "$"
    if shape.records != usual:
        delivery["records"] = _records(shape)
    return Read(shape.table, delivery)


def _texts(sample: Sample, member: Member, by_line: bool) -> Iterator[str]:
    if by_line:
        yield from filter(str.strip, dialects.decode(sample.head(member))[0].split("\n"))
    elif member.path.stat().st_size <= _MOST_BYTES:
        yield dialects.decode(member.path.read_bytes())[0]


def _records(shape: json_shapes.Shape) -> Said:
    """The path to the records, with the other lists that might have been meant."""
    others = [f"{_short(path)} ({count:,})" for path, count in shape.others]
    more = f"; other lists: {listed(others, 3)}" if others else ""
    return Said(shape.records, seen=f"{counted(shape.table.count, 'record')}{more}")


def _short(path: str) -> str:
    """The end of a long path, which tells it from others."""
    return path if len(path) <= 40 else "…" + path[-36:]


def _parquet(sample: Sample) -> Read:
    files = ", ".join(literal(member.path) for member in sample.members)
    with connect(extensions=()) as connection:
        try:
            connection.execute(
                f"create temp table sample as select * from read_parquet([{files}], "
                f"union_by_name = true) limit {MOST_ROWS}"
            )
        except duckdb.Error as error:
            label = sample.members[0].label
            raise DeliveryRefused(
                Problem(label, f"the Parquet cannot be read: {error}", "Ask for it again.")
            ) from error
        kinds = connection.execute("describe sample").fetchall()
        texts = ", ".join(_parquet_text(name, kind) for name, kind, *_ in kinds)
        rows = connection.execute(f"select {texts} from sample").fetchall()
    names = [kind[0] for kind in kinds]
    cells = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return Read(Table(cells, [sample.members[0].number] * len(rows)))


def _parquet_text(name: str, kind: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime(timezone('UTC', {quoted}), '%Y-%m-%dT%H:%M:%S.%fZ')"
    return f"{quoted}::varchar"


def _excel(sample: Sample) -> Read:
    first = sample.members[0]
    found = []
    for member in sample.members:
        names = excel.sheets(member)
        rows_there = excel.sheet(member, names[0])
        found.append(
            (member.number, [[excel.text_of(cell) or "" for cell in row] for row in rows_there])
        )
    table = found[0][1]
    width = max((sum(map(bool, row)) for row in table), default=0)
    header = next((n for n, row in enumerate(table) if sum(map(bool, row)) >= width
                   and not any(looks_like_number(cell) for cell in row if cell)), None)  # fmt: skip
    if header is None:
        raise DeliveryRefused(
            Problem(first.label, "no row names the columns", "Ask for files with a header.")
        )
    delivery: dict[str, Any] = {"csv": {"headerRow": header + 1}} if header else {}
    if len(names) > 1:
        delivery["records"] = Said(names[0], check=f"one sheet of {listed(names)}")
    rows = ((number, row) for number, some in found for row in some[header + 1 :] if any(row))
    return Read(with_header(table[header], rows), delivery)


def of_records(records: list[dict[str, Any]]) -> Table:
    """Rows of a database as a table of texts."""
    return of_rows(
        (0, {name: None if cell is None else _cell(cell) for name, cell in record.items()})
        for record in records
    )


def _cell(value: object) -> str:
    isoformat = getattr(value, "isoformat", None)
    return isoformat(sep=" ") if isoformat and hasattr(value, "hour") else str(value)
