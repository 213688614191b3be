{#
  How many LoRaWAN uplinks of a device were heard and lost, by their frame counters: device, day,
  uplinks_received, uplinks_lost, counter_resets. The same reckoning as ingestion makes of a
  delivery (ingestion/batches/frame_counters.py): a number that is missing was lost, and counts for
  the day of the next that came; a step of more than 16,384 or a fall is a counter that began anew
  at 0, unless it went round at 2^16 or 2^32, or two clocks swapped neighbours.

  `relation` has block, device, heard, session, f_cnt and day. Uplinks of another block are not
  seen; only those whose day is their block are counted.
#}
{% macro uplink_losses(relation) %}
{%- set by_time = '(partition by block, device, session order by heard, f_cnt)' -%}
with laid as (
    select
        *,
        lag(f_cnt) over {{ by_time }} as before,
        lead(f_cnt) over {{ by_time }} as after
    from {{ relation }}
    where f_cnt >= 0
),

-- null where the counter began anew, else what a rollover adds
stepped as (
    select
        *,
        case
            when before is null or f_cnt - before between 0 and 16384 then 0
            when f_cnt < 1000 and before between 64536 and 65535 then 65536
            when f_cnt < 1000 and before between 4294966296 and 4294967295 then 4294967296
            when after > before and before - f_cnt between 1 and 10 then 0
        end as step
    from laid
),

counted as (
    select
        *,
        sum(case when step is null then 1 else 0 end) over {{ by_time }} as epoch,
        f_cnt + sum(step) over {{ by_time }} as number
    from stepped
),

heard_once as (
    select block, device, session, epoch, number, min(heard) as heard, min(f_cnt) as f_cnt, min(day) as day
    from counted
    group by block, device, session, epoch, number
),

gaps as (
    select
        *,
        number - 1 - lag(number) over (partition by block, device, session, epoch order by number) as gap,
        min(heard) over (partition by block, device)
            < min(heard) over (partition by block, device, session, epoch) as is_later
    from heard_once
)

select
    device,
    day,
    cast(count(*) as integer) as uplinks_received,
    -- A counter that began anew began at 0; where the first one began is not known.
    cast(sum(case
        when gap is not null then gap
        when is_later and f_cnt <= 16384 then f_cnt
        else 0
    end) as integer) as uplinks_lost,
    cast(count(*) filter (where gap is null and is_later) as integer) as counter_resets
from gaps
where day = block
group by device, day
{% endmacro %}
