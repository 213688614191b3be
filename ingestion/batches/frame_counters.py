"""How many LoRaWAN uplinks were lost on the way, by the frame counters of those that came.

A device counts its uplinks from 0 in each session; a number that is missing is an uplink that
nobody heard, or that was lost behind the network server. Uplinks are laid in the order of their
times, so it does not matter in which order they were delivered, nor how often.

Source: LoRaWAN 1.0.4, section 4.3.1.5 (frame counters of 16 or 32 bits; MAX_FCNT_GAP).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import duckdb

MAX_GAP: Final = 16_384
"""A step forward that network servers do not accept as of one session (MAX_FCNT_GAP)."""
ROLLOVER: Final = 1_000
"""A fall from within that many numbers below 2^16 or 2^32 to as many above 0 is a rollover."""

LATE: Final = 10
"""A dip of one uplink by that many numbers at most is two clocks that swapped neighbours."""

_ROLLS: Final = " ".join(
    f"when f_cnt < {ROLLOVER} and before between {2**bits - ROLLOVER} and {2**bits - 1} "
    f"then {2**bits}"
    for bits in (16, 32)
)


def losses(rows: str, group: str = "'all'") -> str:
    """Query: received and lost uplinks of each device and day.

    Args:
        rows: Relation with `device`, `phenomenon_time` (TIMESTAMPTZ) and `attributes`, as bronze
            has them; rows that tell no frame counter are left out.
        group: SQL of what else to keep apart, such as `_delivery`.

    Returns:
        SQL that gives `grouped, device, day` (DATE, UTC), `received` (uplinks, each once),
        `lost`, `expected` (their sum) and `resets` (how often the counter began anew). Lost ones
        count for the day of the next that came; those that were sent last before a reset, or
        before the first that is known, cannot be told.
    """
    window = "partition by grouped, device, session order by heard, f_cnt"
    return f"""
        with uplinks as (
            select distinct grouped, device, heard, coalesce(told[1], '') as session,
                try_cast(told[2] as bigint) as f_cnt
            from (
                select *, json_extract_string(attributes, ['$.session', '$.f_cnt']) as told
                from (
                    -- An uplink gives many rows: its attributes are taken apart once.
                    select distinct {group} as grouped, device, phenomenon_time as heard, attributes
                    from {rows} where contains(attributes, '"f_cnt":')
                )
            )
        ),
        laid as (
            select *, lag(f_cnt) over ({window}) as before, lead(f_cnt) over ({window}) as after
            from uplinks where f_cnt >= 0
        ),
        -- null where the counter began anew, else what a rollover adds
        stepped as (
            select *, case
                when before is null or f_cnt - before between 0 and {MAX_GAP} then 0 {_ROLLS}
                when after > before and before - f_cnt between 1 and {LATE} then 0 end as step
            from laid
        ),
        counted as (
            select *, sum((step is null)::integer) over ({window}) as epoch,
                f_cnt + sum(coalesce(step, 0)) over ({window}) as number
            from stepped
        ),
        heard_once as (
            select grouped, device, session, epoch, number, min(heard) as heard,
                min(f_cnt) as f_cnt
            from counted group by all
        ),
        gaps as (
            select *, number - lag(number) over (
                    partition by grouped, device, session, epoch order by number) - 1 as gap,
                min(heard) over (partition by grouped, device)
                    < min(heard) over (partition by grouped, device, session, epoch) as is_later
            from heard_once
        )
        select grouped, device, timezone('UTC', heard)::date as day, count(*) as received,
            -- A counter that began anew began at 0; where the first one began is not known.
            sum(case when gap is not null then gap
                when is_later and f_cnt <= {MAX_GAP} then f_cnt else 0 end)::bigint as lost,
            received + lost as expected,
            count(*) filter (gap is null and is_later) as resets
        from gaps group by all order by all"""


def findings(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    """What the frame counters of a batch say: delivery and sentence, where uplinks are missing.

    Args:
        connection: Holds `uplink_readings` with `_file` and the columns of bronze, and `files`.
    """
    rows = "(from uplink_readings join files using (_file))"
    found = connection.execute(
        f"""select grouped, sum(lost), count(distinct device), sum(expected)
        from ({losses(rows, "_delivery")}) group by grouped having sum(lost) > 0 order by grouped"""
    )
    for delivery, lost, devices, expected in found.fetchall():
        yield (
            delivery,
            f"{lost} of {expected} uplinks of {devices} devices are missing by frame counter",
        )
