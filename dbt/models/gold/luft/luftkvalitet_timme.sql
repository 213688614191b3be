{{ config(
    follows='gold.observations_hourly',
    resets_with=['silver.thing', 'silver.location'],
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}
{% set pollutants = {'pm10': 'pm10_ug_m3', 'pm2_5': 'pm2_5_ug_m3', 'no2': 'no2_ug_m3'} %}

with hours as (
    select
        d.thing_id,
        d.observed_property_id,
        h.hour_start,
        h.mean_value,
        h.readings_good,
        h.partition_date
    from {{ ref('observations_hourly') }} h
    join {{ ref('datastream') }} d on d.datastream_id = h.datastream_id
    where d.observed_property_id in ('{{ pollutants | join("', '") }}')
        and h.mean_value is not null
        and {{ in_partitions(plan, 'h.partition_date') }}
),

stations as (
    select
        thing_id,
        hour_start,
        partition_date,
        {% for property, column in pollutants.items() -%}
        -- two sensors of one station count by their readings
        round(sum(mean_value * readings_good) filter (where observed_property_id = '{{ property }}')
            / sum(readings_good) filter (where observed_property_id = '{{ property }}'), 3) as {{ column }},
        {% endfor -%}
        cast(sum(readings_good) as integer) as readings
    from hours
    group by thing_id, hour_start, partition_date
)

select
    s.thing_id as station_id,
    s.hour_start,
    {{ stockholm_label('s.hour_start') }} as hour_start_local,
    t.name as station_name,
    t.district,
    l.public_longitude as longitude,
    l.public_latitude as latitude,
    s.pm10_ug_m3,
    s.pm2_5_ug_m3,
    s.no2_ug_m3,
    s.readings,
    s.partition_date
from stations s
join {{ ref('thing') }} t on t.thing_id = s.thing_id
left join {{ ref('location') }} l
    on l.thing_id = s.thing_id
    and {{ stood_there('l', 's.hour_start') }}
order by s.partition_date, station_id, s.hour_start
