"""Row rules: what makes an offered row break its contract, as SQL over whole batches.

The first rule that speaks decides; its name and a sentence go with the row to quarantine.
Rows without a value are not broken but left out, counted under the rule `empty_value`, unless
the contract says that the channel must have one.
"""

from __future__ import annotations

from typing import Final

import duckdb
import pyarrow as pa

from lakehouse.contracts import SourceContract

FUTURE_MINUTES: Final = 10
"""How far a sensor's clock may be ahead of the moment its delivery was received."""

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


def judge(connection: duckdb.DuckDBPyConnection, contract: SourceContract) -> None:
    """Make table `judged` from `offered`: each row with its verdict.

    Adds `unit`, `is_known` (the contract names the channel), `verdict` (`sound`, `broken` or
    `filtered`), `rule` and `reason`.

    Args:
        connection: Holds `offered` and `files(_file, received_at, …)`.
        contract: Says which channels there are and what they may measure.
    """
    connection.register("channels", _channels(contract))
    unknown = "'channel_unknown'" if contract.delivery.unknown_channels == "quarantine" else "null"
    has_no_value = "value is null and text is null"
    connection.execute(
        f"""
        create or replace temp table judged as
        with known as (
            select o.* exclude (rule, reason), o.rule as found_rule, o.reason as found_reason,
                c.channel is not null as is_known, c.* exclude (channel, devices, delivered_as),
                coalesce(c.delivered_as, o.channel) as delivered_as,
                f.received_at
            from offered o
            join files f using (_file)
            left join channels c on o.channel = c.channel
                and (c.devices = '.*' or regexp_full_match(o.device, c.devices))
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
        select * exclude (found_rule, found_reason, received_at),
            case
                when rule is null then 'sound'
                when rule = 'empty_value' then 'filtered'
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
