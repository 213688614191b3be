{% macro spark__json_text(document, path) -%}
  get_json_object({{ document }}, '{{ path }}')
{%- endmacro %}

{% macro spark__matches_whole(text, pattern) -%}
  {{ text }} rlike concat('^(?:', {{ pattern }}, ')$')
{%- endmacro %}

{% macro spark__greatest_values(value, count) -%}
  case when count({{ value }}) > 0 then slice(sort_array({{ values_of(value) }}, false), 1, {{ count }}) end
{%- endmacro %}

{% macro spark__greatest_of(values) -%}
  get({{ values }}, 0)
{%- endmacro %}

{# The size of no array is -1. #}
{% macro spark__count_above(values, threshold) -%}
  case when {{ values }} is not null then size(filter({{ values }}, one -> one > {{ threshold }})) end
{%- endmacro %}


{% macro spark__last_known(value, window) -%}
  last_value({{ value }}) ignore nulls over {{ window }}
{%- endmacro %}


{# Spark moves no median along a window, but it collects the window's values. #}
{% macro spark__median_over(value, window) -%}
  {{ middle_of('sort_array(' ~ values_of(value, window) ~ ')') }}
{%- endmacro %}

{% macro spark__median_deviation(value) -%}
  {{ deviation_of(values_of(value)) }}
{%- endmacro %}

{% macro spark__median_deviation_over(value, window) -%}
  {{ deviation_of(values_of(value, window)) }}
{%- endmacro %}

{% macro spark__median_of_others(value, groups) -%}
  {%- set sorted = 'sort_array(' ~ values_of(value, '(partition by ' ~ groups | join(', ') ~ ')') ~ ')' -%}
  {%- set place = 'cast(array_position(' ~ sorted ~ ', ' ~ value ~ ') as int)' -%}
  case when {{ value }} is null then {{ middle_of(sorted) }} else
    {{ middle_of('concat(slice(' ~ sorted ~ ', 1, ' ~ place ~ ' - 1), slice(' ~ sorted ~ ', ' ~ place ~ ' + 1, size('
      ~ sorted ~ ')))') }} end
{%- endmacro %}


{# The values of a group or window. Spark leaves nulls out, but not all that speak its language do. #}
{% macro values_of(value, window=none) -%}
  array_compact(collect_list({{ value }}){{ ' over ' ~ window if window }})
{%- endmacro %}


{# The middle of a sorted array, between the two middle ones if they are two; none if it is empty. #}
{% macro middle_of(sorted) -%}
  (get({{ sorted }}, (size({{ sorted }}) - 1) div 2) + get({{ sorted }}, size({{ sorted }}) div 2)) / 2
{%- endmacro %}


{# The middle of how far an array's values lie from their middle. #}
{% macro deviation_of(values) -%}
  {%- set middle = middle_of('sort_array(' ~ values ~ ')') -%}
  {{ middle_of('sort_array(transform(' ~ values ~ ', one -> abs(one - ' ~ middle ~ ')))') }}
{%- endmacro %}
