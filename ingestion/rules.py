"""Row rules: what makes an offered row break its contract, as SQL over whole batches.

The first rule that speaks decides; its name and a sentence go with the row to quarantine.
Rows that are no measurements (`LEFT_OUT`) are not broken but left out, counted under their rule.
A row without a value is one of them, unless the contract says that the channel must have one.
"""

from __future__ import annotations

from typing import Final

import duckdb
import pyarrow as pa

from ingestion import units
from lakehouse.contracts import SourceContract
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
    connection: duckdb.DuckDBPyConnection, settings: Settings, contract: SourceContract
) -> None:
    """Make table `judged` from `records` and `offered`: each row with its verdict.

    A record that gave no row at all is a broken one, never a lost one. Channels get the name
    that the contract gives them.

    Adds `unit`, `is_known` (the contract names the channel), `verdict` (`sound`, `broken` or
    `filtered`), `rule` and `reason`.

    Args:
        connection: Holds `records`, `offered` and `files(_file, received_at, …)`.
        settings: Says where the vocabulary of units is.
        contract: Says which channels there are and what they may measure.
    """
    connection.register("channels", _channels(contract))
    connection.register("unit_names", units.names(settings))
    unknown = "'channel_unknown'" if contract.delivery.unknown_channels == "quarantine" else "null"
    has_no_value = "value is null and text is null"
    connection.execute(
        f"""
        create or replace temp table judged as
        with known as (
            select o.* exclude (rule, reason, channel, unit, quality),
                o.rule as found_rule, o.reason as found_reason,
                coalesce(o.quality, 'good') as quality,
                coalesce(c.channel, o.channel) as channel, o.channel as delivered_as,
                c.channel is not null as is_known, c.* exclude (channel, devices, delivered_as),
                o.unit as unit_told, n.unit as unit_named, f.received_at
            from (from offered union all by name {_SILENT}) o
            join files f using (_file)
            left join channels c on o.channel = c.delivered_as
                and (c.devices = '.*' or regexp_full_match(o.device, c.devices))
            left join unit_names n on o.unit = n.name
        ),
        ruled as (
            select *,
                case
                    when found_rule is not null then found_rule
                    when t is null then 'time_missing'
                    when t > received_at + interval {FUTURE_MINUTES} minutes then 'time_in_future'
                    when coalesce(device, '') = '' then 'device_missing'
                    when coalesce(channel, '') = '' then 'channel_missing'
                    when not is_known and {unknown} is not null then {unknown}
                    when is_known and unit_told is not null and unit_named is null
                        then 'unit_unknown'
                    when is_known and unit_told is not null and unit_named <> unit
                        then 'unit_differs'
                    when cell is null and {has_no_value} and quality <> 'bad'
                        then case when keeps_empty then 'value_missing' else 'empty_value' end
                    when is_number and cell is not null and value is null
                        then 'value_unreadable'
                    when value is not null and not isfinite(value) then 'value_not_finite'
                    when quality <> 'bad' and value < minimum then 'value_below_minimum'
                    when quality <> 'bad' and value > maximum then 'value_above_maximum'
                end as rule
            from known
        )
        select * exclude (found_rule, found_reason, received_at, unit, unit_told, unit_named),
            case when is_known then unit else coalesce(unit_named, unit_told) end as unit,
            case
                when rule is null then 'sound'
                when rule in {LEFT_OUT} then 'filtered'
                else 'broken'
            end as verdict,
            coalesce(found_reason, case rule
                when 'time_missing' then 'the row has no time'
                when 'time_in_future'
                    then format('the time {{}} UTC lies after the delivery, received {{}} UTC',
                        t, received_at)
                when 'device_missing' then 'the row names no device'
                when 'channel_missing' then 'the row names no channel'
                when 'channel_unknown'
                    then format('the contract has no channel ''{{}}''', channel)
                when 'unit_unknown'
                    then format('{{}} is delivered in ''{{}}'', no unit of the vocabulary; '
                        || 'the contract says {{}}', delivered_as, unit_told, unit)
                when 'unit_differs'
                    then format('{{}} is delivered in {{}}, the contract says {{}}', delivered_as,
                        unit_told, unit)
                when 'value_missing' then format('{{}} is empty', delivered_as)
                when 'value_unreadable'
                    then format('{{}} is ''{{}}'', which is no number', delivered_as, cell)
                when 'value_not_finite'
                    then format('{{}} is ''{{}}'', which is not finite', delivered_as, cell)
                when 'value_below_minimum'
                    then format('{{}} = {{}} {{}} is below the minimum {{}}', delivered_as, cell,
                        unit, minimum)
                when 'value_above_maximum'
                    then format('{{}} = {{}} {{}} is above the maximum {{}}', delivered_as, cell,
                        unit, maximum)
            end) as reason
        from ruled
        """
    )
    connection.unregister("channels")
    connection.unregister("unit_names")


_SILENT: Final = """(
    select _file, _row, 'no_measurement' as rule, 'the record carries no measurement' as reason,
        'bad' as quality
    from records anti join offered using (_file, _row))"""


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
