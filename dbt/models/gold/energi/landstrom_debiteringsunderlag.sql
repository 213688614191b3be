{{ config(
    follows='bronze.telemetry',
    spills=true,
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}
{% set window = plan.partitions if plan.partitions is none or not plan.partitions else neighbouring_partitions(plan.partitions) %}
{% set newest = "(_received_at, _batch, _row)" %}

-- Silver has the newest revision only. What was known when needs them all, so this reads bronze.
with revisions as (
    select
        t.source_id || '/' || t.device || '/' || t.channel as datastream_id,
        t.source_id,
        t.device,
        t.phenomenon_time,
        round(t.value * u.factor + u."offset", 9) as register_kwh,
        m.rollover * u.factor as rollover,
        t.quality,
        t._received_at,
        t._batch,
        t._row,
        t._delivery
    from {{ source('bronze', 'telemetry') }} t
    join {{ source('reference', 'sources') }} s on s.source_id = t.source_id and s.is_shareable
    join {{ source('reference', 'mappings') }} m
        on m.source_id = t.source_id
        and m.channel = t.channel
        and m.observed_property_id = 'active_energy_register'
        and (m.device_pattern = '.*' or regexp_full_match(t.device, m.device_pattern))
    join {{ source('reference', 'units') }} u on u.ucum_code = m.ucum_code
    where {{ in_partitions(window, 't.partition_date') }}
),

-- An interval ends on the day of its later reading, and begins at most a day before that: of each
-- day the readings of two are looked at.
of_days as (
    select *, cast(phenomenon_time as date) as ends_on from revisions
    union all
    select *, cast(phenomenon_time as date) + 1 as ends_on from revisions
),

moments as (
    select
        datastream_id,
        ends_on,
        known_from,
        row_number() over (partition by datastream_id, ends_on order by known_from) as moment,
        lead(known_from) over (partition by datastream_id, ends_on order by known_from) as next_moment
    from (select distinct datastream_id, ends_on, _received_at as known_from from of_days) received
),

-- The readings as they stood at each moment at which something was received.
standing as (
    select
        r.datastream_id,
        r.ends_on,
        w.moment,
        w.known_from,
        w.next_moment,
        r.phenomenon_time,
        any_value(r.source_id) as source_id,
        any_value(r.device) as device,
        any_value(r.rollover) as rollover,
        arg_max(r.register_kwh, {{ newest }}) as register_kwh,
        arg_max(r.quality, {{ newest }}) as quality,
        arg_max(r._delivery, {{ newest }}) as delivery
    from of_days r
    join moments w
        on w.datastream_id = r.datastream_id and w.ends_on = r.ends_on and r._received_at <= w.known_from
    group by r.datastream_id, r.ends_on, w.moment, w.known_from, w.next_moment, r.phenomenon_time
),

pairs as (
    select
        *,
        lag(phenomenon_time) over by_time as started,
        lag(register_kwh) over by_time as register_before
    from standing
    where quality = 'good' and register_kwh is not null
    window by_time as (partition by datastream_id, ends_on, moment order by phenomenon_time)
),

intervals as (
    select
        datastream_id,
        source_id,
        device,
        moment,
        known_from,
        next_moment,
        case when is_near then started end as interval_start,
        phenomenon_time as interval_end,
        case when is_near then register_before end as register_start_kwh,
        register_kwh as register_end_kwh,
        round(case
            when not is_near then null
            when register_kwh >= register_before then register_kwh - register_before
            when register_before >= 0.9 * rollover and register_kwh <= 0.1 * rollover
                then register_kwh + rollover - register_before
        end, 6) as energy_kwh,
        delivery
    from (select *, coalesce(started >= phenomenon_time - interval '24' hour, false) as is_near from pairs) near
    where cast(phenomenon_time as date) = ends_on
),

-- A version lasts as long as moment after moment says the same.
islands as (
    select
        *,
        moment - row_number() over (
            partition by datastream_id, interval_end, interval_start, register_start_kwh, register_end_kwh
            order by moment
        ) as island
    from intervals
),

versions as (
    select
        datastream_id,
        interval_start,
        interval_end,
        register_start_kwh,
        register_end_kwh,
        any_value(source_id) as source_id,
        any_value(device) as device,
        any_value(energy_kwh) as energy_kwh,
        arg_min(delivery, moment) as delivery,
        min(known_from) as known_from,
        case when not bool_or(next_moment is null) then max(next_moment) end as known_to
    from islands
    group by datastream_id, interval_start, interval_end, register_start_kwh, register_end_kwh, island
)

select
    source_id || '/' || device as meter_id,
    datastream_id,
    source_id,
    device as berth,
    interval_start,
    interval_end,
    register_start_kwh,
    register_end_kwh,
    energy_kwh,
    case
        when energy_kwh is not null then 'measured'
        when interval_start is null then 'no_start'
        else 'reset'
    end as status,
    known_from,
    known_to,
    delivery,
    {{ partition_date('interval_end') }} as partition_date
from versions
where {{ in_partitions(plan.partitions, partition_date('interval_end')) }}
order by partition_date, datastream_id, interval_end, known_from
