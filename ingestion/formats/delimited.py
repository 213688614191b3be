"""Delimited text (CSV) in the dialect its contract declares; nothing is sniffed.

Source: RFC 4180, and the many ways real files differ from it. Lines are split here rather than
by a CSV parser, so that every row keeps its line number and its text; a quoted field must
therefore not contain a line break.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from itertools import groupby

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import bulk, columns, lines, trailers
from ingestion.reading.offered import Reading, together
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

    groups = groupby(sorted(members, key=header_of), key=header_of)
    return together(
        [
            _read_alike(connection, list(alike), header, contract, number)
            for number, (header, alike) in enumerate(groups)
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


def _read_alike(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    header: tuple[str, ...],
    contract: SourceContract,
    group: int,
) -> Reading:
    """Read files that have the same header."""
    dialect, table = contract.delivery.csv, f"lines_{group}"

    def load() -> str:
        lines.load(connection, members, dialect.encoding, skip=dialect.header_row, table=table)
        trailers.take(connection, members, contract, table)
        return f"select _file, _row, _raw from {table}"

    source = None
    has_trailer = contract.delivery.complete.trailer is not None
    if codecs.lookup(dialect.encoding).name == "utf-8" and not has_trailer:
        source = bulk.delimited(connection, members, header, dialect, group)
    if source is None:
        records, raw = load(), None
        split_lines(connection, header, contract, group)
        source = f"fields_{group}"
    else:
        records, raw = f"select _file, _row, null::varchar as _raw from {source}", load
        source = f"(select *, null as layout_rule, null as layout_problem from {source})"
    markers = ", ".join(literal(marker) for marker in dialect.null_markers) or "''"

    def cell(name: str) -> str:
        place = header.index(name) + 1
        text = f"f[{place}]" if raw is None else f"c{place}"
        return f"case when {text} not in ({markers}) then {text} end"

    used = columns.names(contract)
    is_data = dialect.extra_columns is None
    rows = columns.offer(
        connection,
        contract,
        members,
        source,
        cell,
        decimal=dialect.decimal,
        group=group,
        others=[name for name in header if name and name not in used] if is_data else [],
    )
    return Reading(records, rows, raw, may_be_silent=False)


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
