"""Each offered row with its verdict, read the quickest way that gives every line its row.

A quick reading has no line numbers: its rows keep the order of the lines, and their place in the
table `plain` tells them. It only decides what is plainly sound or empty. Lines with anything else
are read once more, one by one, by a reader that knows the number of each; if there are many, or
the rows are not as many as the lines, that reader reads everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import duckdb

from ingestion.batches import digits, rules
from ingestion.reading.offered import OFFERED, InOrder, Lines, Reading, lines_of, show
from lakehouse.contracts import SourceContract
from lakehouse.errors import DeliveryRefused, Problem
from lakehouse.settings import Settings

_ABSENT: Final = {"quality": "'good'"}
_FEW: Final = 1_000
_SHARE: Final = 20
"""So many odd lines, or one in so many, are looked at one by one; more are read with the rest."""


def judge(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    reading: Reading,
    keep: frozenset[str] = frozenset(),
) -> frozenset[str]:
    """Make the views `records` and `judged`, the latter of each row with its verdict.

    Table `records_of_files` has the number of `records` in each file.

    A record that gave no row at all is a broken one, never a lost one. Channels get the name
    that the contract gives them. Adds to what `rules` find `_id` (which tells one row of the
    batch from another), `is_known` (the contract names the channel) and `verdict` (`sound`,
    `broken` or `filtered`). What is not plainly sound or empty stands in the table `judgements`.

    Args:
        connection: Holds what the reading has loaded and `files(_file, received_at, …)`.
        settings: Says where the vocabulary of units is.
        contract: The source.
        reading: What the format found.
        keep: Columns that `judgements` must have even if the format does not give them.

    Returns:
        The columns that are not null in every row.
    """
    connection.execute("create type verdict as enum ('sound', 'broken', 'filtered')")
    while (order := reading.in_order) is not None:
        found = _in_order(connection, settings, contract, reading, keep)
        if found is not None:
            return found
        reading = order.otherwise(None)
    given = _one_by_one(connection, settings, contract, reading, keep)
    _show_judged(connection, [_judgements(given)])
    connection.execute(
        """create temp table records_of_files as
        select _file, count(*)::bigint as rows from records group by _file"""
    )
    return given


def _one_by_one(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    reading: Reading,
    keep: frozenset[str],
) -> frozenset[str]:
    """Make `judgements` of rows that know their lines."""
    given = show(connection, reading) | keep
    rules.apply(connection, settings, contract, given)
    given = digits.keep(connection, given)
    if reading.may_be_silent:
        connection.execute(_SILENT)
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
        rules.apply_in_order(connection, settings, contract, reading.offered, order.given)
    except duckdb.Error:  # whatever it is, the slower reader names the line
        return None
    rows, odd, has_flags = connection.execute(
        """select count(*), count(*) filter (is_odd), coalesce(bool_or(value in (0, 1)), false)
        from plain"""
    ).fetchall()[0]
    records = order.lines(has_flags)
    if records is None or rows != sum(records) * order.width or odd > max(_FEW, rows // _SHARE):
        return None
    line = _line(connection, order, records)
    given, parts = order.given, [_plain(order.given, line)]
    if odd:
        closely = order.otherwise(_odd_lines(connection, line))
        found = _one_by_one(connection, settings, contract, closely, keep)
        parts.append(_judgements(found))
        given |= found
    else:
        connection.execute(_NOTHING)
    _show_judged(connection, parts)
    _show_records(connection, order, records)
    return given


def _line(connection: duckdb.DuckDBPyConnection, order: InOrder, records: Sequence[int]) -> str:
    """SQL of the line of a row of `plain`, told by its place."""
    connection.execute("set variable starts = ?::bigint[]", [[0, *accumulate(records)]])
    first = "getvariable('starts')[_file + 1]" if len(records) > 1 else "0"
    line = f"rowid // {order.width}" if order.width > 1 else "rowid"
    return f"{line} - {first} + {order.skip} + 1"


def _odd_lines(connection: duckdb.DuckDBPyConnection, line: str) -> Lines:
    """The numbers of the lines that must be looked at; leaves all their rows to that."""
    connection.execute(
        f"""create or replace temp table odd_lines as
        select distinct _file, {line} as _row from plain where is_odd"""
    )
    connection.execute(  # the other rows of a line that gives several
        f"update plain set is_odd = true where (_file, {line}) in (from odd_lines)"
    )
    return lines_of(connection, "odd_lines")


def _show_records(
    connection: duckdb.DuckDBPyConnection, order: InOrder, records: Sequence[int]
) -> None:
    connection.execute(
        """create temp table records_of_files as
        select unnest(range(len($rows)))::integer as _file, unnest($rows::bigint[]) as rows""",
        {"rows": list(records)},
    )
    connection.execute(
        f"""create or replace temp view records as
        select _file, unnest(range({order.skip} + 1, {order.skip} + 1 + rows)) as _row,
            null::varchar as _raw
        from records_of_files"""
    )


def _plain(given: frozenset[str], line: str) -> str:
    """SQL of the rows of `plain` that are decided."""
    return f"""
        select rowid as _id, _file, {line} as _row, device, t, {_optional(given)}
            getvariable('channel_name')[place] as channel,
            getvariable('channel_unit')[place] as unit, place, null::varchar as cell,
            true as is_known, case when not is_odd then 'empty_value' end as rule,
            null::varchar as reason,
            (case when is_odd is null then 'sound' else 'filtered' end)::verdict as verdict
        from plain where is_odd is not true"""


def _judgements(given: frozenset[str]) -> str:
    """SQL of the rows of `judgements`; their identities never meet those of `plain`."""
    unit = "unit" if "unit" in given else "null"
    return f"""
        select -1 - rowid as _id, _file, _row, device, t, {_optional(given)}
            coalesce(getvariable('channel_name')[place], channel) as channel,
            coalesce(getvariable('channel_unit')[place], {unit}) as unit, place, cell,
            place is not null as is_known, rule, reason,
            (case when rule is null then 'sound' when rule in {rules.LEFT_OUT} then 'filtered'
                else 'broken' end)::verdict as verdict
        from judgements"""


def _optional(given: frozenset[str]) -> str:
    return "".join(
        f"{name}, " if name in given
        else f"{_ABSENT.get(name, 'null')}::{OFFERED[name]} as {name}, "
        for name in rules.OPTIONAL
    )  # fmt: skip


def _show_judged(connection: duckdb.DuckDBPyConnection, parts: Sequence[str]) -> None:
    connection.execute(f"create temp view judged as {' union all '.join(parts)}")


_NOTHING: Final = """
create temp table judgements (
    _file integer, _row bigint, place integer, channel varchar, quality varchar,
    quality_code varchar, rule varchar, reason varchar)"""


_SILENT: Final = """
insert into judgements by name
select _file, _row, 'no_measurement' as rule,
    'the record carries no measurement' as reason
from records anti join judgements using (_file, _row)"""


def count(connection: duckdb.DuckDBPyConnection) -> None:
    """Make table `counted`: the judged rows of each file and verdict.

    It has `rows`, whether the contract names the channels of all of them (`are_known`), and their
    `first` and `last` time.
    """
    connection.execute(
        """create temp table counted as
        select _file, verdict, count(*) as rows, bool_and(is_known) as are_known,
            make_timestamptz(epoch_us(min(t))) as first, make_timestamptz(epoch_us(max(t))) as last
        from judged group by _file, verdict"""
    )


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
