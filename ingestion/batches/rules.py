"""Row rules: what makes an offered row break its contract, as SQL over whole batches.

The first rule that speaks decides; its name and a sentence go with the row to quarantine.
Rows that are no measurements (`LEFT_OUT`) are not broken but left out, counted under their rule.
A row without a value is one of them, unless the contract says that the channel must have one.
"""

from __future__ import annotations

from math import inf
from typing import Any, Final

import duckdb

from ingestion.batches import digits, units
from lakehouse import delta, tables
from lakehouse.contracts import SourceContract
from lakehouse.duck import literal
from lakehouse.settings import Settings

FUTURE_MINUTES: Final = 10
"""How far a sensor's clock may be ahead of the moment its delivery was received."""

PAST: Final = "past_retention"
KEPT_FROM: Final = "kept_from"
"""Mark of bronze: the day, counted from 1970, before which retention has removed all rows."""

LEFT_OUT: Final = ("empty_value", "simulated", "base_record", PAST)
"""Rules that leave a row out: an empty value, a message typed in for a test, a record that only
tells what the others have in common, a row of a time that is no longer kept. They are counted,
never quarantined."""

OPTIONAL: Final = (
    "t_end", "value", "text", "quality", "quality_code", "result_time", "longitude", "latitude",
    "attributes",
)  # fmt: skip
"""Columns of offered rows that a format need not give."""


def apply(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    given: frozenset[str],
) -> None:
    """Make table `judgements` of the offered rows with the rule that each breaks.

    Adds the `place` of the row's channel in the contract's lists (`channel_name`, `channel_unit`
    and others, DuckDB variables; null for a channel that it does not name), `rule` and `reason`;
    `channel` is null where the place tells it, and so is `unit`, which is left out like the
    `OPTIONAL` columns if it is not given.

    Args:
        connection: Holds `offered` and `files(_file, received_at, …)`.
        settings: Says where the vocabulary of units is.
        contract: Says which channels there are and what they may measure.
        given: The columns that are not null in every row; only they are copied.
    """
    placed = _prepare(connection, settings, contract, "offered", given)
    past = _tell_kept_from(connection, settings, contract)
    known = f"placed as ({placed}), {_known('unit' in given)}"
    kept = [name for name in ("_file", "_row", *OPTIONAL) if name in given]
    if "unit" in given:
        kept.append("case when place is null then coalesce(unit_named, unit_told) end as unit")
    connection.execute(
        f"""
        create or replace temp table judgements as
        with {known}, ruled as (select *, {_rule(contract, past)} as rule from known)
        select {", ".join(kept)}, device, t, place,
            case when place is null then delivered_as end as channel, cell, rule,
            coalesce(found_reason, {_REASON}) as reason
        from ruled
        """
    )


def apply_in_order(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    offered: str,
    given: frozenset[str],
) -> None:
    """Make table `plain` of the offered rows, in their order, with only what a sound row needs.

    `is_odd` is null for a sound row, false for one that is left out because it is empty, and true
    for one of a line that must be looked at more closely: it breaks a rule, or has a channel that
    the contract does not name.

    Args:
        connection: Holds `files(_file, received_at, …)`.
        settings: Says where the vocabulary of units is.
        contract: Says which channels there are and what they may measure.
        offered: Query of the offered rows. It stands in the statement itself: DuckDB would look
            through a view of it once more, which takes as long as reading thousands of rows.
        given: Its columns.
    """
    placed = _prepare(connection, settings, contract, f"({offered})", given)
    past = _tell_kept_from(connection, settings, contract)
    kept = "".join(f"{name}, " for name in ("_file", *OPTIONAL) if name in given)
    connection.execute(
        f"""
        create or replace temp table plain as
        select {kept} device, t, place, {_is_odd(contract, given, past)} as is_odd from ({placed})
        """
    )


def _is_odd(contract: SourceContract, given: frozenset[str], past: str) -> str:
    """SQL: null for what is sound beyond doubt, false for what is empty, true for all else.

    The rules decide what is odd. Here only a few comparisons are made of each row, and what the
    contract says of a channel is looked up where it is needed.
    """
    has = [f"{name} is null" for name in ("cell", "value", "text") if name in given]
    is_good = "coalesce(quality, 'good') <> 'bad'" if "quality" in given else "true"
    is_unit = "true"
    if "unit" in given:
        is_unit = f"""(unit is null
            or getvariable('named_units')[enum_code(try_cast(unit as unit_name)) + 1]
                = {_said("unit")})"""
    # The limits exclude what a double cannot tell; a long cell may still be more than its value.
    is_told = f"{digits.MAY_BE_LOST} is not true" if "cell" in given else "true"
    if any(channel.logical_type == "integer" for channel in contract.channels):
        is_told += f" and (not {_said('is_integer')} or value = trunc(value))"
    is_text = f"value is null and text is not null and not {_said('is_number')}"
    return f"""case
        {f"when {past} then true" if past else ""}
        when (rule is null and device <> '' and place is not null and {is_unit}
            and t <= {_RECEIVED_AT} + interval {FUTURE_MINUTES} minutes) is not true then true
        when value between {_said("least")} and {_said("most")}
            and {is_good} and {is_told} then null
        when {is_text if "text" in given else "false"} then null
        when {" and ".join(has)} and {is_good} and not {_said("keeps_empty")} then false
        when not {is_good} and abs(value) <= {digits.EXACT} and {is_told} then null
        else true end"""


def _prepare(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    offered: str,
    given: frozenset[str],
) -> str:
    """Make the lists that rows are held against; SQL of the rows with their channel's place."""
    placed = _tell_channels(connection, contract, offered)
    connection.execute(
        """set variable received_at = (select list(f.received_at order by number)
            from range((select max(_file) + 1 from files)) r(number)
            left join files f on f._file = number)"""
    )
    if "unit" in given:
        _tell_units(connection, settings)
    return placed


def _tell_kept_from(
    connection: duckdb.DuckDBPyConnection, settings: Settings, contract: SourceContract
) -> str:
    """SQL of whether a row is of a time that is no longer kept; empty if all times are."""
    day = contract.kept_from or delta.mark_of(tables.bronze(settings, contract.id), KEPT_FROM)
    if not day:
        return ""
    connection.execute("set variable kept_from = timestamp '1970-01-01' + to_days(?)", [day])
    return "t < getvariable('kept_from')"


# What the contract says of a channel is found by its place in lists, not by a join: a join costs
# more, and DuckDB does not keep the order of the rows through one.
_FEW: Final = 16
"""Up to so many channels a list of them is looked through faster than an ENUM finds one."""
_SAID: Final = ("is_number", "is_integer", "minimum", "maximum", "unit", "keeps_empty")


def _tell_channels(
    connection: duckdb.DuckDBPyConnection, contract: SourceContract, offered: str
) -> str:
    """Make a list of each property of the channels.

    Returns:
        SQL of the offered rows with the `place` of their channel in the lists, null for one that
        the contract does not name.
    """
    for name, (kind, values) in _lists(contract).items():
        connection.execute(f"set variable channel_{name} = ?::{kind}[]", [values])
    placed = "select *, list_position(getvariable('channel_delivered_as'), channel) as place"
    if any(channel.devices != ".*" for channel in contract.channels):
        # Patterns are held against the devices that there are, once.
        connection.execute(
            f"""
            create or replace temp table mapped as
            select d.device, d.channel, c.place
            from (select distinct device, channel from {offered}) d
            join range(1, {len(contract.channels) + 1}) c(place)
                on d.channel = getvariable('channel_delivered_as')[c.place]
                and regexp_full_match(d.device, getvariable('channel_devices')[c.place])
            """
        )
        return f"select o.*, c.place from {offered} o left join mapped c using (device, channel)"
    if len(contract.channels) > _FEW:
        names = ", ".join(literal(one.delivered_as) for one in contract.channels)
        connection.execute("drop type if exists delivered")
        connection.execute(f"create type delivered as enum ({names})")
        placed = "select *, enum_code(try_cast(channel as delivered)) + 1 as place"
    return f"{placed} from {offered}"


def _tell_units(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make the lists of unit names and of the units that they stand for."""
    connection.register("unit_names", units.names(settings))
    connection.execute(
        """
        drop type if exists unit_name;
        create type unit_name as enum (select name from unit_names order by name);
        set variable named_units = (select list(unit order by name::unit_name) from unit_names)
        """
    )
    connection.unregister("unit_names")


def _known(has_units: bool) -> str:
    """SQL of the rows with what the contract, the vocabulary and the file say of each."""
    said = ", ".join(f"{_said(name)} as {name}" for name in _SAID)
    named = "getvariable('named_units')[enum_code(try_cast(unit as unit_name)) + 1]"
    return f"""known as (
        select * exclude (rule, reason, channel, unit, quality),
            rule as found_rule, reason as found_reason,
            coalesce(quality, 'good') as quality,
            channel as delivered_as, place is not null as is_known, {said},
            unit as unit_told, {named if has_units else "null::varchar"} as unit_named,
            {_RECEIVED_AT} as received_at
        from placed)"""


_RECEIVED_AT: Final = "getvariable('received_at')[_file + 1]"


def _said(name: str) -> str:
    """SQL of what the contract says of the channel of a row."""
    return f"getvariable('channel_{name}')[place]"


def _rule(contract: SourceContract, past: str) -> str:
    """SQL of the first rule that speaks against a row; null for a sound one."""
    is_held = contract.delivery.drift != "evolve"
    unknown = "when not is_known then 'channel_unknown'" if is_held else ""
    has_integers = any(channel.logical_type == "integer" for channel in contract.channels)
    return f"""case
        {f"when {past} then '{PAST}'" if past else ""}
        when found_rule is not null then found_rule
        when t is null then 'time_missing'
        when t > received_at + interval {FUTURE_MINUTES} minutes then 'time_in_future'
        when coalesce(device, '') = '' then 'device_missing'
        when coalesce(delivered_as, '') = '' then 'channel_missing'
        {unknown}
        when is_known and unit_told is not null and unit_named is null then 'unit_unknown'
        when is_known and unit_told is not null and unit_named <> unit then 'unit_differs'
        when cell is null and value is null and text is null and quality <> 'bad'
            then case when keeps_empty then 'value_missing' else 'empty_value' end
        when is_number and cell is not null and value is null then 'value_unreadable'
        when value is not null and not isfinite(value) then 'value_not_finite'
        {_INTEGER if has_integers else ""}
        when quality <> 'bad' and value < minimum then 'value_below_minimum'
        when quality <> 'bad' and value > maximum then 'value_above_maximum'
    end"""


_INTEGER: Final = rf"""when is_integer and quality <> 'bad' and (value <> trunc(value)
            or strlen(cell) > {digits.SHORT}
                and regexp_full_match(cell, '[^eE]*[.,][0-9]*[1-9][0-9]*'))
            then 'value_not_integer'
        when is_integer and quality <> 'bad' and abs(value) > {digits.EXACT}
            then 'value_too_large'"""
"""From 2^53 on a double does not tell a whole number from the next; below it, it may still hide
the fraction of a long text."""

_REASON: Final = """case rule
    when 'time_missing' then 'the row has no time'
    when 'time_in_future' then format('the time {} UTC lies after the delivery, received {} UTC',
        t, received_at)
    when 'device_missing' then 'the row names no device'
    when 'channel_missing' then 'the row names no channel'
    when 'channel_unknown' then format('the contract has no channel ''{}''', delivered_as)
    when 'unit_unknown' then format('{} is delivered in ''{}'', no unit of the vocabulary; '
        || 'the contract says {}', delivered_as, unit_told, unit)
    when 'unit_differs' then format('{} is delivered in {}, the contract says {}', delivered_as,
        unit_told, unit)
    when 'value_missing' then format('{} is empty', delivered_as)
    when 'value_unreadable' then format('{} is ''{}'', which is {}', delivered_as, cell,
        case when strlen(cell) > 17 and not contains(cell, '_') and try_cast(cell as double)
            is not null then 'a text, or a number of too many digits' else 'no number' end)
    when 'value_not_finite' then format('{} is ''{}'', which is not finite', delivered_as, cell)
    when 'value_not_integer' then format('{} is ''{}'', which is no whole number', delivered_as,
        cell)
    when 'value_too_large' then format('{} is ''{}'': whole numbers are exact within '
        || '±9,007,199,254,740,991', delivered_as, cell)
    when 'value_below_minimum' then format('{} = {} {} is below the minimum {}', delivered_as,
        cell, unit, minimum)
    when 'value_above_maximum' then format('{} = {} {} is above the maximum {}', delivered_as,
        cell, unit, maximum)
end"""


def _lists(contract: SourceContract) -> dict[str, tuple[str, list[Any]]]:
    """What the contract says of its channels, one list for each property, with DuckDB's type."""
    channels = contract.channels
    return {
        "name": ("varchar", [one.name for one in channels]),
        "devices": ("varchar", [one.devices for one in channels]),
        "delivered_as": ("varchar", [one.delivered_as for one in channels]),
        "is_number": ("boolean", [one.logical_type in ("number", "integer") for one in channels]),
        "is_integer": ("boolean", [one.logical_type == "integer" for one in channels]),
        "minimum": ("double", [one.minimum for one in channels]),
        "maximum": ("double", [one.maximum for one in channels]),
        "least": ("double", [max(_or(one.minimum, -inf), -digits.EXACT) for one in channels]),
        "most": ("double", [min(_or(one.maximum, inf), digits.EXACT) for one in channels]),
        "unit": ("varchar", [one.unit for one in channels]),
        "keeps_empty": (
            "boolean",
            [one.empty == "quarantine" or one.required for one in channels],
        ),
    }


def _or(limit: float | None, edge: float) -> float:
    return edge if limit is None else limit
