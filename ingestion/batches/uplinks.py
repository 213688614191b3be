"""The identity of a LoRaWAN uplink, however many gateways brought it.

A network server, or a broker behind it, may deliver one uplink once for each gateway that heard
it; time and signal differ then, the message does not. Readers of uplinks write the identity into
`attributes` as its first key, `uplink`: the network server's own deduplication id, else session,
frame counter and port. Within `SPREAD_S` a device does not use one twice: a counter that starts
anew after a rejoin comes back much later.
"""

from __future__ import annotations

from typing import Final

SPREAD_S: Final = 600
"""How far the times that gateways give to one uplink may lie apart, seconds."""

_MARK: Final = '{"uplink":"'


def identity(attributes: str) -> str:
    """SQL of the identity of the uplink that a row is from; null for rows of other kinds."""
    return f"case when starts_with({attributes}, '{_MARK}') then {attributes}->>'$.uplink' end"


def repeats(source: str) -> str:
    """SQL: `_id` of the rows of a table that repeat a reading of an earlier one.

    Args:
        source: Table with `_id`, `_file`, `_row`, `device`, `channel`, `phenomenon_time`, `value`,
            `text`, `quality` and `uplink`, null where a row is from no uplink.
    """
    reading = "device, channel, uplink, value, text, quality"
    # Most readings are there once: they are told by a hash, which costs less than a window.
    many = f"""select hash({reading}) from {source} where uplink is not null
        group by 1 having count(*) > 1"""
    # A run of deliveries that are no further apart than SPREAD_S is one reading.
    return f"""
        select _id from (
            select _id, row_number() over (
                partition by {reading}, run order by _file, _row) as occurrence
            from (
                select *, sum(is_apart) over (
                    partition by {reading} order by phenomenon_time) as run
                from (
                    select *, coalesce(phenomenon_time - lag(phenomenon_time) over (
                        partition by {reading} order by phenomenon_time)
                        > to_seconds({SPREAD_S}), false)::integer as is_apart
                    from {source} where uplink is not null and hash({reading}) in ({many})
                )
            )
        ) where occurrence > 1"""


def is_known(bronze: str) -> str:
    """SQL: whether bronze has the reading of the uplink that a row `s` is from.

    Args:
        bronze: SQL of the rows of bronze that are at most `SPREAD_S` away.
    """
    return f"""exists (
        select 1 from {bronze} b
        where {identity("b.attributes")} = s.uplink
            and b.device = s.device and b.channel = s.channel
            and b.value is not distinct from s.value and b.text is not distinct from s.text
            and b.quality = s.quality
            and abs(epoch_us(b.phenomenon_time) - epoch_us(s.phenomenon_time))
                <= {SPREAD_S} * 1000000)"""
