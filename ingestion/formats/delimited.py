"""Delimited text (CSV) in the dialect its contract declares; nothing is sniffed.

Source: RFC 4180, and the many ways real files differ from it. Lines are split here rather than
by a CSV parser, so that every row keeps its line number and its text; a quoted field must
therefore not contain a line break.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from functools import partial
from itertools import groupby

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import bulk, columns, lines, trailers
from ingestion.reading.offered import InOrder, Lines, Reading, together
from ingestion.reading.picked import picked
from lakehouse.contracts import SourceContract
from lakehouse.contracts.delivery import CsvDialect
from lakehouse.duck import literal
from lakehouse.errors import DeliveryRefused, Problem


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read delimited files.

    Raises:
        DeliveryRefused: A file's header lacks a column of the contract or has a new one.
    """
    headers = {member.number: _header(member, contract) for member in members}

    def header_of(member: Member) -> tuple[str, ...]:
        return headers[member.number]

    alike = groupby(sorted(members, key=header_of), key=header_of)
    groups = [(header, list(group)) for header, group in alike]
    is_clean_text = (
        codecs.lookup(contract.delivery.csv.encoding).name == "utf-8"
        and contract.delivery.complete.trailer is None
    )
    if is_clean_text and columns.is_plain(contract) and len(groups) == 1:
        return _read_in_order(connection, contract, *groups[0])
    read_alike = _read_in_bulk if is_clean_text else _read_by_line
    return together(
        [
            read_alike(connection, contract, header, group, number)
            for number, (header, group) in enumerate(groups)
        ]
    )


def _header(member: Member, contract: SourceContract) -> tuple[str, ...]:
    dialect = contract.delivery.csv
    top = lines.head(member, dialect.encoding, dialect.header_row)
    if len(top) < dialect.header_row:
        raise DeliveryRefused(
            Problem(
                member.label,
                f"the header should be on line {dialect.header_row}, the file has {len(top)}",
                "Correct delivery.csv.headerRow, or ask for the file again.",
            )
        )
    header = tuple(name.strip() for name in _split(top[-1], dialect))
    used = columns.names(contract)
    missing = [name for name in used if name not in header]
    new = [name for name in header if name not in used]
    twice = sorted(name for name in used if header.count(name) > 1)
    if missing:
        raise DeliveryRefused(
            Problem(
                f"{member.label}, line {dialect.header_row}",
                f"columns of the contract are missing: {', '.join(missing)}",
                f"The header has: {', '.join(header)[:300]}.",
            )
        )
    if twice:
        raise DeliveryRefused(
            Problem(
                f"{member.label}, line {dialect.header_row}",
                f"columns stand twice: {', '.join(twice)}",
                "Ask the supplier which of them is meant.",
            )
        )
    if new and dialect.extra_columns is None and contract.delivery.drift == "freeze":
        raise DeliveryRefused(
            Problem(
                f"{member.label}, line {dialect.header_row}",
                f"columns are new: {', '.join(new)[:300]}",
                "Add them to the contract, set delivery.drift to evolve, or, if they are no "
                "data, delivery.csv.extraColumns to ignore.",
            )
        )
    return header


def _split(line: str, dialect: CsvDialect) -> list[str]:
    if dialect.quote is None or dialect.quote not in line:
        return line.split(dialect.delimiter)
    found = re.findall(_field_pattern(dialect), line + dialect.delimiter)
    return [_unquoted(field, dialect.quote) for field in found]


def _unquoted(field: str, quote: str) -> str:
    if field.startswith(quote):
        return field[1:-1].replace(quote * 2, quote)
    return field


def _field_pattern(dialect: CsvDialect) -> str:
    quote, delimiter = re.escape(dialect.quote or ""), re.escape(dialect.delimiter)
    return f"({quote}(?:[^{quote}]|{quote}{quote})*{quote}|[^{quote}{delimiter}]*){delimiter}"


def _read_in_order(
    connection: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    header: tuple[str, ...],
    members: Sequence[Member],
) -> Reading:
    """Read files that have the same header, if every row of them is plain."""
    dialect = contract.delivery.csv
    stream = bulk.csv_stream(members, header, dialect)
    if stream is None:
        return _read_in_bulk(connection, contract, header, members)

    def otherwise(lines: Lines | None) -> Reading:
        if lines is None:
            return _read_in_bulk(connection, contract, header, members)
        found = picked(connection, members, lines)
        connection.execute(f"create or replace temp table lines_0 as {found}")
        return _by_line(connection, contract, header, members, 0)

    offered, given = columns.offer_in_order(
        contract,
        members,
        f"(select *, false as is_odd from {stream.relation})",
        _cell(dialect, header, "c{}"),
        decimal=dialect.decimal,
        others=_others(contract, header),
    )
    width = columns.width(contract, _others(contract, header))
    order = InOrder(given, stream.skip, width, stream.lines, otherwise)
    return Reading("", offered, partial(picked, connection, members), False, order)


def _read_in_bulk(
    connection: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    header: tuple[str, ...],
    members: Sequence[Member],
    group: int = 0,
) -> Reading:
    """Read files that have the same header by their line numbers, whole if it can be."""
    source = bulk.delimited(connection, members, header, contract.delivery.csv, group)
    if source is None:
        return _read_by_line(connection, contract, header, members, group)
    whole = f"(select *, null as layout_rule, null as layout_problem from {source})"
    return Reading(
        f"select _file, _row, null::varchar as _raw from {source}",
        _offered(connection, contract, header, members, whole, "c{}", group),
        partial(picked, connection, members, group=group),
        may_be_silent=False,
    )


def _read_by_line(
    connection: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    header: tuple[str, ...],
    members: Sequence[Member],
    group: int = 0,
) -> Reading:
    """Read files that have the same header line by line; each broken line keeps its text."""
    dialect, table = contract.delivery.csv, f"lines_{group}"
    lines.load(connection, members, dialect.encoding, skip=dialect.header_row, table=table)
    trailers.take(connection, members, contract, table)
    return _by_line(connection, contract, header, members, group)


def _by_line(
    connection: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    header: tuple[str, ...],
    members: Sequence[Member],
    group: int,
) -> Reading:
    """Take the lines of table `lines_{group}` apart."""
    split_lines(connection, header, contract, group)
    return Reading(
        f"select _file, _row, _raw from lines_{group}",
        _offered(connection, contract, header, members, f"fields_{group}", "f[{}]", group),
        may_be_silent=False,
    )


def _offered(
    connection: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    header: tuple[str, ...],
    members: Sequence[Member],
    source: str,
    place: str,
    group: int,
) -> str:
    dialect = contract.delivery.csv
    return columns.offer(
        connection,
        contract,
        members,
        source,
        _cell(dialect, header, place),
        decimal=dialect.decimal,
        group=group,
        others=_others(contract, header),
    )


def _cell(dialect: CsvDialect, header: tuple[str, ...], place: str) -> columns.Cell:
    """How the cell of a column is written, where `place` says how that of a number is."""
    markers = ", ".join(literal(marker) for marker in dialect.null_markers) or "''"

    def cell(name: str) -> str:
        text = place.format(header.index(name) + 1)
        return f"case when {text} not in ({markers}) then {text} end"

    return cell


def _others(contract: SourceContract, header: tuple[str, ...]) -> list[str]:
    """Columns that the contract does not name, where they are data."""
    if contract.delivery.csv.extra_columns is not None:
        return []
    used = columns.names(contract)
    return [name for name in header if name and name not in used]


def split_lines(
    connection: duckdb.DuckDBPyConnection,
    header: tuple[str, ...],
    contract: SourceContract,
    group: int = 0,
) -> None:
    """Make view `fields_{group}` from `lines_{group}`: each record with its list of cells `f`."""
    dialect = contract.delivery.csv
    plain = f"string_split(_raw, {literal(dialect.delimiter)})"
    is_sound = "true"
    cells = plain
    if dialect.quote is not None:
        quote, pattern = literal(dialect.quote), literal(_field_pattern(dialect))
        ended = f"_raw || {literal(dialect.delimiter)}"
        has_quote = f"contains(_raw, {quote})"
        cells = f"""case when {has_quote} then list_transform(
            regexp_extract_all({ended}, {pattern}, 1),
            lambda x: case when starts_with(x, {quote})
                then replace(x[2:-2], {quote} || {quote}, {quote}) else x end)
            else {plain} end"""
        whole = literal(f"(?:{_field_pattern(dialect)})+")
        is_sound = f"not {has_quote} or regexp_full_match({ended}, {whole})"
    fits = (
        f"len(cells) = {len(header)}"
        if contract.delivery.csv.extra_columns is None
        else f"len(cells) >= {_last_column(contract, header)}"
    )
    connection.execute(
        f"""
        create temp view fields_{group} as
        select _file, _row,
            cells as f,
            case
                when contains(_raw, {literal(lines.UNREADABLE)}) then 'encoding'
                when not ({is_sound}) or not ({fits}) then 'layout'
            end as layout_rule,
            case layout_rule
                when 'encoding' then 'bytes that are not {dialect.encoding}'
                when 'layout' then format('{{}} cells under a header of {len(header)}',
                    len(cells))
            end as layout_problem
        from (select _file, _row, _raw, {cells} as cells from lines_{group})
        """
    )


def _last_column(contract: SourceContract, header: tuple[str, ...]) -> int:
    """Number of the last column the contract names; what stands right of it may be prose."""
    return max(header.index(name) for name in columns.names(contract)) + 1
