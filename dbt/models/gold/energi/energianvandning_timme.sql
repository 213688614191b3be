{{ config(
    follows='gold.observations_hourly',
    resets_with=['silver.thing'],
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}

-- Energy comes from registers (increase in the hour) or from meters that send amounts; either way
-- an hour that cannot be told stays empty.
select
    d.thing_id as meter_id,
    h.hour_start,
    {{ stockholm_label('h.hour_start') }} as hour_start_local,
    t.name as place_name,
    t.district,
    h.total_value as energy_kwh,
    h.readings_good as readings,
    h.partition_date
from {{ ref('observations_hourly') }} h
join {{ ref('datastream') }} d on d.datastream_id = h.datastream_id
join {{ ref('thing') }} t on t.thing_id = d.thing_id
where d.observed_property_id in ('active_energy_register', 'active_energy')
    and h.readings_good > 0
    and {{ in_partitions(plan, 'h.partition_date') }}
order by h.partition_date, meter_id, h.hour_start
