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


{#
  How far from a median a value may lie before it is unusual: four standard deviations, told from
  the median deviation (1.4826 of which are one, of normal errors), but at least a share of the
  median and an amount, since a very steady history would else call every breath unusual.
#}
{% macro unusual_from(median, deviation, least_share, least) -%}
  greatest(4 * 1.4826 * {{ deviation }}, {{ least_share }} * abs({{ median }}), {{ least }})
{%- endmacro %}
