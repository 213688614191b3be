{{ config(
    follows='silver.observation',
    spills=true,
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}

-- What can be told of a sensor's day from that day alone: what is usual for the sensor takes many
-- days, and is told from these rows. So late data change their own day's row, and no reading is
-- read twice. What is planned or foreseen is measured by no sensor.
with readings as (
    select
        o.datastream_id,
        {{ stockholm_date('o.phenomenon_time') }} as local_date,
        o.phenomenon_time,
        o.quality,
        case when o.quality = 'good' then o.result end as good_result,
        d.aggregation,
        d.rollover
    from {{ ref('observation') }} o
    join {{ ref('datastream') }} d on d.datastream_id = o.datastream_id
    where {{ in_window(plan, 'o.partition_date') }}
        and d.aggregation <> 'none'
        and d.observed_property_id not in ('electricity_price', 'planned_calls')
        and d.observed_property_id not like '%_forecast'
),

stepped as (
    select
        *,
        lag(phenomenon_time) over by_time as time_before,
        lag(good_result) over by_time as result_before,
        case when good_result is not null then lag(good_result) over of_good end as good_before
    from readings
    window
        by_time as (partition by datastream_id, local_date order by phenomenon_time),
        of_good as (
            partition by datastream_id, local_date, good_result is not null order by phenomenon_time
        )
),

-- Readings of one value in a row are one run. They are counted: a gap between two is not one.
numbered as (
    select
        *,
        case when aggregation not in ('counter', 'share_of_time', 'vector_mean')
            then abs(good_result - good_before) end as step,
        case when aggregation = 'counter' and good_result < good_before
            then {{ register_increase('good_before', 'good_result', 'rollover') }} is not null
        end as is_rollover,
        sum(case when good_result = result_before then 0 else 1 end) over (
            partition by datastream_id, local_date order by phenomenon_time
        ) as run
    from stepped
),

runs as (
    select
        datastream_id,
        local_date,
        max(readings) as longest_flat_readings
    from (
        select datastream_id, local_date, run, count(good_result) as readings
        from numbered
        group by datastream_id, local_date, run
    ) each_run
    group by datastream_id, local_date
),

days as (
    select
        datastream_id,
        local_date,
        count(*) as readings,
        count(*) filter (where quality <> 'bad') as readings_usable,
        min(phenomenon_time) as first_reading_at,
        max(phenomenon_time) as last_reading_at,
        median({{ seconds_between('time_before', 'phenomenon_time') }}) as median_interval_s,
        max({{ seconds_between('time_before', 'phenomenon_time') }}) as longest_interval_s,
        avg(good_result) as mean_value,
        median(good_result) as median_value,
        min_by(good_result, phenomenon_time) filter (where good_result is not null) as value_at_start,
        max_by(good_result, phenomenon_time) filter (where good_result is not null) as value_at_end,
        median(step) as median_step,
        {{ greatest_values('step', 24) }} as greatest_steps,
        count(*) filter (where is_rollover) as rollovers,
        count(*) filter (where not is_rollover) as resets
    from numbered
    group by datastream_id, local_date
),

joined as (
    select
        d.datastream_id,
        d.local_date,
        cast(d.readings as integer) as readings,
        cast(d.readings_usable as integer) as readings_usable,
        d.first_reading_at,
        d.last_reading_at,
        d.median_interval_s,
        d.longest_interval_s,
        round(d.mean_value, 9) as mean_value,
        d.median_value,
        d.value_at_start,
        d.value_at_end,
        cast(r.longest_flat_readings as integer) as longest_flat_readings,
        d.median_step,
        d.greatest_steps,
        cast(d.rollovers as integer) as rollovers,
        cast(d.resets as integer) as resets,
        {{ partition_date('d.local_date') }} as partition_date
    from days d
    join runs r on r.datastream_id = d.datastream_id and r.local_date = d.local_date
)

select * from joined
where {{ in_partitions(plan) }}
order by partition_date, datastream_id, local_date
