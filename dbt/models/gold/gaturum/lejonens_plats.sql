-- Lions are few, so this is built whole. Times are judged by the newest that their source has told of,
-- not by the clock of the machine: a delivery that is late makes no lion silent.
with lions as (
    select
        thing_id,
        source_id,
        name,
        street,
        district,
        try_cast({{ attribute_of('attributes', 'geofence_radius_m') }} as double) as radius_m,
        try_cast({{ attribute_of('attributes', 'alarm_fixes') }} as integer) as alarm_fixes,
        try_cast({{ attribute_of('attributes', 'silent_after_h') }} as double) * 3600 as silent_after_s
    from {{ ref('thing') }}
    where type = 'lejon' and is_declared
),

heard as (
    select source_id, thing_id, max(last_time) as last_seen
    from {{ ref('datastream') }}
    group by source_id, thing_id
),

readings as (
    select d.thing_id, d.observed_property_id, o.phenomenon_time, o.result
    from {{ ref('observation') }} o
    join {{ ref('datastream') }} d on d.datastream_id = o.datastream_id
    join lions l on l.thing_id = d.thing_id
    where d.observed_property_id in ('position_accuracy', 'battery_voltage') and o.quality = 'good'
),

-- A fix that is less exact than the radius cannot tell whether it is inside of it.
fixes as (
    select
        l.thing_id,
        p.phenomenon_time,
        p.longitude,
        p.latitude,
        a.result as accuracy_m,
        sqrt(power(p.northing_m - c.northing_m, 2) + power(p.easting_m - c.easting_m, 2)) as distance_m,
        l.radius_m
    from lions l
    join {{ ref('position') }} p on p.thing_id = l.thing_id
    join {{ ref('location') }} c
        on c.thing_id = p.thing_id
        and c.origin = 'contract'
        and {{ stood_there('c', 'p.phenomenon_time') }}
    left join readings a
        on a.thing_id = p.thing_id
        and a.phenomenon_time = p.phenomenon_time
        and a.observed_property_id = 'position_accuracy'
    where coalesce(a.result <= l.radius_m, true)
),

compared as (
    select
        *,
        distance_m <= radius_m as is_inside,
        max(case when distance_m <= radius_m then phenomenon_time end) over (partition by thing_id) as last_inside
    from fixes
),

-- One fix outside may be a reflection; several in a row, since it was last inside, are a move.
newest as (
    select
        *,
        sum(case when coalesce(phenomenon_time > last_inside, true) then 1 else 0 end)
            over (partition by thing_id) as fixes_outside,
        min(case when coalesce(phenomenon_time > last_inside, true) then phenomenon_time end)
            over (partition by thing_id) as outside_since,
        row_number() over (partition by thing_id order by phenomenon_time desc) as nth
    from compared
)

select
    l.thing_id as lion_id,
    l.name as lion_name,
    l.street,
    l.district,
    case
        when h.last_seen is null then 'silent'
        when {{ seconds_between('h.last_seen', 'c.as_of') }} > l.silent_after_s then 'silent'
        when n.phenomenon_time is null or l.radius_m + l.alarm_fixes + l.silent_after_s is null then 'no_position'
        when {{ seconds_between('n.phenomenon_time', 'c.as_of') }} > l.silent_after_s then 'no_position'
        when n.fixes_outside >= l.alarm_fixes then 'moved'
        when n.last_inside is null then 'no_position'
        else 'in_place'
    end as status,
    c.as_of,
    h.last_seen,
    n.phenomenon_time as last_fix,
    n.longitude,
    n.latitude,
    p.longitude as declared_longitude,
    p.latitude as declared_latitude,
    l.radius_m,
    round(n.distance_m, 1) as distance_m,
    n.is_inside,
    cast(n.fixes_outside as integer) as fixes_outside,
    case when n.fixes_outside >= l.alarm_fixes then n.outside_since end as outside_since,
    case when n.fixes_outside >= l.alarm_fixes
        then round({{ seconds_between('n.outside_since', 'n.phenomenon_time') }} / 3600, 2) end as outside_h,
    n.accuracy_m,
    b.battery_v
from lions l
left join (select source_id, max(last_seen) as as_of from heard group by source_id) c on c.source_id = l.source_id
left join heard h on h.thing_id = l.thing_id
left join newest n on n.thing_id = l.thing_id and n.nth = 1
left join {{ ref('location') }} p on p.thing_id = l.thing_id and p.origin = 'contract' and p.valid_to is null
left join (
    select thing_id, max_by(result, phenomenon_time) as battery_v
    from readings
    where observed_property_id = 'battery_voltage'
    group by thing_id
) b on b.thing_id = l.thing_id
order by lion_id
