{#
  Every revision of the observations of a property that bronze has, in the canonical unit; silver
  keeps the newest only. Of the partitions of a window.
#}
{% macro revisions_of(observed_property_id, window) %}
select
    t.source_id || '/' || t.device || '/' || t.channel as datastream_id,
    t.source_id,
    t.device,
    t.phenomenon_time,
    round(t.value * u.factor + u."offset", 9) as result,
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
    and m.observed_property_id = '{{ observed_property_id }}'
    and (m.device_pattern = '.*' or regexp_full_match(t.device, m.device_pattern))
join {{ source('reference', 'units') }} u on u.ucum_code = m.ucum_code
where {{ in_partitions(window, 't.partition_date') }}
{% endmacro %}


{#
  The newest revisions as they stood at each moment at which something was received: a row for each
  datastream, day, moment and time, of the readings of that day and the day before. Moments are
  numbered; known_from is when one began, next_moment when the next did.

  `relation` is a query of `revisions_of`.
#}
{% macro as_known(relation) %}
{%- set newest = "(_received_at, _batch, _row)" -%}
with of_days as (
    select *, cast(phenomenon_time as date) as day from {{ relation }}
    union all
    select *, cast(phenomenon_time as date) + 1 as day from {{ relation }}
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
    arg_max(r.result, {{ newest }}) as result,
    arg_max(r.quality, {{ newest }}) as quality,
    arg_max(r._delivery, {{ newest }}) as delivery
from of_days r
join moments m
    on m.datastream_id = r.datastream_id and m.day = r.day and r._received_at <= m.known_from
group by r.datastream_id, r.day, m.moment, m.known_from, m.next_moment, r.phenomenon_time
{% endmacro %}
