"""Rows of named cells, as most formats have them, into offered rows by the contract's rules.

A reader brings a relation of rows and says, by `Cell`, how a cell of it is written in SQL; which
cells hold time, device, quality, position and the channels stands in the contract.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
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
        found += delivery.time.result_columns
    if delivery.device:
        found.append(delivery.device.column)
    if delivery.quality:
        found.append(delivery.quality.column)
    if delivery.position:
        found += delivery.position.columns
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
    rows = f"(from timed_{group} where layout_rule is null)"
    if not contract.delivery.narrow:
        rows = f"(select *, {_wide(contract, cell, others, decimal)} as c from {rows})"
    return f"""{_listed(_columns(contract, cell, decimal, others), rows)}
        union all by name
        select _file, _row, device, t, layout_rule as rule, layout_problem as reason
        from timed_{group} where layout_rule is not null
    """


def offer_in_order(
    contract: SourceContract,
    members: Sequence[Member],
    source: str,
    cell: Cell,
    *,
    decimal: str | None,
    others: Sequence[str] = (),
) -> tuple[str, frozenset[str]]:
    """The same of rows that have no number, in their order, for a contract that `is_plain`.

    Each row gives as many as `width` says. Instead of a layout rule `source` has `is_odd`, for
    what another reader must look at: such rows break the rule `ODD`. Without a `decimal` the cells
    of channels are numbers already.

    Returns:
        The query and its columns.
    """
    time = _time_rule(contract)
    began = clocks.parse("time_text", time.format)
    timed = clocks.in_utc(f"({_located(contract, members, source, cell, began)})")
    found = _columns(contract, cell, decimal, others, in_order=True)
    rows = f"({timed})"
    if not contract.delivery.narrow:
        rows = f"(select *, {_wide(contract, cell, others, decimal)} as c from {rows})"
    return _listed(found, rows), frozenset(found)


def _settle_times(
    connection: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    members: Sequence[Member],
    source: str,
    cell: Cell,
    group: int,
    began: clocks.Parsed | None,
) -> None:
    """Make relation `timed_{group}`: rows with their device and their time in UTC."""
    time = _time_rule(contract)
    began = began or clocks.parse("time_text", time.format)
    connection.execute(
        f"""create or replace temp view located_{group} as
        {_located(contract, members, source, cell, began)}"""
    )
    clocks.resolve(connection, time, f"located_{group}", f"timed_{group}")


def _located(
    contract: SourceContract,
    members: Sequence[Member],
    source: str,
    cell: Cell,
    began: clocks.Parsed,
) -> str:
    """SQL of rows with their device, the channel if each has one, and what their times say."""
    time, narrow = _time_rule(contract), contract.delivery.narrow
    start, end = time_texts(time, cell)
    ended = clocks.parse("end_text", time.format)
    return f"""
        select *, {began.instant} as instant, {began.wall} as wall,
            {ended.instant} as end_instant, {ended.wall} as end_wall
        from (
            select *, {device(contract, members, cell)} as device,
                {cell(narrow.channel) if narrow else "null::varchar"} as channel,
                {start} as time_text, {end} as end_text
            from {source})"""


def is_plain(contract: SourceContract) -> bool:
    """Whether a row can be judged alone: not by its place, by others or by patterns of devices."""
    time = contract.delivery.time
    return (
        time is not None
        and time.zone == "UTC"
        and not time.sequence
        and all(channel.devices == ".*" for channel in contract.channels)
    )


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

    start = _joined(time.columns, cell)
    if time.split:
        parts = f"string_split({start}, {literal(time.split)})"
        return f"{parts}[1]", "null::varchar" if time.interval_s else f"{parts}[2]"
    return start, _joined(time.end_columns, cell) if time.end_columns else "null::varchar"


def _joined(columns: tuple[str, ...], cell: Cell) -> str:
    if len(columns) == 1:
        return cell(columns[0])
    return "concat_ws(' ', " + ", ".join(cell(name) for name in columns) + ")"


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


def _wide(contract: SourceContract, cell: Cell, others: Sequence[str], decimal: str | None) -> str:
    """SQL of each channel in a row that has a column for each."""
    kinds = {channel.delivered_as: channel.logical_type for channel in contract.channels}
    known = [
        _channel(literal(name), cell(name), str(kind in _NUMERIC).lower())
        for name, kind in kinds.items()
    ]
    unknown = [
        _channel(literal(name), cell(name), f"{number(cell(name), decimal or '.')} is not null")
        for name in others
    ]
    return f"unnest([{', '.join([*known, *unknown])}])"


def _channel(channel: str, cell: str, is_number: str) -> str:
    return f"{{'channel': {channel}, 'cell': {cell}, 'is_number': {is_number}}}"


def _texts(contract: SourceContract) -> Iterator[str]:
    return (c.delivered_as for c in contract.channels if c.logical_type not in _NUMERIC)


def _columns(
    contract: SourceContract,
    cell: Cell,
    decimal: str | None,
    others: Sequence[str],
    *,
    in_order: bool = False,
) -> dict[str, str]:
    """The columns that are offered, with their SQL over timed rows and their channel `c`.

    Without a `decimal` the cells of channels are numbers already.
    """
    narrow = contract.delivery.narrow
    if narrow:
        channel, told = "channel", cell(narrow.value)
        texts = ", ".join(literal(name) for name in _texts(contract))
        is_number = f"coalesce(channel not in ({texts}), true)" if texts else "true"
    else:
        channel, told, is_number = "c.channel", "c.cell", "c.is_number"
    found = {"_file": "_file", "_row": "_row", "device": "device", "channel": channel, "t": "t"}
    if decimal is None:
        found["value"] = told
    else:
        value = f"case when {is_number} then {number(told, decimal)} end"
        found |= {"cell": told, "value": value}
        if narrow and not in_order:
            # A row may name a channel that the contract does not: what is no number is its text.
            known = ", ".join(literal(one.delivered_as) for one in contract.channels)
            found["text"] = f"""case when not {is_number} then {told}
                when channel not in ({known}) and ({value}) is null then {told} end"""
        elif others or any(_texts(contract)):
            found["text"] = f"case when not {is_number} then {told} end"
    found |= _optional(contract, _time_rule(contract), cell, decimal or ".")
    if in_order:
        del found["_row"]
        return found | {"rule": f"case when is_odd then '{ODD}' end"}
    return found | {"rule": "time_rule", "reason": "time_problem"}


def _listed(found: Mapping[str, str], rows: str) -> str:
    return f"select {', '.join(f'{sql} as {name}' for name, sql in found.items())} from {rows}"


def _optional(contract: SourceContract, time: TimeRule, cell: Cell, decimal: str) -> dict[str, str]:
    """The columns that only some contracts fill, with their SQL."""
    delivery, found = contract.delivery, {}
    if time.interval_s:
        found["t_end"] = f"t + to_seconds({time.interval_s})"
    elif time.end_columns or time.split:
        found["t_end"] = "t_end"
    if time.result_columns:
        told = clocks.parse(_joined(time.result_columns, cell), time.format)
        found["result_time"] = clocks.dated(f"coalesce({told.instant}, {told.wall})")
    if delivery.narrow and delivery.narrow.unit:
        found["unit"] = cell(delivery.narrow.unit)
    if delivery.quality:
        code = cell(delivery.quality.column)
        found |= {"quality": quality(delivery.quality, code), "quality_code": code}
    if delivery.position:
        east, north = (number(cell(name), decimal) for name in delivery.position.columns)
        if delivery.position.crs:
            place = f"wgs84_of({east}, {north})"
            found |= {"longitude": f"{place}.lon", "latitude": f"{place}.lat"}
        else:
            found |= {"longitude": east, "latitude": north}
    return found
