{#
  Rows `t` of a relation that has source_id, device and channel, with what the contracts say of
  them: source `s`, mapping `m` and unit `u`. Rows of channels that no contract names are left out,
  and those that may, or may not, be shared openly.
#}
{% macro from_mapped(relation, is_shareable) %}
from {{ relation }} t
join {{ source('reference', 'sources') }} s
    on s.source_id = t.source_id and s.is_shareable = {{ is_shareable }}
join {{ source('reference', 'mappings') }} m
    on m.source_id = t.source_id
    and m.channel = t.channel
    and (m.device_pattern = '.*' or {{ matches_whole('t.device', 'm.device_pattern') }})
join {{ source('reference', 'units') }} u on u.ucum_code = m.ucum_code
{% endmacro %}


{# The id of a bronze row's datastream, and its value in the canonical unit. #}
{% macro datastream_id() -%} t.source_id || '/' || t.device || '/' || t.channel {%- endmacro %}

{% macro canonical_result() -%} round(t.value * u.factor + u.offset, 9) {%- endmacro %}


{#
  Which of two revisions is the newer: the source's own time of change decides, then the order in
  which deliveries were received; that of taking them may be another one, after a replay. As one
  value to compare; and as columns to sort by, newest first, which is half the work.
#}
{% macro revision_order() -%}
  (coalesce(result_time, {{ instant_of('0001-01-01 00:00:00+00') }}), _received_at, _batch, _row)
{%- endmacro %}

{% macro newest_first() -%}
  result_time desc nulls last, _received_at desc, _batch desc, _row desc
{%- endmacro %}


{#
  Every revision of the observations of a property that bronze has; silver keeps the newest only.
  Of the partitions of a plan and those beside them.
#}
{% macro revisions_of(observed_property_id, plan) %}
select
    {{ datastream_id() }} as datastream_id,
    t.source_id,
    t.device,
    t.phenomenon_time,
    {{ canonical_result() }} as result,
    m.rollover * u.factor as rollover,
    t.quality,
    t.result_time,
    t._received_at,
    t._batch,
    t._row,
    t._delivery
{{ from_mapped(source('bronze', 'telemetry'), true) }}
where m.observed_property_id = '{{ observed_property_id }}'
    and {{ in_window(plan, instant='t.phenomenon_time') }}
{% endmacro %}


{#
  The newest revisions as they stood at each moment at which something was received: a row for each
  datastream, day, moment and time, of the readings of that day and the day before. Moments are
  numbered; known_from is when one began, next_moment when the next did.

  `relation` is a query of `revisions_of`.
#}
{% macro as_known(relation) %}
with of_days as (
    select *, {{ utc_date('phenomenon_time') }} as day from {{ relation }}
    union all
    select *, {{ utc_date('phenomenon_time') }} + 1 as day from {{ relation }}
),

moments as (
    select
        datastream_id,
        day,
        known_from,
        row_number() over (partition by datastream_id, day order by known_from) as moment,
        lead(known_from) over (partition by datastream_id, day order by known_from) as next_moment
    from (select distinct datastream_id, day, _received_at as known_from from of_days) received
)

select
    r.datastream_id,
    r.day,
    m.moment,
    m.known_from,
    m.next_moment,
    r.phenomenon_time,
    any_value(r.source_id) as source_id,
    any_value(r.device) as device,
    any_value(r.rollover) as rollover,
    max_by(r.result, {{ revision_order() }}) as result,
    max_by(r.quality, {{ revision_order() }}) as quality,
    max_by(r._delivery, {{ revision_order() }}) as delivery
from of_days r
join moments m
    on m.datastream_id = r.datastream_id and m.day = r.day and r._received_at <= m.known_from
group by r.datastream_id, r.day, m.moment, m.known_from, m.next_moment, r.phenomenon_time
{% endmacro %}
