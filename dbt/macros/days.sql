{# The date of an instant on Stockholm's clocks, and the instant at which a date begins there. #}
{% macro stockholm_date(instant) -%}
  {{ adapter.dispatch('stockholm_date', 'sjostad')(instant) }}
{%- endmacro %}

{% macro duckdb__stockholm_date(instant) -%}
  cast(timezone('Europe/Stockholm', {{ instant }}) as date)
{%- endmacro %}

{% macro stockholm_midnight(day) -%}
  {{ adapter.dispatch('stockholm_midnight', 'sjostad')(day) }}
{%- endmacro %}

{% macro duckdb__stockholm_midnight(day) -%}
  timezone('Europe/Stockholm', cast({{ day }} as timestamp))
{%- endmacro %}


{# A row for each date from one to another. #}
{% macro days_between(first, last) -%}
  {{ adapter.dispatch('days_between', 'sjostad')(first, last) }}
{%- endmacro %}

{% macro duckdb__days_between(first, last) -%}
  unnest(generate_series(date '{{ first }}', date '{{ last }}', interval 1 day))
{%- endmacro %}


{# The number of a date, counted from 1970. #}
{% macro day_number(day) -%}
  {{ adapter.dispatch('day_number', 'sjostad')(day) }}
{%- endmacro %}

{% macro duckdb__day_number(day) -%}
  datediff('day', date '1970-01-01', {{ day }})
{%- endmacro %}


{# The day of the week of a date: 1 is Monday. #}
{% macro iso_weekday(day) -%}
  {{ adapter.dispatch('iso_weekday', 'sjostad')(day) }}
{%- endmacro %}

{% macro duckdb__iso_weekday(day) -%}
  isodow({{ day }})
{%- endmacro %}
