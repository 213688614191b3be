{{ config(
    follows='silver.observation',
    resets_with=['silver.observed_property'],
    spills=true,
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}
{% set window = plan.partitions if plan.partitions is none or not plan.partitions else neighbouring_partitions(plan.partitions) %}

-- A reading that stands for an interval counts in the hour it began; one longer than an hour is
-- no hourly fact. A register's increase belongs to the hour before its later reading, so a
-- reading at 01:00 closes the hour from 00:00.
with readings as (
    select
        o.datastream_id,
        o.phenomenon_time,
        o.result,
        o.quality,
        p.aggregation,
        p.unit_id
    from {{ ref('observation') }} o
    join {{ ref('datastream') }} d on d.datastream_id = o.datastream_id
    join {{ ref('observed_property') }} p on p.observed_property_id = d.observed_property_id
    where {{ in_partitions(window, 'o.partition_date') }}
        and o.result is not null
        and p.aggregation <> 'none'
        and coalesce(o.phenomenon_time_end <= o.phenomenon_time + interval 1 hour, true)
),

steps as (
    select
        datastream_id,
        lag(phenomenon_time) over by_time as started,
        phenomenon_time as ended,
        lead(phenomenon_time) over by_time as following,
        result - lag(result) over by_time as increase
    from readings
    where aggregation = 'counter' and quality = 'good'
    window by_time as (partition by datastream_id order by phenomenon_time)
),

-- Over a gap of more than an hour nobody knows which hour used how much, and a register that
-- falls was reset; nor is anything known before the first reading or after the newest. The hours
-- such a step begins and ends in stay empty: what is known of an hour is not what it used.
parts as (
    select
        datastream_id,
        {{ utc_hour('ended - interval 1 microsecond') }} as hour_start,
        increase,
        coalesce(ended <= started + interval 1 hour and increase >= 0, false) as is_told
    from steps
    union all
    select datastream_id, {{ utc_hour('started') }}, null, false
    from steps
    where ended > started + interval 1 hour or increase < 0
    union all
    select datastream_id, {{ utc_hour('ended') }}, null, false
    from steps
    where following is null
),

increases as (
    select datastream_id, hour_start, sum(increase) as increase_value
    from parts
    group by datastream_id, hour_start
    having bool_and(is_told)
),

hours as (
    select
        datastream_id,
        {{ utc_hour('phenomenon_time') }} as hour_start,
        any_value(aggregation) as aggregation,
        any_value(unit_id) as unit_id,
        count(*) as readings,
        count(*) filter (where quality = 'good') as readings_good,
        avg(result) filter (where quality = 'good') as mean_value,
        min(result) filter (where quality = 'good') as min_value,
        max(result) filter (where quality = 'good') as max_value,
        sum(result) filter (where quality = 'good') as sum_value
    from readings
    group by datastream_id, hour_start
),

joined as (
    select
        h.datastream_id,
        h.hour_start,
        h.aggregation,
        h.unit_id,
        cast(h.readings as integer) as readings,
        cast(h.readings_good as integer) as readings_good,
        case when h.aggregation = 'mean' then round(h.mean_value, 6) end as mean_value,
        h.min_value,
        h.max_value,
        case
            when h.aggregation = 'sum' then round(h.sum_value, 6)
            when h.aggregation = 'counter' then round(i.increase_value, 6)
        end as total_value,
        {{ partition_date('h.hour_start') }} as partition_date
    from hours h
    left join increases i on i.datastream_id = h.datastream_id and i.hour_start = h.hour_start
)

select * from joined
where {{ in_partitions(plan.partitions) }}
order by partition_date, datastream_id, hour_start
