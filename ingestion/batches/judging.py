"""Each offered row with its verdict, read the quickest way that gives every line its row.

A quick reading has no line numbers: its rows keep the order of the lines, and their place in
`judgements` tells them. If the rows are not as many as the lines, or one may look broken only
because of the quick reader, the slower one is asked instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import duckdb

from ingestion.batches import digits, rules
from ingestion.reading.offered import OFFERED, InOrder, Reading, show
from lakehouse.contracts import SourceContract
from lakehouse.errors import DeliveryRefused, Problem
from lakehouse.settings import Settings

_ABSENT: Final = {"quality": "'good'"}


def judge(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    reading: Reading,
    keep: frozenset[str] = frozenset(),
) -> frozenset[str]:
    """Make the views `records` and `judged`, the latter of each row with its verdict.

    A record that gave no row at all is a broken one, never a lost one. Channels get the name
    that the contract gives them. Adds to what `rules.apply` finds `_id` (which tells one row of
    the batch from another), `is_known` (the contract names the channel) and `verdict` (`sound`,
    `broken` or `filtered`).

    Args:
        connection: Holds what the reading has loaded and `files(_file, received_at, …)`.
        settings: Says where the vocabulary of units is.
        contract: The source.
        reading: What the format found.
        keep: Columns that must be there even if the format does not give them.

    Returns:
        The columns that are not null in every row.
    """
    while (order := reading.in_order) is not None:
        found = _in_order(connection, settings, contract, reading, keep)
        if found is not None:
            return found
        reading = order.otherwise()
    given = show(connection, reading) | keep
    rules.apply(connection, settings, contract, given)
    given = digits.keep(connection, given)
    if reading.may_be_silent:
        connection.execute(_SILENT)
    _show_judged(connection, given)
    return given


def _in_order(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    reading: Reading,
    keep: frozenset[str],
) -> frozenset[str] | None:
    """Judge rows without line numbers; None if they must be read by another reader."""
    order = reading.in_order
    assert order is not None  # noqa: S101 - the caller asked
    try:
        given = show(connection, reading) | keep
        rules.apply(connection, settings, contract, given)
    except duckdb.Error:  # whatever it is, the slower reader names the line
        return None
    records = order.lines()
    rows, suspect = connection.execute(
        "select count(*), count(*) filter (rule in (select unnest(?::varchar[]))) from judgements",
        [list(order.suspect)],
    ).fetchall()[0]
    if records is None or rows != sum(records) * order.width or suspect:
        return None
    given = digits.keep(connection, given)
    _number(connection, given, order, records)
    return given


def _number(
    connection: duckdb.DuckDBPyConnection,
    given: frozenset[str],
    order: InOrder,
    records: Sequence[int],
) -> None:
    """Make the views, with the line of each row told by its place."""
    starts = [0, *accumulate(records)]
    connection.execute("set variable starts = ?::bigint[]", [starts])
    first = "getvariable('starts')[_file + 1]" if len(records) > 1 else "0"
    line = f"rowid // {order.width} - {first} + {order.skip} + 1"
    _show_judged(connection, given, f"{line} as _row, ")
    connection.execute(
        f"""create temp view records as
        select _file, unnest(range({order.skip} + 1, {order.skip} + 1 + count)) as _row,
            null::varchar as _raw
        from (select _file::integer as _file,
            getvariable('starts')[_file + 2] - getvariable('starts')[_file + 1] as count
            from range({len(records)}) f(_file))"""
    )


def _show_judged(
    connection: duckdb.DuckDBPyConnection, given: frozenset[str], line: str = ""
) -> None:
    absent = [f"{_ABSENT.get(name, 'null')}::{OFFERED[name]} as {name}"
              for name in rules.OPTIONAL if name not in given]  # fmt: skip
    unit = "coalesce(getvariable('channel_unit')[place], {})"
    connection.execute(
        f"""
        create temp view judged as
        select rowid as _id, {line}* exclude (channel{", unit" if "unit" in given else ""}),
            coalesce(getvariable('channel_name')[place], channel) as channel,
            {unit.format("unit" if "unit" in given else "null")} as unit,
            place is not null as is_known, {"".join(f"{column}, " for column in absent)}
            case when rule is null then 'sound' when rule in {rules.LEFT_OUT} then 'filtered'
                else 'broken' end as verdict
        from judgements
        """
    )


_SILENT: Final = """
insert into judgements by name
select _file, _row, 'no_measurement' as rule,
    'the record carries no measurement' as reason
from records anti join judgements using (_file, _row)"""


def require_no_drift(connection: duckdb.DuckDBPyConnection, contract: SourceContract) -> None:
    """Refuse a delivery that has channels the contract does not name, if it is frozen.

    Raises:
        DeliveryRefused: Naming the channels.
    """
    if contract.delivery.drift != "freeze":
        return
    found = connection.execute(
        """select distinct f.name, j.channel from judged j join files f using (_file)
        where j.rule = 'channel_unknown' order by all limit 10"""
    ).fetchall()
    if found:
        raise DeliveryRefused(
            Problem(
                found[0][0],
                f"channels are new: {', '.join(channel for _, channel in found)}",
                "Add them to the contract, or set delivery.drift to evolve.",
            )
        )
