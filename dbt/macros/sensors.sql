{# What the greatest values of a group are, the greatest first; the greatest of them; and how many of
   them are above another. #}
{% macro greatest_values(value, count) -%}
  {{ adapter.dispatch('greatest_values', 'sjostad')(value, count) }}
{%- endmacro %}

{% macro duckdb__greatest_values(value, count) -%}
  max({{ value }}, {{ count }})
{%- endmacro %}

{% macro greatest_of(values) -%}
  {{ adapter.dispatch('greatest_of', 'sjostad')(values) }}
{%- endmacro %}

{% macro duckdb__greatest_of(values) -%}
  {{ values }}[1]
{%- endmacro %}

{% macro count_above(values, threshold) -%}
  {{ adapter.dispatch('count_above', 'sjostad')(values, threshold) }}
{%- endmacro %}

{% macro duckdb__count_above(values, threshold) -%}
  len(list_filter({{ values }}, lambda one: one > {{ threshold }}))
{%- endmacro %}


{# The median of the other rows of a row's group. #}
{% macro median_of_others(value, groups) -%}
  {{ adapter.dispatch('median_of_others', 'sjostad')(value, groups) }}
{%- endmacro %}

{% macro duckdb__median_of_others(value, groups) -%}
  median({{ value }}) over (
            partition by {{ groups | join(', ') }}
            rows between unbounded preceding and unbounded following exclude current row
        )
{%- endmacro %}


{# The last value of a window that is known. #}
{% macro last_known(value, window) -%}
  {{ adapter.dispatch('last_known', 'sjostad')(value, window) }}
{%- endmacro %}

{% macro duckdb__last_known(value, window) -%}
  last_value({{ value }} ignore nulls) over {{ window }}
{%- endmacro %}


{# The window of a row's own earlier days, never later ones: `days` of them, and today's if asked for. #}
{% macro earlier_days(key, days=28, with_today=false) -%}
  (
        partition by {{ key }} order by {{ day_number('local_date') }}
        range between {{ days }} preceding and {{ 'current row' if with_today else '1 preceding' }}
    )
{%- endmacro %}
