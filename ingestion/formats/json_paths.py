"""JSON of any shape, read by paths: one document a file, or one a line.

`delivery.records` says where the records are, a column's physicalName where in a record its cell
is (`ingestion.reading.paths`). A number's cell is its text, digit by digit; true and false are
text. Flat objects, one a line, are read by DuckDB; lines that are odd in any way go the longer way.

Source: RFC 8259 (JSON); NDJSON 1.0 for `framing: lines`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import bulk, cells, columns, paths
from ingestion.reading.cells import Row
from ingestion.reading.offered import InOrder, Lines, Reading, lines_of, number, together
from ingestion.reading.paths import Json
from ingestion.reading.picked import numbered_texts, picked
from lakehouse.contracts import SourceContract
from lakehouse.errors import DeliveryRefused, Problem

Derive = Callable[[paths.Match], dict[str, str | None]]
"""Cells that a format makes itself, by column."""

_LONGEST_LINE: Final = 16 << 20
_SHOWN: Final = 100_000
"""Characters of a document that is not taken apart and goes to quarantine."""
_DEEP: Final = "the document is nested deeper than any record is"


class Number(str):
    """A number as it is written."""

    __slots__ = ()


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read JSON documents.

    Raises:
        ContractError: A path of the contract is none.
        DeliveryRefused: A file is a web page or XML, or has a line longer than 16 MiB.
    """
    if not _is_flat(contract):
        where = contract.delivery.records or "$"
        return cells.reading(connection, members, contract, records(members, contract, where))
    stream, names = None, columns.names(contract)
    if columns.is_plain(contract) and _are_numbers(contract):
        stream = bulk.json_stream(members, names, _values(contract))
    if stream is None:
        return _numbered(connection, members, contract)
    cell, delivery = _cell(contract), contract.delivery
    # What is empty there makes a row odd, whether it is null or a text without letters.
    as_it_is = _values(contract) | ({*delivery.time.columns} if delivery.time else set())
    as_it_is |= {delivery.device.column} if delivery.device and delivery.device.column else set()
    as_it_is |= {delivery.narrow.channel} if delivery.narrow else set()

    def cell_or_number(name: str) -> str:
        return f"c{names.index(name) + 1}" if name in as_it_is else cell(name)

    offered, given = columns.offer_in_order(
        contract,
        members,
        f"(select *, {_is_odd(contract)} as is_odd from {stream.relation})",
        cell_or_number,
        decimal=None,
    )

    def otherwise(lines: Lines | None) -> Reading:
        if lines is None:
            return _numbered(connection, members, contract)
        rows = records(members, contract, "$", lines=lines)
        return cells.reading(connection, members, contract, rows)

    order = InOrder(given, 0, columns.width(contract), stream.lines, otherwise)
    return Reading("", offered, partial(picked, connection, members), False, order)


def _are_numbers(contract: SourceContract) -> bool:
    """Whether what stands for a number in a delivery is one, unless it is broken."""
    delivery = contract.delivery
    if not set(delivery.csv.null_markers) <= {""} or delivery.csv.decimal != ".":
        return False
    elsewhere = {column.delivered_as for column in contract.columns if not column.is_channel}
    for rule in (delivery.narrow, delivery.time, delivery.device, delivery.quality):
        told = rule.model_dump(exclude={"value"}).values() if rule else ()
        elsewhere |= {name for one in told for name in (one if isinstance(one, tuple) else (one,))}
    if delivery.position:
        elsewhere |= {*delivery.position.columns}
    return elsewhere.isdisjoint(_values(contract))


def _numbered(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read flat objects by line number: the plain ones by DuckDB, the others one by one."""
    where = contract.delivery.records or "$"
    source = bulk.json_lines(connection, members, columns.names(contract))
    if source is None:
        return cells.reading(connection, members, contract, records(members, contract, where))
    has_odd = _find_odd_lines(connection, contract, source)
    plain = f"""(select *, null as layout_rule, null as layout_problem
        from {source} anti join odd using (_file, _row))"""
    offered = columns.offer(
        connection,
        contract,
        members,
        plain,
        _cell(contract),
        decimal=contract.delivery.csv.decimal,
    )
    raw = partial(picked, connection, members)
    readings = [Reading(f"select _file, _row, null::varchar as _raw from {plain}", offered, raw)]
    if has_odd:
        rows = records(members, contract, where, lines=lines_of(connection, "odd"))
        readings.append(cells.reading(connection, members, contract, rows, group=1))
    return together(readings)


def _cell(contract: SourceContract) -> columns.Cell:
    markers, names = cells.null_markers(contract), columns.names(contract)

    def cell(name: str) -> str:
        text = f"c{names.index(name) + 1}"
        return f"case when {text} not in ({markers}) then {text} end"

    return cell


def _find_odd_lines(
    connection: duckdb.DuckDBPyConnection, contract: SourceContract, source: str
) -> bool:
    """Make table `odd(_file, _row)` of the lines that another reader must look at, if any.

    They are those that gave nothing at all, those where a number should be and is none, and those
    that look odd to `_is_odd`.
    """
    names = columns.names(contract)
    decimal = contract.delivery.csv.decimal
    is_odd = [" and ".join(f"c{place} is null" for place in range(1, len(names) + 1))]
    for name in _values(contract):
        cell = f"c{names.index(name) + 1}"
        read_as = number(cell, decimal)
        is_odd.append(f"{cell} is not null and coalesce(not isfinite({read_as}), true)")
    is_odd.append(f"coalesce({_is_odd(contract)}, false)")
    connection.execute(
        f"""create temp table odd as
        select _file, _row from {source} where {" or ".join(f"({one})" for one in is_odd)}"""
    )
    return bool(connection.execute("select exists (from odd)").fetchall()[0][0])


def _values(contract: SourceContract) -> set[str]:
    """The names whose cells must be numbers."""
    narrow = contract.delivery.narrow
    return {narrow.value} if narrow else {one.delivered_as for one in contract.channels}


def _is_odd(contract: SourceContract) -> str:
    """SQL: whether another reader must look at a line, because of a cell that is no number.

    A list and an object look like a text to DuckDB, and it writes 1.50 as 1.5, which matters
    where the digits are a name. Most names begin with a letter, which is seen at once.
    """
    delivery, names = contract.delivery, columns.names(contract)
    position, time = delivery.position, delivery.time
    read_as_numbers = {*position.columns} if position else set()
    times = {*time.columns, *time.end_columns, *time.result_columns} if time else set()
    if time and (time.format.startswith("epoch") or time.format == "iso8601"):
        read_as_numbers |= times  # no number is a time of ISO 8601
    known = None  # a channel is one of the contract's, or odd for that
    if delivery.narrow and all(one.delivered_as[:1].isalpha() for one in contract.channels):
        known = delivery.narrow.channel
    odd = ["false"]
    for place, name in enumerate(names, start=1):
        cell = f"c{place}"
        if name in _values(contract) or name == known:
            continue
        looks = []
        if name not in times:  # a list is no time
            looks.append(f"ord({cell}) in (ord('['), ord('{{'))")
        if name not in read_as_numbers:
            looks.append(
                f"""case when ord({cell}) between ord('-') and ord('9')
                then (contains({cell}, '.') or contains({cell}, 'e') or contains({cell}, 'E'))
                    and try_cast({cell} as double) is not null end"""
            )
        if looks:
            is_word = f"{cell} >= 'A' and {cell} < '[' or {cell} >= 'a' and {cell} < '{{'"
            odd.append(f"case when {is_word} then false else {' or '.join(looks)} end")
    return " or ".join(odd)


def _is_flat(contract: SourceContract) -> bool:
    """Whether a contract reads lines that are one flat object each."""
    names = columns.names(contract)
    delivery, place = contract.delivery, f"{contract.path}: schema[0].properties"
    if delivery.framing != "lines" or delivery.records or delivery.time is None:
        return False
    if delivery.time.sequence or any(c.logical_type == "string" for c in contract.channels):
        return False  # the text of a number would be DuckDB's, not the supplier's
    return all(paths.parse(name, place) == paths.Path(name, "", 0, (name,)) for name in names)


def records(
    members: Sequence[Member],
    contract: SourceContract,
    where: str,
    derive: Derive | None = None,
    derived: Sequence[str] = (),
    lines: Lines | None = None,
) -> Iterator[Row]:
    """The records of JSON files as rows of cells.

    Args:
        members: The files.
        contract: Names the columns and the framing.
        where: Path to the records.
        derive: Makes the cells of the columns `derived`.
        derived: Columns that are no paths.
        lines: Only these lines, of files that are clean UTF-8 with line feeds.
    """
    place = f"{contract.path}: schema[0].properties"
    where_to = paths.parse(where, f"{contract.path}: customProperties.delivery.records", many=True)
    names = columns.names(contract)
    plan = [None if name in derived else paths.parse(name, place) for name in names]
    for member in members:
        received = member.delivery.offer.received_at.isoformat()
        numbers = count(1)
        documents = (
            _documents(member, contract.delivery.framing)
            if lines is None
            else _some_lines(member, lines)
        )
        for line, text in documents:
            # A line that is one record keeps its line number, which people can look up.
            by_line = contract.delivery.framing == "lines" and not where_to.steps
            for raw, found in _taken_apart(text, where_to, where_to.steps == ()):
                number = line if by_line else next(numbers)
                if isinstance(found, str):
                    yield Row(member.number, number, raw, (), "layout", found)
                    continue
                try:
                    own = derive(found) if derive else {}
                    values = [
                        own[name] if path is None else _text(paths.cell(found, path, received))
                        for name, path in zip(names, plan, strict=True)
                    ]
                except paths.Misplaced as problem:
                    yield Row(member.number, number, raw, (), "layout", str(problem))
                else:
                    yield Row(member.number, number, raw, values)


def _documents(member: Member, framing: str) -> Iterator[tuple[int, str]]:
    """Texts of the documents of a file, with the line each starts on."""
    with member.path.open("rb") as file:
        _refuse_other_kinds(member, file.read(512))
        file.seek(0)
        if framing == "document":
            yield 1, file.read().decode("utf-8-sig", errors="replace")
            return
        for number in count(1):
            line = file.readline(_LONGEST_LINE + 1)
            if not line:
                return
            if len(line) > _LONGEST_LINE:
                raise DeliveryRefused(
                    Problem(
                        f"{member.label}, line {number}",
                        "the line is longer than 16 MiB",
                        "Set delivery.framing to document, or ask for one document a line.",
                    )
                )
            text = line.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace").strip()
            if text:
                yield number, text


def _some_lines(member: Member, lines: Lines) -> Iterator[tuple[int, str]]:
    with member.path.open("rb") as file:
        _refuse_other_kinds(member, file.read(512))
    for line, text in numbered_texts(member, lines):
        if plain := text.strip():
            yield line, plain


def _refuse_other_kinds(member: Member, start: bytes) -> None:
    """Refuse a file that begins like a page or XML: its lines would only fill quarantine."""
    begin = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if begin[:1] == b"<":
        what = "a web page" if b"<html" in begin.lower() or b"<!doctype" in begin.lower() else "XML"
        shown = begin[:120].decode("utf-8", errors="replace")
        raise DeliveryRefused(
            Problem(
                member.label,
                f"this is {what}, not JSON; it begins: {shown}",
                "Look at what the supplier's address answers; often it is an error page.",
            )
        )


def _taken_apart(
    text: str, where: paths.Path, is_record: bool
) -> Iterator[tuple[str, paths.Match | str]]:
    """Records of a document with their text; a sentence where there is none."""
    try:
        document = decoded(text)
    except ValueError as error:
        yield text[:_SHOWN], f"this is not one whole JSON document: {error}"
        return
    except RecursionError:
        yield text[:_SHOWN], _DEEP
        return
    for found in paths.matches(document, where):
        node = found.node if isinstance(found, paths.Misplaced) else found.record
        try:
            raw = text if is_record else written(node)
        except RecursionError:
            yield text[:_SHOWN], _DEEP
            continue
        if isinstance(found, paths.Misplaced):
            yield raw[:_SHOWN], str(found)
        else:
            yield raw, found


def decoded(text: str) -> Json:
    """A JSON document with numbers as they are written and doubled keys marked.

    Raises:
        ValueError: It is none.
        RecursionError: It is nested too deeply to be one.
    """
    found: Json = _DECODER.decode(text)
    return found


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    marked = paths.Twins(plain)
    marked.pairs = pairs
    return marked


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=Number
)


def _text(node: Json) -> str | None:
    if isinstance(node, bool):
        return "true" if node else "false"
    return None if node is None else str(node)


def written(node: Json) -> str:
    """A decoded value as JSON again, with its numbers as they were written."""
    if isinstance(node, Number):
        return str(node)
    if isinstance(node, dict):
        pairs = node.pairs if isinstance(node, paths.Twins) else node.items()
        return "{" + ", ".join(f"{_quoted(name)}: {written(item)}" for name, item in pairs) + "}"
    if isinstance(node, list):
        return "[" + ", ".join(map(written, node)) + "]"
    return _quoted(node)


def _quoted(node: Json) -> str:
    return json.dumps(node, ensure_ascii=False)
