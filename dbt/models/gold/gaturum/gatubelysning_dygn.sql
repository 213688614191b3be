{{ config(
    follows='gold.states_hourly',
    resets_with=['silver.thing', 'silver.location'],
    spills=true,
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}
{% set day_deg, night_deg = 5, -6 %}

with states as (
    select
        d.thing_id,
        d.observed_property_id,
        s.hour_start,
        s.state,
        s.duration_s,
        {{ stockholm_date('s.hour_start') }} as local_date
    from {{ ref('states_hourly') }} s
    join {{ ref('datastream') }} d on d.datastream_id = s.datastream_id
    where d.observed_property_id in ('lamp_is_on', 'lamp_condition')
        and {{ in_window(plan, 's.partition_date') }}
),

-- An hour is of the day, or of the night, only if it is so from its beginning to its end; the hours
-- between, in which lamps are switched, are of neither.
instants as (
    select
        h.thing_id,
        h.hour_start,
        {{ hour_of_number(hour_number('h.hour_start') ~ ' + h.number') }} as instant,
        l.longitude,
        l.latitude
    from (
        select *, {{ each_of(0, 1) }} as number
        from (select distinct thing_id, hour_start from states where observed_property_id = 'lamp_is_on') lit
    ) h
    join {{ ref('location') }} l
        on l.thing_id = h.thing_id
        and {{ stood_there('l', 'h.hour_start') }}
),

daylight as (
    select
        thing_id,
        hour_start,
        min(sun_deg) > {{ day_deg }} as is_day,
        max(sun_deg) < {{ night_deg }} as is_night
    from ({{ with_sun('instants') }}) heights
    group by thing_id, hour_start
),

days as (
    select
        s.thing_id,
        s.local_date,
        sum(case when s.observed_property_id = 'lamp_is_on' then s.duration_s else 0 end) / 3600 as known_h,
        sum(case when s.state in ('on', 'low', '1') then s.duration_s else 0 end) / 3600 as burning_h,
        sum(case when s.state in ('on', 'low', '1') and d.is_day then s.duration_s else 0 end) / 3600
            as lit_by_day_h,
        sum(case when s.state in ('off', '0') and d.is_night then s.duration_s else 0 end) / 3600
            as dark_at_night_h,
        count(d.hour_start) > 0 as has_sun
    from states s
    left join daylight d on d.thing_id = s.thing_id and d.hour_start = s.hour_start
        and s.observed_property_id = 'lamp_is_on'
    group by s.thing_id, s.local_date
),

faults as (
    select thing_id, local_date, sum(seconds) / 3600 as fault_h, max_by(state, (seconds, state)) as fault
    from (
        select thing_id, local_date, state, sum(duration_s) as seconds
        from states
        where observed_property_id = 'lamp_condition' and state <> 'ok'
        group by thing_id, local_date, state
    ) by_fault
    group by thing_id, local_date
),

joined as (
    select
        d.thing_id,
        d.local_date,
        c.hours as hours_in_day,
        round(d.known_h, 4) as known_h,
        case when d.known_h > 0 then round(d.burning_h, 4) end as burning_h,
        case when d.has_sun then round(d.lit_by_day_h, 4) end as lit_by_day_h,
        case when d.has_sun then round(d.dark_at_night_h, 4) end as dark_at_night_h,
        round(coalesce(f.fault_h, 0), 4) as fault_h,
        f.fault,
        {{ partition_date('d.local_date') }} as partition_date
    from days d
    join {{ ref('calendar_day') }} c on c.local_date = d.local_date
    left join faults f on f.thing_id = d.thing_id and f.local_date = d.local_date
)

select
    j.thing_id as lamp_id,
    j.local_date,
    t.name as lamp_name,
    t.street,
    t.district,
    j.hours_in_day, j.known_h, j.burning_h, j.lit_by_day_h, j.dark_at_night_h, j.fault_h, j.fault,
    case
        when j.fault_h > 0 then 'fault'
        when j.lit_by_day_h >= 1 then 'lit_by_day'
        when j.dark_at_night_h >= 1 then 'dark_at_night'
        when j.known_h < j.hours_in_day - 0.01 then 'incomplete'
        else 'ok'
    end as status,
    j.partition_date
from joined j
join {{ ref('thing') }} t on t.thing_id = j.thing_id
where {{ in_partitions(plan, 'j.partition_date') }}
order by j.partition_date, lamp_id, j.local_date
