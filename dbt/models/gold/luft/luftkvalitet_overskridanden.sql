-- A year of a station is 365 rows for each limit, so sums to date are made anew of the daily ones.
with days as (
    select
        d.*,
        l.observed_property_id,
        l.averaging,
        l.limit_value,
        l.allowed_exceedances,
        l.name_sv,
        l.name_en,
        l.source_reference,
        d.local_date >= l.in_force_from and d.local_date <= coalesce(l.in_force_to, d.local_date) as is_in_force,
        year(d.local_date) as year,
        sum(d.exceedances) over to_date as exceedances_to_date,
        count(d.mean_value) over to_date as days_to_date,
        sum(d.sum_of_hours) over to_date / sum(d.hours_measured) over to_date as mean_to_date
    from {{ ref('luftkvalitet_dygn') }} d
    join {{ ref('limit_value') }} l on l.limit_id = d.limit_id
    window to_date as (
        partition by d.station_id, d.limit_id, year(d.local_date)
        order by d.local_date rows unbounded preceding
    )
),

-- The mean of a year is judged when the year is over, if 85 days of a hundred have one.
judged as (
    select
        *,
        case
            when averaging <> 'year' then exceedances
            when month(local_date) = 12 and day(local_date) = 31 and days_to_date >= 0.85 * dayofyear(local_date)
                then case when round(mean_to_date) > limit_value then 1 else 0 end
        end as exceedances_of_day
    from days
)

select
    j.station_id,
    j.limit_id,
    j.local_date,
    t.name as station_name,
    t.district,
    j.observed_property_id as pollutant,
    j.averaging,
    j.limit_value as limit_ug_m3,
    cast(j.allowed_exceedances as integer) as allowed_exceedances,
    j.is_in_force,
    j.hours_in_day,
    j.hours_measured,
    round(j.mean_value, 1) as day_mean_ug_m3,
    round(j.greatest_hour, 1) as greatest_hour_ug_m3,
    round(case when j.averaging = 'year' then j.mean_to_date end, 1) as year_mean_to_date_ug_m3,
    cast(j.exceedances_of_day as integer) as exceedances,
    cast(case when j.averaging = 'year' then j.exceedances_of_day else j.exceedances_to_date end as integer)
        as exceedances_to_date,
    cast(j.days_to_date as integer) as days_to_date,
    case
        when j.averaging = 'year' then j.exceedances_of_day > j.allowed_exceedances
        else j.exceedances_to_date > j.allowed_exceedances
    end as is_over_allowance,
    j.name_sv as limit_name_sv,
    j.name_en as limit_name_en,
    j.source_reference
from judged j
join {{ ref('thing') }} t on t.thing_id = j.station_id
order by j.local_date, station_id, j.limit_id
