{{ config(
    follows='bronze.telemetry',
    spills=true,
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}

-- Silver has the newest revision only. What was known when needs them all, so this reads bronze.
with revisions as (
    {{ revisions_of('active_energy_register', plan) }}
),

-- An interval ends on the day of its later reading, and begins at most a day before that.
standing as (
    {{ as_known('revisions') }}
),

pairs as (
    select
        *,
        lag(phenomenon_time) over by_time as started,
        lag(result) over by_time as register_before
    from standing
    where quality = 'good' and result is not null
    window by_time as (partition by datastream_id, day, moment order by phenomenon_time)
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
        result as register_end_kwh,
        round(case when is_near then {{ register_increase('register_before', 'result', 'rollover') }} end, 6)
            as energy_kwh,
        delivery
    from (select *, coalesce(started >= phenomenon_time - interval '24' hour, false) as is_near from pairs) near
    where {{ utc_date('phenomenon_time') }} = day
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
        min_by(delivery, moment) as delivery,
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
    {{ partition_of('interval_end') }} as partition_date
from versions
where {{ in_partitions(plan, partition_of('interval_end')) }}
order by partition_date, datastream_id, interval_end, known_from
