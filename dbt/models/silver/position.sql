{{ config(follows='bronze.telemetry', partition_by=['partition_date']) }}
{% set plan = lake_plan() %}
{% set columns = ['thing_id', 'source_id', 'phenomenon_time', 'longitude', 'latitude', 'result_time',
    '_received_at', '_batch', '_row', 'partition_date'] %}

-- Receivers without a fix send 0, 0: a place in the Gulf of Guinea, where nothing of the city stands.
with news as (
    select
        t.source_id || '/' || t.device as thing_id,
        t.source_id,
        t.phenomenon_time,
        t.longitude,
        t.latitude,
        t.result_time,
        t._received_at,
        t._batch,
        t._row,
        {{ partition_of('t.phenomenon_time') }} as partition_date
    from {{ source('bronze', 'telemetry') }} t
    join {{ source('reference', 'sources') }} s on s.source_id = t.source_id and s.is_shareable
    where {{ is_news(plan, of='t') }}
        and {{ in_partitions(plan, instant='t.phenomenon_time') }}
        and t.longitude between -180 and 180
        and t.latitude between -90 and 90
        and not (t.longitude = 0 and t.latitude = 0)
),

revisions as (
    {%- if not plan.full %}
    select {{ columns | join(', ') }}, 0 as age from {{ this }}
    where {{ in_partitions(plan) }} and not {{ is_reset_source(plan) }}
    union all
    {%- endif %}
    select {{ columns | join(', ') }}, 1 as age from news
),

newest as (
    select {{ columns | join(', ') }}
    from (
        select
            *,
            row_number() over (
                partition by thing_id, phenomenon_time order by {{ newest_first() }}, age desc
            ) as nth
        from revisions
    ) ranked
    where nth = 1
),

projected as (
    {{ with_sweref99_18_00('newest') }}
)

select
    thing_id,
    source_id,
    phenomenon_time,
    longitude,
    latitude,
    northing_m,
    easting_m,
    result_time,
    _received_at,
    _batch,
    _row,
    partition_date
from projected
order by partition_date, thing_id, phenomenon_time
