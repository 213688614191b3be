{{ config(
    follows='silver.observation',
    spills=true,
    rows_factor=5,
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}

-- A reading that stands for an interval counts in the hour it began; one longer than an hour is
-- no hourly fact.
with readings as (
    select
        o.datastream_id,
        o.phenomenon_time,
        o.result,
        o.quality,
        o.partition_date,
        d.aggregation,
        d.unit_id,
        d.rollover
    from {{ ref('observation') }} o
    join {{ ref('datastream') }} d on d.datastream_id = o.datastream_id
    where {{ in_window(plan, 'o.partition_date') }}
        and o.result is not null
        and d.aggregation not in ('none', 'share_of_time')
        and coalesce(o.phenomenon_time_end <= o.phenomenon_time + interval 1 hour, true)
),

increases as (
    {{ register_hours("(select * from readings where aggregation = 'counter' and quality = 'good')") }}
),

-- What stands until it changes, by how long it stood; also in hours without a reading.
standing as (
    {{ held_by_hour("(select * from readings where aggregation = 'time_weighted_mean')", ['result']) }}
),

stood as (
    select
        datastream_id,
        hour_start,
        sum(result * seconds) / sum(seconds) as mean_value,
        min(result) as min_value,
        max(result) as max_value,
        sum(seconds) as covered_s
    from standing
    group by datastream_id, hour_start
),

-- What counts in its own hour asks nothing of the days beside it.
counted as (
    select
        datastream_id,
        {{ utc_hour('phenomenon_time') }} as hour_start,
        any_value(aggregation) as aggregation,
        count(*) as readings,
        count(*) filter (where quality = 'good') as readings_good,
        avg(result) filter (where quality = 'good') as mean_value,
        min(result) filter (where quality = 'good') as min_value,
        max(result) filter (where quality = 'good') as max_value,
        sum(result) filter (where quality = 'good') as sum_value,
        {{ vector_parts('result', "quality = 'good' and aggregation = 'vector_mean'") }},
        avg(power(10, result / 10)) filter (where quality = 'good' and aggregation = 'energetic_mean') as mean_energy
    from readings
    where {{ in_partitions(plan) }}
    group by datastream_id, hour_start
),

hours as (
    select
        coalesce(c.datastream_id, s.datastream_id) as datastream_id,
        coalesce(c.hour_start, s.hour_start) as hour_start,
        coalesce(c.readings, 0) as readings,
        coalesce(c.readings_good, 0) as readings_good,
        case c.aggregation
            when 'mean' then c.mean_value
            when 'vector_mean' then {{ direction('c.mean_east', 'c.mean_north') }}
            when 'energetic_mean' then 10 * log10(c.mean_energy)
            else s.mean_value
        end as mean_value,
        case when s.datastream_id is null then c.min_value else s.min_value end as min_value,
        case when s.datastream_id is null then c.max_value else s.max_value end as max_value,
        c.sum_value,
        case when c.aggregation = 'vector_mean' then sqrt(power(c.mean_east, 2) + power(c.mean_north, 2)) end
            as steadiness,
        s.covered_s
    from counted c
    full outer join stood s on s.datastream_id = c.datastream_id and s.hour_start = c.hour_start
),

joined as (
    select
        h.datastream_id,
        h.hour_start,
        d.aggregation,
        d.unit_id,
        cast(h.readings as integer) as readings,
        cast(h.readings_good as integer) as readings_good,
        round(h.mean_value, 6) as mean_value,
        case when d.aggregation <> 'vector_mean' then h.min_value end as min_value,
        case when d.aggregation <> 'vector_mean' then h.max_value end as max_value,
        case
            when d.aggregation = 'sum' then round(h.sum_value, 6)
            when d.aggregation = 'counter' then round(i.increase_value, 6)
        end as total_value,
        round(h.steadiness, 6) as steadiness,
        round(h.covered_s, 6) as covered_s,
        {{ partition_of('h.hour_start') }} as partition_date
    from hours h
    join {{ ref('datastream') }} d on d.datastream_id = h.datastream_id
    left join increases i on i.datastream_id = h.datastream_id and i.hour_start = h.hour_start
)

select * from joined
where {{ in_partitions(plan) }}
order by partition_date, datastream_id, hour_start
