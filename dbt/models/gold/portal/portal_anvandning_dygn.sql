{{ config(
    follows='silver.observation',
    resets_with=['silver.thing'],
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}
{% set counts = {'dataset_views': 'views', 'dataset_downloads': 'downloads', 'transferred_bytes': 'bytes'} %}

-- Only what was counted from one midnight in Stockholm to the next is of a day.
with counted as (
    select
        d.thing_id,
        d.device,
        d.observed_property_id,
        c.local_date,
        c.hours,
        o.result,
        o.partition_date
    from {{ ref('observation') }} o
    join {{ ref('datastream') }} d on d.datastream_id = o.datastream_id
    join {{ ref('calendar_day') }} c on c.starts_at = o.phenomenon_time and c.ends_at = o.phenomenon_time_end
    where d.observed_property_id in ('{{ counts | join("', '") }}')
        and o.quality = 'good'
        and o.result is not null
        and {{ in_partitions(plan, 'o.partition_date') }}
),

days as (
    select
        thing_id,
        device,
        local_date,
        partition_date,
        any_value(hours) as hours_in_day,
        {% for property, name in counts.items() -%}
        cast(sum(result) filter (where observed_property_id = '{{ property }}') as bigint) as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from counted
    group by thing_id, device, local_date, partition_date
)

select
    d.device as dataset_id,
    d.local_date,
    t.name as dataset_name,
    d.hours_in_day,
    d.views,
    d.downloads,
    d.bytes,
    d.partition_date
from days d
join {{ ref('thing') }} t on t.thing_id = d.thing_id
order by d.partition_date, dataset_id, d.local_date
