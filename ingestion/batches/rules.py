"""Row rules: what makes an offered row break its contract, as SQL over whole batches.

The first rule that speaks decides; its name and a sentence go with the row to quarantine.
Rows that are no measurements (`LEFT_OUT`) are not broken but left out, counted under their rule.
A row without a value is one of them, unless the contract says that the channel must have one.
"""

from __future__ import annotations

from typing import Final

import duckdb
import pyarrow as pa

from ingestion.batches import units
from ingestion.reading.offered import OFFERED
from lakehouse.contracts import SourceContract
from lakehouse.errors import DeliveryRefused, Problem
from lakehouse.settings import Settings

FUTURE_MINUTES: Final = 10
"""How far a sensor's clock may be ahead of the moment its delivery was received."""

LEFT_OUT: Final = ("empty_value", "simulated", "base_record")
"""Rules that leave a row out: an empty value, a message typed in for a test, a record that only
tells what the others have in common. They are counted, never quarantined."""

_CHANNELS: Final = pa.schema(
    [
        pa.field("channel", pa.string()),
        pa.field("devices", pa.string()),
        pa.field("delivered_as", pa.string()),
        pa.field("is_number", pa.bool_()),
        pa.field("minimum", pa.float64()),
        pa.field("maximum", pa.float64()),
        pa.field("unit", pa.string()),
        pa.field("keeps_empty", pa.bool_()),
    ]
)


def judge(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    given: frozenset[str],
    *,
    may_be_silent: bool = True,
) -> None:
    """Make view `judged` from `records` and `offered`: each row with its verdict.

    A record that gave no row at all is a broken one, never a lost one. Channels get the name
    that the contract gives them. Adds `_id` (which tells one row of the batch from another),
    `unit`, `is_known` (the contract names the channel), `verdict` (`sound`, `broken` or
    `filtered`), `rule` and `reason`.

    Args:
        connection: Holds `records`, `offered` and `files(_file, received_at, …)`.
        settings: Says where the vocabulary of units is.
        contract: Says which channels there are and what they may measure.
        given: The columns that are not null in every row; only they are copied.
        may_be_silent: Whether there can be records without a row, so that they are looked for.
    """
    connection.register("channels", _channels(contract))
    connection.register("unit_names", units.names(settings))
    has_patterns = any(channel.devices != ".*" for channel in contract.channels)
    if has_patterns:
        connection.execute(_MAPPED)
    kept = [name for name in OPTIONAL if name in given]
    connection.execute(
        f"""
        create temp table judgements as
        with {_known(has_patterns)}, ruled as (select *, {_rule(contract)} as rule from known)
        select _file, _row, device, channel, t, {"".join(f"{name}, " for name in kept)}
            case when is_known then unit else coalesce(unit_named, unit_told) end as unit,
            is_known, cell, rule,
            coalesce(found_reason, {_REASON}) as reason
        from ruled
        """
    )
    if may_be_silent:
        connection.execute(_SILENT)
    absent = [f"{_ABSENT.get(name, 'null')}::{OFFERED[name]} as {name}"
              for name in OPTIONAL if name not in given]  # fmt: skip
    connection.execute(
        f"""
        create temp view judged as
        select rowid as _id, *, {"".join(f"{column}, " for column in absent)}
            case when rule is null then 'sound' when rule in {LEFT_OUT} then 'filtered'
                else 'broken' end as verdict
        from judgements
        """
    )
    connection.unregister("channels")
    connection.unregister("unit_names")


OPTIONAL: Final = (
    "t_end", "value", "text", "quality", "quality_code", "result_time", "longitude", "latitude",
    "attributes",
)  # fmt: skip
"""Columns of offered rows that a format need not give."""

_ABSENT: Final = {"quality": "'good'"}

# A join by equality is a hash join; with a pattern in it every row would be held against every
# channel. So patterns are held against the devices that there are, once.
_MAPPED: Final = """
create temp table mapped as
select d.device as mapped_device, c.*
from (select distinct device, channel from offered) d
join channels c on d.channel = c.delivered_as and regexp_full_match(d.device, c.devices)"""


def _known(has_patterns: bool) -> str:
    """SQL of the offered rows with what the contract, the vocabulary and the file say of each."""
    channels = "(select null as mapped_device, * from channels)"
    same_device = ""
    if has_patterns:
        channels, same_device = "mapped", "and o.device = c.mapped_device"
    return f"""known as (
        select o.* exclude (rule, reason, channel, unit, quality),
            o.rule as found_rule, o.reason as found_reason,
            coalesce(o.quality, 'good') as quality,
            coalesce(c.channel, o.channel) as channel, o.channel as delivered_as,
            c.channel is not null as is_known,
            c.* exclude (channel, devices, delivered_as, mapped_device),
            o.unit as unit_told, n.unit as unit_named, f.received_at
        from offered o
        join files f using (_file)
        left join {channels} c on o.channel = c.delivered_as {same_device}
        left join unit_names n on o.unit = n.name
    )"""


_SILENT: Final = """
insert into judgements by name
select _file, _row, false as is_known, 'no_measurement' as rule,
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


def _rule(contract: SourceContract) -> str:
    """SQL of the first rule that speaks against a row; null for a sound one."""
    is_held = contract.delivery.drift != "evolve"
    unknown = "when not is_known then 'channel_unknown'" if is_held else ""
    return f"""case
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
        when quality <> 'bad' and value < minimum then 'value_below_minimum'
        when quality <> 'bad' and value > maximum then 'value_above_maximum'
    end"""


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
    when 'value_unreadable' then format('{} is ''{}'', which is no number', delivered_as, cell)
    when 'value_not_finite' then format('{} is ''{}'', which is not finite', delivered_as, cell)
    when 'value_below_minimum' then format('{} = {} {} is below the minimum {}', delivered_as,
        cell, unit, minimum)
    when 'value_above_maximum' then format('{} = {} {} is above the maximum {}', delivered_as,
        cell, unit, maximum)
end"""


def _channels(contract: SourceContract) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "channel": channel.name,
                "devices": channel.devices,
                "delivered_as": channel.delivered_as,
                "is_number": channel.logical_type in ("number", "integer"),
                "minimum": channel.minimum,
                "maximum": channel.maximum,
                "unit": channel.unit,
                "keeps_empty": channel.empty == "quarantine" or channel.required,
            }
            for channel in contract.channels
        ],
        _CHANNELS,
    )
