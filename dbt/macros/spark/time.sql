{# Spark keeps instants as microseconds too, and divides as DuckDB does; its session's zone is UTC
   (profiles.yml). #}
{% macro spark__utc_steps(instant, step_us) -%}
  ((unix_micros({{ instant }}) + 86400000000000000) div {{ step_us }} - {{ 86400000000000000 // step_us }})
{%- endmacro %}

{% macro spark__utc_date(instant) -%}
  cast({{ instant }} as date)
{%- endmacro %}

{% macro spark__hour_number(instant) -%}
  {{ spark__utc_steps(instant, 3600000000) }}
{%- endmacro %}

{% macro spark__hour_of_number(number) -%}
  timestamp_micros(({{ number }}) * 3600000000)
{%- endmacro %}

{% macro spark__utc_quarter(instant) -%}
  timestamp_micros({{ spark__utc_steps(instant, 900000000) }} * 900000000)
{%- endmacro %}

{% macro spark__instant_of(text) -%}
  timestamp '{{ text }}'
{%- endmacro %}

{% macro spark__seconds_between(earlier, later) -%}
  ((unix_micros({{ later }}) - unix_micros({{ earlier }})) / 1e6)
{%- endmacro %}

{% macro spark__utc_text(instant) -%}
  date_format({{ instant }}, "yyyy-MM-dd'T'HH:mm:ss'Z'")
{%- endmacro %}

{# Stockholm has been one or two hours ahead of UTC since 1900. #}
{% macro spark__stockholm_label(instant) -%}
  date_format(from_utc_timestamp({{ instant }}, 'Europe/Stockholm'), "yyyy-MM-dd'T'HH:mm")
    || '+0' || cast({{ spark__hour_number("from_utc_timestamp(" ~ instant ~ ", 'Europe/Stockholm')") }}
        - {{ spark__hour_number(instant) }} as string) || ':00'
{%- endmacro %}

{% macro spark__stockholm_date(instant) -%}
  cast(from_utc_timestamp({{ instant }}, 'Europe/Stockholm') as date)
{%- endmacro %}

{% macro spark__stockholm_midnight(day) -%}
  to_utc_timestamp(cast({{ day }} as timestamp), 'Europe/Stockholm')
{%- endmacro %}

{% macro spark__days_between(first, last) -%}
  explode(sequence(date '{{ first }}', date '{{ last }}', interval 1 day))
{%- endmacro %}

{% macro spark__day_number(day) -%}
  datediff({{ day }}, date '1970-01-01')
{%- endmacro %}

{# A sequence whose end is before its start would run backwards. #}
{% macro spark__each_of(first, last) -%}
  explode(case when {{ first }} <= {{ last }} then sequence({{ first }}, {{ last }}) end)
{%- endmacro %}

{% macro spark__iso_weekday(day) -%}
  (1 + pmod({{ spark__day_number(day) }} + 3, 7))
{%- endmacro %}
