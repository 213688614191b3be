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
{% set news = is_news(plan, of='t') ~ ' and ' ~ in_partitions(plan, instant='t.phenomenon_time') %}
{% set delivered = '(select distinct source_id, device, channel from ' ~ source('bronze', 'telemetry') ~ ' t where ' ~ news ~ ')' %}

-- What a row's datastream is and means is looked up once for each datastream, and rows are sorted
-- by its number: by the id it would take twice as long.
with mapped as (
    select {{ datastream_id() }} as datastream_id, t.*, u.factor, u.offset, u.canonical_unit
    {{ from_mapped(delivered, is_shareable) }}
),

numbers as (
    select datastream_id, row_number() over (order by datastream_id) as number
    from (
        select datastream_id from mapped
        {%- if not plan.full %}
        union select datastream_id from {{ this }} where {{ in_partitions(plan) }}
        {%- endif %}
    ) ids
),

streams as (
    select m.*, n.number from mapped m join numbers n on n.datastream_id = m.datastream_id
),

revisions as (
    {%- if not plan.full %}
    select n.number, {{ columns | join(', ') }}, 0 as age
    from (
        select * from {{ this }}
        where {{ in_partitions(plan) }} and not {{ is_reset_source(plan) }}
    ) o
    join numbers n using (datastream_id)
    union all
    {%- endif %}
    select
        u.number,
        u.datastream_id,
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
        {{ partition_of('t.phenomenon_time') }} as partition_date,
        1 as age
    from {{ source('bronze', 'telemetry') }} t
    join streams u on u.source_id = t.source_id and u.device = t.device and u.channel = t.channel
    where {{ news }}
)

select {{ columns | join(', ') }}
from (
    select
        *,
        row_number() over (partition by number, phenomenon_time order by {{ newest_first() }}, age desc) as nth
    from revisions
) ranked
where nth = 1
order by partition_date, number, phenomenon_time
{% endmacro %}
