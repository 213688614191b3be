-- A declared place wins over one that the device itself sends. Places of things that may never be shared
-- openly are in neither.
with declared as (
    select t.*
    from {{ source('reference', 'things') }} t
    join {{ source('reference', 'sources') }} s on s.source_id = t.source_id and s.is_shareable
),

delivered as (
    select
        source_id,
        device,
        max_by(longitude, last_time) filter (where longitude is not null) as longitude,
        max_by(latitude, last_time) filter (where latitude is not null) as latitude
    from {{ ref('datastream') }}
    group by source_id, device
),

told as (
    select
        coalesce(t.source_id, d.source_id) || '/' || coalesce(t.device, d.device) as thing_id,
        t.valid_from,
        t.valid_to,
        round(coalesce(t.longitude, d.longitude), 6) as longitude,
        round(coalesce(t.latitude, d.latitude), 6) as latitude,
        case when t.longitude is not null then 'contract' else 'delivery' end as origin,
        t.public_precision_m,
        t.street,
        t.district as told_district
    from declared t
    full outer join delivered d on d.source_id = t.source_id and d.device = t.device
),

placed as (
    select
        thing_id || coalesce('@' || {{ utc_text('valid_from') }}, '') as place_id,
        *
    from told
    where longitude is not null and latitude is not null
),

projected as (
    {{ with_sweref99_18_00('placed') }}
),

districts as (
    {{ districts_of('placed') }}
),

-- Rings are closed: each of their corners begins an edge.
city as (
    select
        min(longitude_1) as west,
        max(longitude_1) as east,
        min(latitude_1) as south,
        max(latitude_1) as north
    from {{ source('reference', 'district_edges') }}
)

select
    p.place_id as location_id,
    p.thing_id,
    p.valid_from,
    p.valid_to,
    p.longitude,
    p.latitude,
    p.northing_m,
    p.easting_m,
    p.origin,
    p.street,
    coalesce(d.district, p.told_district) as district,
    case
        when d.district is not null then 'in_district'
        when p.longitude between c.west and c.east and p.latitude between c.south and c.north then 'in_city'
        when p.latitude between c.west and c.east and p.longitude between c.south and c.north then 'axes_swapped'
        else 'outside'
    end as position_status,
    p.public_precision_m,
    {{ coarsened('p.longitude', 'p.public_precision_m', '111320 * cos(radians(59.33))') }} as public_longitude,
    {{ coarsened('p.latitude', 'p.public_precision_m', '111320') }} as public_latitude
from projected p
cross join city c
left join districts d on d.place_id = p.place_id
