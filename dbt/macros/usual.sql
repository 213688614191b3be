{#
  How far the values of a group lie from their median: the median of the distances, which no single
  odd value moves. Of values that are spread normally, 1.4826 times it is the standard deviation.
#}
{% macro median_deviation(value) -%}
  {{ adapter.dispatch('median_deviation', 'sjostad')(value) }}
{%- endmacro %}

{% macro duckdb__median_deviation(value) -%}
  mad({{ value }})
{%- endmacro %}


{# The median of a window's rows, and how far they lie from it. Not every engine moves a median along. #}
{% macro median_over(value, window) -%}
  {{ adapter.dispatch('median_over', 'sjostad')(value, window) }}
{%- endmacro %}

{% macro duckdb__median_over(value, window) -%}
  median({{ value }}) over {{ window }}
{%- endmacro %}

{% macro median_deviation_over(value, window) -%}
  {{ adapter.dispatch('median_deviation_over', 'sjostad')(value, window) }}
{%- endmacro %}

{% macro duckdb__median_deviation_over(value, window) -%}
  mad({{ value }}) over {{ window }}
{%- endmacro %}


{#
  How far from a median a value may lie before it is unusual: four standard deviations, told from
  the median deviation (1.4826 of which are one, of normal errors), but at least a share of the
  median and an amount, since a very steady history would else call every breath unusual. With an
  exponent numbers are doubles; without one, engines make decimals of several widths of them.
#}
{% macro unusual_from(median, deviation, least_share, least) -%}
  greatest(4 * 1.4826e0 * {{ deviation }}, {{ least_share }}e0 * abs({{ median }}), {{ least }}e0)
{%- endmacro %}
