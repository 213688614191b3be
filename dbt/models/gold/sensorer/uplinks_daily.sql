{{ config(
    follows='bronze.telemetry',
    spills=true,
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}

-- Frame counters are no readings, so silver has none: bronze keeps them with each row of an uplink.
with uplinks as (
    select
        source_id,
        device,
        heard,
        {{ stockholm_date('heard') }} as day,
        coalesce({{ json_text('attributes', '$.session') }}, '') as session,
        try_cast({{ json_text('attributes', '$.f_cnt') }} as bigint) as f_cnt
    from (
        select distinct t.source_id, t.device, t.phenomenon_time as heard, t.attributes
        from {{ source('bronze', 'telemetry') }} t
        join {{ source('reference', 'sources') }} s on s.source_id = t.source_id and s.is_shareable
        where t.attributes like '%"f_cnt":%'
            and {{ in_window(plan, instant='t.phenomenon_time') }}
    ) each_once
),

-- A day's first uplink is held against the last of the day before, as far back as the partition
-- beside the day's own reaches. What a device counts for longer is not told.
blocks as (
    select source_id || '/' || device as device, heard, day, session, f_cnt, day as block
    from uplinks
    union all
    select source_id || '/' || device, heard, day, session, f_cnt, cast(day + 1 as date)
    from uplinks
    where {{ utc_date('heard') }} = day
),

losses as (
    {{ uplink_losses('blocks') }}
),

joined as (
    select
        l.device as thing_id,
        substr(l.device, 1, instr(l.device, '/') - 1) as source_id,
        l.day as local_date,
        l.uplinks_received,
        l.uplinks_lost,
        l.counter_resets,
        {{ partition_date('l.day') }} as partition_date
    from losses l
)

select * from joined
where {{ in_partitions(plan) }}
order by partition_date, thing_id, local_date
