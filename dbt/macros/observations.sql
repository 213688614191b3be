{#
  Standardised observations: one row for each datastream and time, the newest revision, in the
  canonical unit of its property.

  Takes the bronze rows past the marks and, of the partitions they touch, the rows that are
  there already; so the cost follows what is new. Readings that may never be shared openly go to
  a table of their own, which no open product reads.
#}
{% macro observations(is_shareable) %}
{% set plan = lake_plan() %}
{% set columns = ['datastream_id', 'source_id', 'phenomenon_time', 'phenomenon_time_end', 'result',
    'result_text', 'unit_id', 'quality', 'quality_code', 'result_time', '_received_at', '_batch', '_delivery',
    '_row', 'partition_date'] %}

with news as (
    select
        t.source_id || '/' || t.device || '/' || t.channel as datastream_id,
        t.source_id,
        t.phenomenon_time,
        t.phenomenon_time_end,
        round(t.value * u.factor + u."offset", 9) as result,
        t.text as result_text,
        u.canonical_unit as unit_id,
        t.quality,
        t.quality_code,
        t.result_time,
        t._received_at,
        t._batch,
        t._delivery,
        t._row,
        {{ partition_date('t.phenomenon_time') }} as partition_date
    from {{ source('bronze', 'telemetry') }} t
    join {{ source('reference', 'sources') }} s
        on s.source_id = t.source_id and s.is_shareable = {{ is_shareable }}
    join {{ source('reference', 'mappings') }} m
        on m.source_id = t.source_id
        and m.channel = t.channel
        and (m.device_pattern = '.*' or regexp_full_match(t.device, m.device_pattern))
    join {{ source('reference', 'units') }} u on u.ucum_code = m.ucum_code
    where {{ is_news(plan, of='t') }}
),

revisions as (
    select {{ columns | join(', ') }}, 1 as age from news
    {%- if not plan.full %}
    union all
    select {{ columns | join(', ') }}, 0 as age from {{ this }}
    where {{ in_partitions(plan.partitions) }} and not {{ is_reset_source(plan) }}
    {%- endif %}
)

-- The source's own time of change decides which revision is the newest, then the order in which
-- deliveries were received; that of taking them may be another one, after a replay.
select {{ columns | join(', ') }}
from revisions
qualify row_number() over (
    partition by datastream_id, phenomenon_time
    order by result_time desc nulls last, _received_at desc, _batch desc, _row desc, age desc
) = 1
order by partition_date, datastream_id, phenomenon_time
{% endmacro %}
