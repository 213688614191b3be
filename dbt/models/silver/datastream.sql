{{ config(follows='bronze.telemetry') }}
{% set plan = lake_plan() %}

with delivered as (
    select
        source_id,
        device,
        channel,
        min(phenomenon_time) as first_time,
        max(phenomenon_time) as last_time,
        max_by(longitude, phenomenon_time) filter (where longitude is not null) as longitude,
        max_by(latitude, phenomenon_time) filter (where latitude is not null) as latitude
    from {{ source('bronze', 'telemetry') }}
    where {{ is_news(plan) }}
    group by source_id, device, channel
),

{% if plan.full %}
seen as (select * from delivered),
{% else %}
seen as (
    select
        source_id,
        device,
        channel,
        min(first_time) as first_time,
        max(last_time) as last_time,
        max_by(longitude, last_time) filter (where longitude is not null) as longitude,
        max_by(latitude, last_time) filter (where latitude is not null) as latitude
    from (
        select * from delivered
        union all
        select source_id, device, channel, first_time, last_time, longitude, latitude
        from {{ this }}
        where not {{ is_reset_source(plan) }}
    )
    group by source_id, device, channel
),
{% endif %}

mapped as (
    select
        seen.*,
        m.observed_property_id,
        m.ucum_code,
        m.aggregation,
        m.rollover * u.factor as rollover,
        u.canonical_unit as unit_id,
        m.source_id is not null as is_mapped
    from seen
    left join {{ source('reference', 'mappings') }} m
        on m.source_id = seen.source_id
        and m.channel = seen.channel
        and (m.device_pattern = '.*' or {{ matches_whole('seen.device', 'm.device_pattern') }})
    left join {{ source('reference', 'units') }} u on u.ucum_code = m.ucum_code
)

select
    source_id || '/' || device || '/' || channel as datastream_id,
    source_id || '/' || device as thing_id,
    source_id,
    device,
    channel,
    observed_property_id,
    ucum_code as delivered_unit_id,
    unit_id,
    aggregation,
    rollover,
    is_mapped,
    first_time,
    last_time,
    longitude,
    latitude
from mapped
