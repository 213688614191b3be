{{ config(
    follows='gold.observations_hourly',
    resets_with=['silver.limit_value', 'silver.source'],
    spills=true,
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}

-- The mean of an hour counts if three quarters of its readings were good, where the contract says how
-- many there are; that of a day if three quarters of its hours count. Missing is never below.
-- Without an interval least is the hour itself, so one good reading is enough.
with hours as (
    select
        d.thing_id as station_id,
        d.observed_property_id,
        h.hour_start,
        {{ stockholm_date('h.hour_start') }} as local_date,
        sum(h.mean_value * h.readings_good) / sum(h.readings_good) as mean_value
    from {{ ref('observations_hourly') }} h
    join {{ ref('datastream') }} d on d.datastream_id = h.datastream_id
    join {{ ref('source') }} s on s.source_id = d.source_id
    where {{ in_window(plan, 'h.partition_date') }}
        and h.mean_value is not null
        and d.observed_property_id in (select observed_property_id from {{ ref('limit_value') }})
    group by d.thing_id, d.observed_property_id, h.hour_start
    having sum(h.readings_good) >= 0.75 * 3600 / least(3600, any_value(s.interval_s))
),

days as (
    select
        h.station_id,
        l.limit_id,
        h.local_date,
        any_value(l.averaging) as averaging,
        count(*) as hours_measured,
        sum(h.mean_value) as sum_of_hours,
        max(h.mean_value) as greatest_hour,
        -- As the law compares: rounded to the figures of the limit, which are whole.
        count(*) filter (where round(h.mean_value) > l.limit_value) as hours_above,
        any_value(l.limit_value) as limit_value
    from hours h
    join {{ ref('limit_value') }} l on l.observed_property_id = h.observed_property_id
    group by h.station_id, l.limit_id, h.local_date
),

joined as (
    select
        d.station_id,
        d.limit_id,
        d.local_date,
        c.starts_at as day_start,
        cast(c.hours as integer) as hours_in_day,
        cast(d.hours_measured as integer) as hours_measured,
        round(d.sum_of_hours, 6) as sum_of_hours,
        round(d.greatest_hour, 6) as greatest_hour,
        round(case when d.hours_measured >= 0.75 * c.hours then d.sum_of_hours / d.hours_measured end, 6) as mean_value,
        cast(case
            when d.averaging = 'hour' and (d.hours_above > 0 or d.hours_measured >= 0.75 * c.hours)
                then d.hours_above
            when d.averaging = 'day' and d.hours_measured >= 0.75 * c.hours
                then case when round(d.sum_of_hours / d.hours_measured) > d.limit_value then 1 else 0 end
        end as integer) as exceedances,
        {{ partition_date('d.local_date') }} as partition_date
    from days d
    join {{ ref('calendar_day') }} c on c.local_date = d.local_date
)

select * from joined
where {{ in_partitions(plan) }}
order by partition_date, station_id, limit_id, local_date
