{# Whole division drops what is after the point, so it would put what is before 1970 into the hour after:
   instants are counted from a million days earlier. #}
{% macro duckdb__utc_steps(instant, step_us) -%}
  ((epoch_us({{ instant }}) + 86400000000000000) // {{ step_us }} - {{ 86400000000000000 // step_us }})
{%- endmacro %}


{# The UTC date an instant falls in. A cast asks the zone's calendar for every row, which takes many times
   as long. #}
{% macro utc_date(instant) -%}
  {{ adapter.dispatch('utc_date', 'sjostad')(instant) }}
{%- endmacro %}

{% macro duckdb__utc_date(instant) -%}
  (date '1970-01-01' + cast({{ duckdb__utc_steps(instant, 86400000000) }} as integer))
{%- endmacro %}


{# The number of the UTC hour an instant falls in, counted from 1970; and the hour of a number. #}
{% macro hour_number(instant) -%}
  {{ adapter.dispatch('hour_number', 'sjostad')(instant) }}
{%- endmacro %}

{% macro duckdb__hour_number(instant) -%}
  {{ duckdb__utc_steps(instant, 3600000000) }}
{%- endmacro %}

{% macro hour_of_number(number) -%}
  {{ adapter.dispatch('hour_of_number', 'sjostad')(number) }}
{%- endmacro %}

{% macro duckdb__hour_of_number(number) -%}
  make_timestamptz(({{ number }}) * 3600000000)
{%- endmacro %}


{# The UTC hour an instant falls in, by arithmetic, because date_trunc on zoned times asks
   the zone's calendar for every row. #}
{% macro utc_hour(instant) -%}
  {{ hour_of_number(hour_number(instant)) }}
{%- endmacro %}


{# The quarter of an hour an instant falls in. Offsets from UTC are whole quarters of an hour, so a
   quarter on the clock is one in UTC, also in the night in which clocks change. #}
{% macro utc_quarter(instant) -%}
  {{ adapter.dispatch('utc_quarter', 'sjostad')(instant) }}
{%- endmacro %}

{% macro duckdb__utc_quarter(instant) -%}
  make_timestamptz({{ duckdb__utc_steps(instant, 900000000) }} * 900000000)
{%- endmacro %}


{# An instant that is known: text such as 2026-10-25 01:00:00+00. #}
{% macro instant_of(text) -%}
  {{ adapter.dispatch('instant_of', 'sjostad')(text) }}
{%- endmacro %}

{% macro duckdb__instant_of(text) -%}
  timestamptz '{{ text }}'
{%- endmacro %}


{# Seconds from one instant to another. #}
{% macro seconds_between(earlier, later) -%}
  {{ adapter.dispatch('seconds_between', 'sjostad')(earlier, later) }}
{%- endmacro %}

{% macro duckdb__seconds_between(earlier, later) -%}
  ((epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1e6)
{%- endmacro %}


{# An instant as text, to the second. #}
{% macro utc_text(instant) -%}
  {{ adapter.dispatch('utc_text', 'sjostad')(instant) }}
{%- endmacro %}

{% macro duckdb__utc_text(instant) -%}
  strftime({{ instant }}, '%Y-%m-%dT%H:%M:%SZ')
{%- endmacro %}


{# An instant on Stockholm's clocks with its offset: 2026-10-25T02:00+02:00. The label is for
   people; sums and joins use UTC, where the doubled hour of October stays two hours. #}
{% macro stockholm_label(instant) -%}
  {{ adapter.dispatch('stockholm_label', 'sjostad')(instant) }}
{%- endmacro %}

{% macro duckdb__stockholm_label(instant) -%}
  strftime(timezone('Europe/Stockholm', {{ instant }}), '%Y-%m-%dT%H:%M')
    || printf('%+03d:00', datediff('hour', timezone('UTC', {{ instant }}),
        timezone('Europe/Stockholm', {{ instant }})))
{%- endmacro %}
