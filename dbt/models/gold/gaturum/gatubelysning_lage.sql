-- What each lamp said last, and whether that still counts. Like the states themselves, it does for a
-- day; counted from the newest that the source has told of, not by the clock of the machine.
with lamps as (
    select
        d.thing_id,
        d.source_id,
        max(d.last_time) as last_seen,
        max(case when d.observed_property_id = 'lamp_is_on' then d.datastream_id end) as power_stream,
        max(case when d.observed_property_id = 'lamp_condition' then d.datastream_id end) as condition_stream
    from {{ ref('datastream') }} d
    where d.source_id in (
        select source_id from {{ ref('datastream') }} where observed_property_id = 'lamp_is_on'
    )
    group by d.thing_id, d.source_id
),

listed as (
    select
        t.thing_id,
        t.name,
        t.street,
        t.district,
        l.last_seen,
        l.power_stream,
        l.condition_stream,
        c.as_of
    from {{ ref('thing') }} t
    join (select source_id, max(last_seen) as as_of from lamps group by source_id) c on c.source_id = t.source_id
    left join lamps l on l.thing_id = t.thing_id
),

said as (
    select
        d.datastream_id,
        o.phenomenon_time,
        case
            when o.result_text is not null then o.result_text
            when o.result = 1 then 'on'
            when o.result = 0 then 'off'
        end as state
    from {{ ref('datastream') }} d
    join {{ ref('observation') }} o
        on o.datastream_id = d.datastream_id and o.phenomenon_time = d.last_time and o.quality = 'good'
    where d.observed_property_id in ('lamp_is_on', 'lamp_condition')
)

select
    l.thing_id as lamp_id,
    l.name as lamp_name,
    l.street,
    l.district,
    case
        when l.last_seen is null or l.last_seen < l.as_of - interval '24' hour then 'silent'
        when c.state <> 'ok' then 'fault'
        when p.state is null or c.state is null then 'unknown'
        else 'ok'
    end as status,
    l.as_of,
    l.last_seen,
    round({{ seconds_between('l.last_seen', 'l.as_of') }} / 3600, 2) as silent_h,
    p.state as power_state,
    p.phenomenon_time as power_state_at,
    c.state as condition,
    c.phenomenon_time as condition_at
from listed l
left join said p on p.datastream_id = l.power_stream
left join said c on c.datastream_id = l.condition_stream
order by lamp_id
