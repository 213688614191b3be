{# The middle of values, and the middle of how far they lie from it: both stay where they are when
   less than half of the values go astray. #}
{% macro median_of(value) -%}
  {{ adapter.dispatch('median_of', 'sjostad')(value) }}
{%- endmacro %}

{% macro duckdb__median_of(value) -%}
  median({{ value }})
{%- endmacro %}

{% macro median_deviation_of(value) -%}
  {{ adapter.dispatch('median_deviation_of', 'sjostad')(value) }}
{%- endmacro %}

{% macro duckdb__median_deviation_of(value) -%}
  mad({{ value }})
{%- endmacro %}


{#
  How far from a median a value may lie before it is unusual: four standard deviations, told from
  the median deviation (1.4826 of which are one, of normal errors), but at least a share of the
  median and an amount, since a very steady history would else call every breath unusual.
#}
{% macro unusual_from(median, deviation, least_share, least) -%}
  greatest(4 * 1.4826 * {{ deviation }}, {{ least_share }} * abs({{ median }}), {{ least }})
{%- endmacro %}
