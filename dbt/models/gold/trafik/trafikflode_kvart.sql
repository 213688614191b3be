{{ config(
    follows='silver.observation',
    resets_with=['silver.thing', 'silver.location'],
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}
{% set properties = {'vehicle_count': 'vehicles', 'vehicle_speed': 'speed', 'lane_occupancy': 'occupancy'} %}

-- Only what was measured within one quarter can be told of it: an interval that is longer, or lies
-- across two of them, says nothing of how it was spread.
with intervals as (
    select
        d.thing_id,
        d.observed_property_id,
        o.phenomenon_time as started,
        o.phenomenon_time_end as ended,
        o.result,
        {{ utc_quarter('o.phenomenon_time') }} as quarter_start,
        o.partition_date
    from {{ ref('observation') }} o
    join {{ ref('datastream') }} d on d.datastream_id = o.datastream_id
    where d.observed_property_id in ('{{ properties | join("', '") }}')
        and o.quality = 'good'
        and o.result is not null
        and o.phenomenon_time_end > o.phenomenon_time
        and o.phenomenon_time_end <= {{ utc_quarter('o.phenomenon_time') }} + interval '15' minute
        and {{ in_partitions(plan, 'o.partition_date') }}
),

-- Nothing counts twice: what begins before an earlier interval has ended is left out.
apart as (
    select *
    from (
        select
            *,
            max(ended) over (
                partition by thing_id, observed_property_id, quarter_start
                order by started, ended
                rows between unbounded preceding and 1 preceding
            ) as ended_before
        from intervals
    ) in_order
    where coalesce(started >= ended_before, true)
),

measured as (
    select
        thing_id,
        quarter_start,
        partition_date,
        {{ seconds_between('started', 'ended') }} as seconds,
        {% for property, name in properties.items() -%}
        max(result) filter (where observed_property_id = '{{ property }}') as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from apart
    group by thing_id, quarter_start, partition_date, started, ended
),

quarters as (
    select
        thing_id,
        quarter_start,
        partition_date,
        sum(vehicles) as vehicles,
        sum(speed * vehicles) filter (where vehicles > 0 and speed is not null)
            / sum(vehicles) filter (where vehicles > 0 and speed is not null) as speed,
        sum(occupancy * seconds) / sum(seconds) filter (where occupancy is not null) as occupancy,
        coalesce(sum(seconds) filter (where vehicles is not null), 0) / 900 as coverage
    from measured
    group by thing_id, quarter_start, partition_date
)

select
    q.thing_id as detector_id,
    q.quarter_start,
    {{ stockholm_label('q.quarter_start') }} as quarter_start_local,
    t.name as detector_name,
    t.street,
    t.district,
    l.public_longitude as longitude,
    l.public_latitude as latitude,
    cast(q.vehicles as integer) as vehicles,
    round(q.speed * 3.6, 1) as mean_speed_km_h,
    round(q.occupancy, 4) as occupancy,
    round(q.coverage, 4) as coverage,
    q.partition_date
from quarters q
join {{ ref('thing') }} t on t.thing_id = q.thing_id
left join {{ ref('location') }} l
    on l.thing_id = q.thing_id
    and {{ stood_there('l', 'q.quarter_start') }}
order by q.partition_date, detector_id, q.quarter_start
