-- A declared position wins over one that the device itself sends.
with delivered as (
    select
        thing_id,
        arg_max(longitude, last_time) filter (where longitude is not null) as longitude,
        arg_max(latitude, last_time) filter (where latitude is not null) as latitude
    from {{ ref('datastream') }}
    group by thing_id
)

select
    th.thing_id as location_id,
    th.thing_id,
    coalesce(t.longitude, d.longitude) as longitude,
    coalesce(t.latitude, d.latitude) as latitude,
    case when t.longitude is not null then 'contract' else 'delivery' end as origin,
    th.street,
    th.district
from {{ ref('thing') }} th
left join {{ source('reference', 'things') }} t
    on t.source_id = th.source_id and t.device = th.device
left join delivered d on d.thing_id = th.thing_id
where coalesce(t.longitude, d.longitude) is not null
    and coalesce(t.latitude, d.latitude) is not null
