{{ config(
    follows='silver.observation',
    spills=true,
    rows_factor=5,
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}

with readings as (
    select
        o.datastream_id,
        o.phenomenon_time,
        o.quality,
        case
            when o.result_text is not null then o.result_text
            when o.result = floor(o.result) then cast(cast(o.result as bigint) as string)
            else cast(o.result as string)
        end as state
    from {{ ref('observation') }} o
    join {{ ref('datastream') }} d on d.datastream_id = o.datastream_id
    where {{ in_window(plan, 'o.partition_date') }}
        and d.aggregation = 'share_of_time'
),

standing as (
    {{ held_by_hour('readings', ['state']) }}
),

hours as (
    select
        datastream_id,
        hour_start,
        state,
        round(sum(seconds), 6) as duration_s,
        {{ partition_of('hour_start') }} as partition_date
    from standing
    where state is not null
    group by datastream_id, hour_start, state
)

select
    datastream_id,
    hour_start,
    state,
    duration_s,
    round(duration_s / sum(duration_s) over (partition by datastream_id, hour_start), 6) as share,
    partition_date
from hours
where {{ in_partitions(plan) }}
order by partition_date, datastream_id, hour_start, state
