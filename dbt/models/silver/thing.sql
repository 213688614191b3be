-- What is known of a thing now; where it stood before is in location. Things of sources that may never
-- be shared openly are not told of at all: a lock of home care is somebody's home.
with delivered as (
    select distinct thing_id, source_id, device from {{ ref('datastream') }}
),

declared as (
    select t.source_id || '/' || t.device as thing_id, t.*
    from {{ source('reference', 'things') }} t
    join {{ source('reference', 'sources') }} s on s.source_id = t.source_id and s.is_shareable
    where t.valid_to is null
)

select
    coalesce(d.thing_id, t.thing_id) as thing_id,
    coalesce(d.source_id, t.source_id) as source_id,
    coalesce(d.device, t.device) as device,
    coalesce(t.name, d.device) as name,
    coalesce(t.type, 'unknown') as type,
    coalesce(l.street, t.street) as street,
    coalesce(l.district, t.district) as district,
    t.attributes,
    t.thing_id is not null as is_declared,
    d.thing_id is not null as has_delivered
from delivered d
full outer join declared t on d.thing_id = t.thing_id
left join {{ ref('location') }} l
    on l.thing_id = coalesce(d.thing_id, t.thing_id) and l.valid_to is null
