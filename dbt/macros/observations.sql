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
        {{ datastream_id() }} as datastream_id,
        t.source_id,
        t.phenomenon_time,
        t.phenomenon_time_end,
        {{ canonical_result() }} as result,
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
    {{ from_mapped_telemetry(is_shareable) }}
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

select {{ columns | join(', ') }}
from revisions
qualify row_number() over (
    partition by datastream_id, phenomenon_time
    order by {{ revision_order() }} desc, age desc
) = 1
order by partition_date, datastream_id, phenomenon_time
{% endmacro %}
