{{ config(
    follows='gold.observations_hourly',
    resets_with=['silver.thing'],
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}
{% set roles = ['inflow', 'outflow', 'consumption'] %}
{% set quiet_hours = [2, 3] %}

-- What a meter is to a zone says its contract; one between two zones is something to both.
with meters as (
    {% for role in roles -%}
    select thing_id, '{{ role }}' as role, {{ attribute_of('attributes', role ~ '_of') }} as zone
    from {{ ref('thing') }}
    where {{ attribute_of('attributes', role ~ '_of') }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- The third and the fourth hour after Stockholm's midnight, by elapsed time: two hours in every
-- night, also when clocks change, and people have been in bed as long as in any other. In UTC they
-- have the date of the night, so a night lies in one partition.
--
-- m3 in an hour: what a register counted, else the flow. A flow that stood for a part of it only
-- does not tell the hour.
metered as (
    select
        d.thing_id,
        c.local_date as night,
        h.hour_start,
        coalesce(
            max(case when d.observed_property_id = 'water_volume_register' then h.total_value end),
            max(case when d.observed_property_id = 'water_flow' and coalesce(h.covered_s, 3600) >= 3600
                then h.mean_value end)
        ) as volume_m3
    from {{ ref('observations_hourly') }} h
    join {{ ref('datastream') }} d on d.datastream_id = h.datastream_id
    join {{ ref('calendar_day') }} c on c.local_date = {{ stockholm_date('h.hour_start') }}
    where {{ hour_number('h.hour_start') }} - {{ hour_number('c.starts_at') }} in ({{ quiet_hours | join(', ') }})
        and d.observed_property_id in ('water_volume_register', 'water_flow')
        and {{ in_partitions(plan, 'h.partition_date') }}
    group by d.thing_id, c.local_date, h.hour_start
),

hours as (
    {% for hour in quiet_hours -%}
    select n.zone, n.night, {{ hour_of_number(hour_number('c.starts_at') ~ ' + ' ~ hour) }} as hour_start
    from (select distinct m.zone, r.night from metered r join meters m on m.thing_id = r.thing_id) n
    join {{ ref('calendar_day') }} c on c.local_date = n.night
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- A meter that says nothing leaves its side of the balance untold; it is never taken for zero.
sides as (
    select
        h.zone,
        h.night,
        h.hour_start,
        case when count(case when m.role <> 'consumption' and r.volume_m3 is null then 1 end) = 0
            then sum(case m.role when 'inflow' then r.volume_m3 when 'outflow' then -r.volume_m3 end)
        end as inflow_m3,
        case when count(case when m.role = 'consumption' and r.volume_m3 is null then 1 end) = 0
            then sum(case when m.role = 'consumption' then r.volume_m3 end)
        end as consumption_m3,
        max(case when m.role = 'consumption' then 1 else 0 end) as has_consumption
    from hours h
    join meters m on m.zone = h.zone
    left join metered r on r.thing_id = m.thing_id and r.hour_start = h.hour_start
    group by h.zone, h.night, h.hour_start
),

nights as (
    select
        zone,
        night,
        min(hour_start) as night_start,
        max(has_consumption) = 1 as has_consumption,
        count(inflow_m3) as hours_told,
        count(inflow_m3) = {{ quiet_hours | length }} as is_inflow_told,
        count(inflow_m3 - consumption_m3) = {{ quiet_hours | length }} as is_balance_told,
        min(inflow_m3) as minimum_m3_h,
        avg(inflow_m3) as inflow_m3_h,
        avg(case when inflow_m3 is not null then consumption_m3 end) as consumption_m3_h
    from sides
    group by zone, night
)

select
    zone,
    night,
    night_start,
    has_consumption,
    cast(hours_told as integer) as hours_told,
    round(case when is_inflow_told then minimum_m3_h end, 6) as minimum_m3_h,
    round(case when is_inflow_told then inflow_m3_h end, 6) as inflow_m3_h,
    round(case when is_balance_told then consumption_m3_h end, 6) as consumption_m3_h,
    round(case when is_balance_told then inflow_m3_h - consumption_m3_h end, 6) as balance_m3_h,
    {{ partition_date('night') }} as partition_date
from nights
where {{ in_partitions(plan, partition_date('night')) }}
order by partition_date, zone
