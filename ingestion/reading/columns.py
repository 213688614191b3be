"""Rows of named cells, as most formats have them, into offered rows by the contract's rules.

A reader brings a relation of rows and says, by `Cell`, how a cell of it is written in SQL; which
cells hold time, device, quality, position and the channels stands in the contract.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import clocks
from ingestion.reading.offered import number, quality
from lakehouse.contracts import SourceContract
from lakehouse.contracts.delivery import TimeRule
from lakehouse.duck import literal
from lakehouse.errors import DeliveryRefused, Problem

Cell = Callable[[str], str]
"""From a column as delivered to the SQL of its cell (VARCHAR, null when empty)."""

ODD: Final = "odd"
"""What is said of a row that a quick reader may have read wrongly; nobody gets to see it."""

_NUMERIC: Final = {"number", "integer"}


def names(contract: SourceContract) -> tuple[str, ...]:
    """The columns that a contract's rules and properties read, each once."""
    delivery = contract.delivery
    found: list[str | None] = []
    if delivery.narrow is None:
        found += [column.delivered_as for column in contract.columns]
    else:
        found += [delivery.narrow.channel, delivery.narrow.value, delivery.narrow.unit]
        found += [column.delivered_as for column in contract.columns if not column.is_channel]
    if delivery.time:
        found += [*delivery.time.columns, *delivery.time.end_columns]
    if delivery.device:
        found.append(delivery.device.column)
    if delivery.quality:
        found.append(delivery.quality.column)
    if delivery.position:
        found += [delivery.position.longitude, delivery.position.latitude]
    return tuple(dict.fromkeys(name for name in found if name is not None))


def require(contract: SourceContract, present: Sequence[str], place: str) -> None:
    """Check that a file has every column its contract reads, and each once.

    Args:
        contract: Names the columns.
        present: The columns of the file.
        place: The file, for the message.

    Raises:
        DeliveryRefused: A column is missing or stands twice.
    """
    used = names(contract)
    missing = [name for name in used if name not in present]
    twice = [name for name in used if list(present).count(name) > 1]
    for problem, found in (("are missing", missing), ("stand twice", twice)):
        if found:
            raise DeliveryRefused(
                Problem(
                    place,
                    f"columns of the contract {problem}: {', '.join(found)}",
                    f"The file has: {', '.join(present)[:300]}.",
                )
            )


def offer(
    connection: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    members: Sequence[Member],
    source: str,
    cell: Cell,
    *,
    decimal: str = ".",
    group: int = 0,
    header: int | None = None,
    others: Sequence[str] = (),
) -> str:
    """The query that turns rows of cells into offered rows.

    Args:
        connection: Where `source` lives.
        contract: Its rules and channels.
        members: The files that the rows are from.
        source: Relation with `_file`, `_row`, `layout_rule`, `layout_problem` (both null when
            the row could be split into cells) and whatever `cell` speaks of.
        cell: How a cell is written.
        decimal: The decimal sign of numbers.
        group: Number that tells this call's relations from another's in the same batch.
        header: Number of the row above the first record; `csv.headerRow` when not given.
        others: Columns that the contract does not name; wide rows offer them as channels.

    Raises:
        DeliveryRefused: The contract has no rule for the time.
    """
    time = _time_rule(contract)
    began = None
    if time.sequence:
        above = contract.delivery.csv.header_row if header is None else header
        row = f"(_row - {above} - 1) * {time.sequence.step_s}"
        wall = f"timestamp {literal(time.sequence.start)} + to_seconds({row})"
        began = clocks.Parsed("null::timestamp", wall)
    _settle_times(connection, contract, members, source, cell, group, began)
    rows = _rows(contract, f"timed_{group}", "_file, _row", "layout_rule is null", cell,
                 decimal, others)  # fmt: skip
    return f"""{rows}
        union all by name
        select _file, _row, device, t, layout_rule as rule, layout_problem as reason
        from timed_{group} where layout_rule is not null
    """


def offer_in_order(
    connection: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    members: Sequence[Member],
    source: str,
    cell: Cell,
    *,
    decimal: str,
    others: Sequence[str] = (),
) -> str:
    """The same of rows that have no number, in their order.

    Only where the clock `is_plain`. Each row gives as many as `width` says. Instead of a layout
    rule `source` has `is_odd`, for what another reader must look at: such rows break the rule
    `ODD`.
    """
    _settle_times(connection, contract, members, source, cell)
    rule = f"case when is_odd then '{ODD}' else time_rule end"
    return _rows(contract, "timed_0", "_file", "true", cell, decimal, others, rule)


def _settle_times(
    connection: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    members: Sequence[Member],
    source: str,
    cell: Cell,
    group: int = 0,
    began: clocks.Parsed | None = None,
) -> None:
    """Make relation `timed_{group}`: rows with their device and their time in UTC."""
    time = _time_rule(contract)
    narrow = contract.delivery.narrow
    start, end = time_texts(time, cell)
    began = began or clocks.parse("time_text", time.format)
    ended = clocks.parse("end_text", time.format)
    connection.execute(
        f"""
        create or replace temp view located_{group} as
        select *, {began.instant} as instant, {began.wall} as wall,
            {ended.instant} as end_instant, {ended.wall} as end_wall
        from (
            select *, {device(contract, members, cell)} as device,
                {cell(narrow.channel) if narrow else "null::varchar"} as channel,
                {start} as time_text, {end} as end_text
            from {source}
        )
        """
    )
    clocks.resolve(connection, time, f"located_{group}", f"timed_{group}")


def is_plain(contract: SourceContract) -> bool:
    """Whether the time of a row is settled by the row alone, and not by its place or others."""
    time = contract.delivery.time
    return time is not None and time.zone == "UTC" and not time.sequence


def width(contract: SourceContract, others: Sequence[str] = ()) -> int:
    """How many rows are offered for a row of cells."""
    if contract.delivery.narrow:
        return 1
    return len({channel.delivered_as for channel in contract.channels}) + len(others)


def _time_rule(contract: SourceContract) -> TimeRule:
    time = contract.delivery.time
    if time is None:
        raise DeliveryRefused(
            Problem(
                f"{contract.path}: customProperties.delivery.time",
                f"the format {contract.delivery.format} needs a rule for its time",
                "Add 'time' with columns, format and zone.",
            )
        )
    return time


def time_texts(time: TimeRule, cell: Cell) -> tuple[str, str]:
    """SQL of the texts that hold the start and the end of a row's time."""
    if time.sequence:
        return "'by row'", "null::varchar"

    def joined(columns: tuple[str, ...]) -> str:
        if len(columns) == 1:
            return cell(columns[0])
        return "concat_ws(' ', " + ", ".join(cell(name) for name in columns) + ")"

    start = joined(time.columns)
    if time.split:
        parts = f"string_split({start}, {literal(time.split)})"
        return f"{parts}[1]", "null::varchar" if time.interval_s else f"{parts}[2]"
    return start, joined(time.end_columns) if time.end_columns else "null::varchar"


def device(contract: SourceContract, members: Sequence[Member], cell: Cell) -> str:
    """SQL of the device that the contract's rule names; null without one."""
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
    return cell(rule.column or "")


def _wide(contract: SourceContract, cell: Cell, others: Sequence[str], decimal: str) -> str:
    """SQL of the list of channels in a row that has a column for each."""
    kinds = {channel.delivered_as: channel.logical_type for channel in contract.channels}
    known = [
        _channel(literal(name), cell(name), str(kind in _NUMERIC).lower())
        for name, kind in kinds.items()
    ]
    return ", ".join(
        [
            *known,
            *(
                _channel(literal(name), cell(name), f"{number(cell(name), decimal)} is not null")
                for name in others
            ),
        ]
    )


def _channel(channel: str, cell: str, is_number: str) -> str:
    return (
        f"{{'channel': {channel}, 'cell': {cell}, 'unit': null::varchar, 'is_number': {is_number}}}"
    )


def _narrow(contract: SourceContract, cell: Cell) -> str:
    """SQL of the one channel of a narrow row."""
    rule = contract.delivery.narrow
    assert rule is not None  # noqa: S101 - the caller asked
    unit = cell(rule.unit) if rule.unit else "null::varchar"
    texts = ", ".join(literal(name) for name in _texts(contract))
    is_number = f"coalesce({cell(rule.channel)} not in ({texts}), true)" if texts else "true"
    return (
        f"{{'channel': {cell(rule.channel)}, 'cell': {cell(rule.value)}, 'unit': {unit}, "
        f"'is_number': {is_number}}}"
    )


def _texts(contract: SourceContract) -> Iterator[str]:
    return (c.delivered_as for c in contract.channels if c.logical_type not in _NUMERIC)


def _rows(
    contract: SourceContract,
    source: str,
    place: str,
    condition: str,
    cell: Cell,
    decimal: str,
    others: Sequence[str],
    rule: str = "time_rule",
) -> str:
    """SQL of one row for each channel of the rows that fulfil a condition."""
    channel = (
        _narrow(contract, cell)
        if contract.delivery.narrow
        else f"unnest([{_wide(contract, cell, others, decimal)}])"
    )
    value = f"case when c.is_number then {number('c.cell', decimal)} end"
    found = {"cell": "c.cell", "value": value}
    found |= _optional(contract, _time_rule(contract), cell, value, others)
    listed = ", ".join(f"{sql} as {name}" for name, sql in found.items())
    return f"""
        select {place}, device, c.channel as channel, t, {listed},
            {rule} as rule, time_problem as reason
        from (select * exclude (channel), {channel} as c from {source} where {condition})"""


def _optional(
    contract: SourceContract, time: TimeRule, cell: Cell, value: str, others: Sequence[str]
) -> dict[str, str]:
    """The columns that only some contracts fill, with their SQL."""
    delivery, found = contract.delivery, {}
    if time.interval_s:
        found["t_end"] = f"t + to_seconds({time.interval_s})"
    elif time.end_columns or time.split:
        found["t_end"] = "t_end"
    if delivery.narrow:
        # A row may name a channel that the contract does not: what is no number is its text.
        known = ", ".join(literal(channel.delivered_as) for channel in contract.channels)
        found["text"] = f"""case when not c.is_number then c.cell
            when c.channel not in ({known}) and ({value}) is null then c.cell end"""
    elif others or any(_texts(contract)):
        found["text"] = "case when not c.is_number then c.cell end"
    if delivery.narrow and delivery.narrow.unit:
        found["unit"] = "c.unit"
    if delivery.quality:
        code = cell(delivery.quality.column)
        found |= {"quality": quality(delivery.quality, code), "quality_code": code}
    if delivery.position:
        found["longitude"] = number(cell(delivery.position.longitude))
        found["latitude"] = number(cell(delivery.position.latitude))
    return found
