"""Delimited text (CSV) in the dialect its contract declares; nothing is sniffed.

Source: RFC 4180, and the many ways real files differ from it. Lines are split here rather than
by a CSV parser, so that every row keeps its line number and its text; a quoted field must
therefore not contain a line break.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Final

import duckdb

from ingestion import clocks, lines
from ingestion.deliveries import Member
from ingestion.offered import number, quality
from lakehouse.contracts import SourceContract
from lakehouse.contracts.delivery import CsvDialect, TimeRule
from lakehouse.contracts.source import Column
from lakehouse.duck import literal
from lakehouse.errors import DeliveryRefused, Problem

_NUMERIC: Final = {"number", "integer"}


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> None:
    """Read delimited files into `records` and `offered`.

    Raises:
        DeliveryRefused: A file's header lacks a column of the contract or has a new one.
    """
    dialect = contract.delivery.csv
    headers = {member.number: _header(member, contract) for member in members}
    for member in members:
        lines.load(connection, member, dialect.encoding, skip=dialect.header_row)

    def header_of(member: Member) -> tuple[str, ...]:
        return headers[member.number]

    for header, group in groupby(sorted(members, key=header_of), key=header_of):
        _read_alike(connection, list(group), header, contract)


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
    wanted = [column.delivered_as for column in contract.columns]
    used = {*wanted, *_columns_of_rules(contract)}
    missing = [name for name in dict.fromkeys([*wanted, *sorted(used)]) if name not in header]
    new = [name for name in header if name not in used]
    twice = sorted({name for name in used if header.count(name) > 1})
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
    if new and dialect.extra_columns == "refuse":
        raise DeliveryRefused(
            Problem(
                f"{member.label}, line {dialect.header_row}",
                f"columns are new: {', '.join(new)[:300]}",
                "Add them to the contract, or set delivery.csv.extraColumns to ignore.",
            )
        )
    return header


def _columns_of_rules(contract: SourceContract) -> list[str]:
    """The columns that the rules for time, device, quality and position read."""
    delivery = contract.delivery
    names: list[str | None] = []
    if delivery.time:
        names += [*delivery.time.columns, *delivery.time.end_columns]
    if delivery.device:
        names.append(delivery.device.column)
    if delivery.quality:
        names.append(delivery.quality.column)
    if delivery.position:
        names += [delivery.position.longitude, delivery.position.latitude]
    return [name for name in names if name is not None]


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
) -> None:
    """Read files that have the same header."""
    delivery = contract.delivery
    time = _time_rule(contract)
    split_lines(connection, members, header, contract)
    start, end = _time_texts(time, header)
    began, ended = clocks.parse("time_text", time.format), clocks.parse("end_text", time.format)
    if time.sequence:
        row = f"(_row - {delivery.csv.header_row} - 1) * {time.sequence.step_s}"
        wall = f"timestamp {literal(time.sequence.start)} + to_seconds({row})"
        began = clocks.Parsed("null::timestamp", wall)
    connection.execute(
        f"""
        create or replace temp table located as
        select *, {began.instant} as instant, {began.wall} as wall,
            {ended.instant} as end_instant, {ended.wall} as end_wall
        from (
            select *, {_device(contract, members, header)} as device,
                {start} as time_text, {end} as end_text
            from fields
        )
        """
    )
    clocks.resolve(connection, time, "located", "timed")
    connection.execute(_offer(contract, header, time))


def _time_rule(contract: SourceContract) -> TimeRule:
    time = contract.delivery.time
    if time is None:
        raise DeliveryRefused(
            Problem(
                f"{contract.path}: customProperties.delivery.time",
                "a delimited file needs a rule for its time",
                "Add 'time' with columns, format and zone.",
            )
        )
    return time


def split_lines(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    header: tuple[str, ...],
    contract: SourceContract,
) -> None:
    """Make `fields`: each record with its list of cells `f` (null markers are null)."""
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
    markers = ", ".join(literal(marker) for marker in dialect.null_markers) or "''"
    fits = (
        f"len(cells) = {len(header)}"
        if contract.delivery.csv.extra_columns == "refuse"
        else f"len(cells) >= {_last_column(contract, header)}"
    )
    numbers = ", ".join(str(member.number) for member in members)
    connection.execute(
        f"""
        create or replace temp table fields as
        select _file, _row,
            list_transform(cells, lambda x: case when x not in ({markers}) then x end) as f,
            case
                when contains(_raw, {literal(lines.UNREADABLE)}) then 'encoding'
                when not ({is_sound}) or not ({fits}) then 'layout'
            end as layout_rule,
            case layout_rule
                when 'encoding' then 'bytes that are not {dialect.encoding}'
                when 'layout' then format('{{}} cells under a header of {len(header)}',
                    len(cells))
            end as layout_problem
        from (select _file, _row, _raw, {cells} as cells from records where _file in ({numbers}))
        """
    )


def _last_column(contract: SourceContract, header: tuple[str, ...]) -> int:
    """Number of the last column the contract names; what stands right of it may be prose."""
    return max(header.index(column.delivered_as) for column in contract.columns) + 1


def _time_texts(time: TimeRule, header: tuple[str, ...]) -> tuple[str, str]:
    """SQL of the texts that hold the start and the end."""
    if time.sequence:
        return "'by row'", "null::varchar"

    def joined(names: tuple[str, ...]) -> str:
        return "concat_ws(' ', " + ", ".join(_cell(name, header) for name in names) + ")"

    start = joined(time.columns)
    if time.split:
        parts = f"string_split({start}, {literal(time.split)})"
        return f"{parts}[1]", "null::varchar" if time.interval_s else f"{parts}[2]"
    return start, joined(time.end_columns) if time.end_columns else "null::varchar"


def _device(contract: SourceContract, members: Sequence[Member], header: tuple[str, ...]) -> str:
    rule = contract.delivery.device
    if rule is None:
        return "null::varchar"
    if rule.constant is not None:
        return literal(rule.constant)
    if rule.file is not None:
        whens = []
        for member in members:
            match = re.search(rule.file, member.label)
            name = literal(match.group(1)) if match else "null"
            whens.append(f"when {member.number} then {name}")
        return f"case _file {' '.join(whens)} end"
    return _cell(rule.column or "", header)


def _cell(delivered_as: str, header: tuple[str, ...]) -> str:
    return f"f[{header.index(delivered_as) + 1}]"


def _offer(contract: SourceContract, header: tuple[str, ...], time: TimeRule) -> str:
    """SQL that turns each record into one offered row for each channel."""
    delivery = contract.delivery
    code = _cell(delivery.quality.column, header) if delivery.quality else "null::varchar"
    position = delivery.position
    lon = number(_cell(position.longitude, header)) if position else "null"
    lat = number(_cell(position.latitude, header)) if position else "null"
    cells = ", ".join(_channel(channel, header) for channel in contract.channels)
    t_end = f"t + to_seconds({time.interval_s})" if time.interval_s else "t_end"
    return f"""
        insert into offered
        select _file, _row, device, c.channel, t, {t_end}, c.cell,
            case when c.is_number then {number("c.cell", delivery.csv.decimal)} end,
            case when not c.is_number then c.cell end,
            {quality(delivery.quality, code)}, {code}, null, {lon}, {lat}, null,
            time_rule, time_problem
        from (select *, unnest([{cells}]) as c from timed where layout_rule is null)
        union all
        select _file, _row, device, null, t, null, null, null, null, 'bad', null, null, null, null,
            null, layout_rule, layout_problem
        from timed where layout_rule is not null
    """


def _channel(column: Column, header: tuple[str, ...]) -> str:
    is_number = str(column.logical_type in _NUMERIC).lower()
    return (
        f"{{'channel': {literal(column.name)}, 'cell': {_cell(column.delivered_as, header)}, "
        f"'is_number': {is_number}}}"
    )
