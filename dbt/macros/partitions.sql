{# The partition of a date: itself from go-live on, before that 1 January of its year. #}
{% macro partition_date(day) -%}
  case when {{ day }} >= date '{{ var("daily_from") }}' then {{ day }}
    else make_date(year({{ day }}), 1, 1) end
{%- endmacro %}


{# The partition of an instant: that of its UTC date. #}
{% macro partition_of(instant) -%} {{ partition_date(utc_date(instant)) }} {%- endmacro %}


{# The partition after that of a date. #}
{% macro partition_after(day) -%}
  case when {{ day }} >= date '{{ var("daily_from") }}' then {{ day }} + 1
    else make_date(year({{ day }}) + 1, 1, 1) end
{%- endmacro %}


{# Partitions, and those just before and after each of them; none for all. #}
{% macro neighbouring_partitions(partitions) %}
  {% if not partitions %}{{ return(partitions) }}{% endif %}
  {% set days = "unnest([" ~ listed(partitions) ~ "])" %}
  {% set rows = lake_rows("
    with d as (select " ~ days ~ " as d)
    select d from d
    union select " ~ partition_date('d - 1') ~ " from d
    union select " ~ partition_after('d') ~ " from d
    order by 1") %}
  {{ return(rows | map(attribute=0) | map('string') | list) }}
{% endmacro %}
