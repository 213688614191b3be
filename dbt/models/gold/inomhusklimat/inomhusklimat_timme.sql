{{ config(
    follows='silver.observation',
    resets_with=['silver.thing'],
    spills=true,
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}
{% set kept_h = 3 %}

-- Which station a building's weather is taken from says its contract.
with buildings as (
    select
        thing_id,
        name,
        district,
        {{ attribute_of('attributes', 'weather_station') }} as station_id
    from {{ ref('thing') }}
    where {{ attribute_of('attributes', 'weather_station') }} is not null
),

measured as (
    select
        b.thing_id as building_id,
        h.hour_start,
        h.partition_date,
        sum(h.readings_good) as readings,
        {% for property in ['room_temperature', 'co2', 'supply_air_temperature'] -%}
        sum(case when d.observed_property_id = '{{ property }}' then h.mean_value * h.readings_good end)
            / nullif(sum(case when d.observed_property_id = '{{ property }}' then h.readings_good end), 0)
            as {{ property }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('observations_hourly') }} h
    join {{ ref('datastream') }} d on d.datastream_id = h.datastream_id
    join buildings b on b.thing_id = d.thing_id
    where d.observed_property_id in ('room_temperature', 'co2', 'supply_air_temperature')
        and h.readings_good > 0
        and {{ in_partitions(plan, 'h.partition_date') }}
    group by b.thing_id, h.hour_start, h.partition_date
),

-- Silver has the newest revision only; what was known at an hour may be one that was corrected since.
weather as (
    {% for property in ['air_temperature', 'wind_speed'] -%}
    select '{{ property }}' as property, source_id || '/' || device as station_id, *
    from ({{ revisions_of(property, plan) }}) revisions
    where result is not null and quality <> 'bad'
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Known when an hour begins is what was measured and published until then. A source that does not
-- tell when it published is taken to do so as it measures.
known as (
    select
        m.building_id,
        m.hour_start,
        {% for property in ['air_temperature', 'wind_speed'] -%}
        max_by(
            case when w.property = '{{ property }}' then w.result end,
            case when w.property = '{{ property }}' then (w.phenomenon_time, {{ revision_order() }}) end
        ) as {{ property }},
        max(case when w.property = '{{ property }}' then w.phenomenon_time end) as {{ property }}_at
        {{- ',' if not loop.last }}
        {% endfor %}
    from measured m
    join buildings b on b.thing_id = m.building_id
    join weather w
        on w.station_id = b.station_id
        and w.phenomenon_time <= m.hour_start
        and w.phenomenon_time >= {{ hour_of_number(hour_number('m.hour_start') ~ ' - ' ~ kept_h) }}
        and coalesce(w.result_time, w.phenomenon_time) <= m.hour_start
    group by m.building_id, m.hour_start
)

select
    m.building_id,
    m.hour_start,
    {{ stockholm_label('m.hour_start') }} as hour_start_local,
    b.name as building_name,
    b.district,
    round(m.room_temperature, 6) as indoor_temperature_c,
    round(m.co2, 6) as co2_ppm,
    round(m.supply_air_temperature, 6) as supply_temperature_c,
    b.station_id as weather_station_id,
    k.air_temperature as outdoor_temperature_c,
    {{ seconds_between('k.air_temperature_at', 'm.hour_start') }} / 60 as outdoor_temperature_age_min,
    k.wind_speed as wind_speed_m_s,
    {{ seconds_between('k.wind_speed_at', 'm.hour_start') }} / 60 as wind_speed_age_min,
    cast(m.readings as integer) as readings,
    m.partition_date
from measured m
join buildings b on b.thing_id = m.building_id
left join known k on k.building_id = m.building_id and k.hour_start = m.hour_start
order by m.partition_date, m.building_id, m.hour_start
