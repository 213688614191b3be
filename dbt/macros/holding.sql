{#
  What is sent when it changes stands until the next reading, of whatever quality. If that comes
  after more than a day, or not at all, nobody knows how long it stood. The query has a row for each
  hour that a good reading stands in: datastream_id, hour_start, the `columns` of the reading, and
  seconds, how long it stands in that hour.

  `relation` has datastream_id, phenomenon_time, quality and the columns.
#}
{% macro held_by_hour(relation, columns) %}
select
    datastream_id,
    {{ hour_of_number('hour_number') }} as hour_start,
    {{ columns | join(', ') }},
    {{ seconds_between(
        "greatest(started, " ~ hour_of_number('hour_number') ~ ")",
        "least(ended, " ~ hour_of_number('hour_number + 1') ~ ")") }} as seconds
from (
    select *, {{ each_of(hour_number('started'), hour_number("ended - interval '1' microsecond")) }} as hour_number
    from (
        select
            datastream_id,
            {{ columns | join(', ') }},
            quality,
            phenomenon_time as started,
            lead(phenomenon_time) over (partition by datastream_id order by phenomenon_time) as ended
        from {{ relation }}
    ) held
    where ended <= started + interval '24' hour and quality = 'good'
) by_hour
{% endmacro %}


{# A row for each whole number from one to another. #}
{% macro each_of(first, last) -%}
  {{ adapter.dispatch('each_of', 'sjostad')(first, last) }}
{%- endmacro %}

{% macro duckdb__each_of(first, last) -%}
  unnest(range({{ first }}, {{ last }} + 1))
{%- endmacro %}
