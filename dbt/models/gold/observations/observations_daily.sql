{{ config(
    follows='gold.observations_hourly',
    spills=true,
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}

-- Days on Stockholm's clocks, made of UTC hours: so the hour that October has twice is two hours,
-- and the one that March lacks is none.
with hours as (
    select *, {{ stockholm_date('hour_start') }} as local_date
    from {{ ref('observations_hourly') }}
    where {{ in_window(plan) }}
),

days as (
    select
        datastream_id,
        local_date,
        any_value(aggregation) as aggregation,
        any_value(unit_id) as unit_id,
        sum(readings) as readings,
        sum(readings_good) as readings_good,
        count(*) filter (where readings_good > 0 or covered_s > 0) as hours_with_readings,
        sum(mean_value * readings_good) / sum(readings_good) filter (where mean_value is not null) as mean_of_readings,
        sum(mean_value * covered_s) / sum(covered_s) as mean_of_time,
        sum(power(10, mean_value / 10) * readings_good) filter (where aggregation = 'energetic_mean')
            / sum(readings_good) filter (where aggregation = 'energetic_mean' and mean_value is not null) as mean_energy,
        sum(sin(radians(mean_value)) * steadiness * readings_good) / sum(readings_good) as mean_east,
        sum(cos(radians(mean_value)) * steadiness * readings_good) / sum(readings_good) as mean_north,
        min(min_value) as min_value,
        max(max_value) as max_value,
        sum(total_value) as told_total,
        count(total_value) as hours_told,
        sum(covered_s) as covered_s
    from hours
    group by datastream_id, local_date
),

joined as (
    select
        d.datastream_id,
        d.local_date,
        c.starts_at as day_start,
        cast(c.hours as integer) as hours_in_day,
        d.aggregation,
        d.unit_id,
        cast(d.readings as integer) as readings,
        cast(d.readings_good as integer) as readings_good,
        cast(d.hours_with_readings as integer) as hours_with_readings,
        round(case d.aggregation
            when 'mean' then d.mean_of_readings
            when 'time_weighted_mean' then d.mean_of_time
            when 'energetic_mean' then 10 * log10(d.mean_energy)
            when 'vector_mean' then {{ direction('d.mean_east', 'd.mean_north') }}
        end, 6) as mean_value,
        d.min_value,
        d.max_value,
        case when d.hours_told = c.hours then round(d.told_total, 6) end as total_value,
        round(d.told_total, 6) as told_total,
        cast(case when d.aggregation in ('sum', 'counter') then d.hours_told end as integer) as hours_told,
        round(case when d.aggregation = 'vector_mean'
            then sqrt(power(d.mean_east, 2) + power(d.mean_north, 2)) end, 6) as steadiness,
        round(d.covered_s, 6) as covered_s,
        {{ partition_date('d.local_date') }} as partition_date
    from days d
    join {{ ref('calendar_day') }} c on c.local_date = d.local_date
)

select * from joined
where {{ in_partitions(plan) }}
order by partition_date, datastream_id, local_date
