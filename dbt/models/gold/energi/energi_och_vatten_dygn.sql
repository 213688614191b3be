{{ config(
    follows='gold.observations_daily',
    resets_with=['silver.thing'],
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}
{% set utilities = {
    'active_energy_register': 'electricity',
    'active_energy': 'electricity',
    'water_volume_register': 'water',
} %}

select
    d.thing_id as meter_id,
    y.local_date,
    case d.observed_property_id
        {%- for property, utility in utilities.items() %}
        when '{{ property }}' then '{{ utility }}'
        {%- endfor %}
    end as utility,
    y.day_start,
    t.name as place_name,
    t.district,
    y.total_value as amount,
    y.unit_id as unit,
    y.told_total as amount_told,
    y.hours_told,
    y.hours_in_day,
    y.hours_told = y.hours_in_day as is_whole,
    y.partition_date
from {{ ref('observations_daily') }} y
join {{ ref('datastream') }} d on d.datastream_id = y.datastream_id
join {{ ref('thing') }} t on t.thing_id = d.thing_id
where d.observed_property_id in ('{{ utilities | join("', '") }}')
    and y.readings_good > 0
    and {{ in_partitions(plan, 'y.partition_date') }}
order by y.partition_date, meter_id, utility
