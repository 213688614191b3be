{# An attribute of a thing, as its contract tells it; none where it tells none. #}
{% macro attribute_of(attributes, name) -%}
  {{ adapter.dispatch('attribute_of', 'sjostad')(attributes, name) }}
{%- endmacro %}

{% macro duckdb__attribute_of(attributes, name) -%}
  json_extract_string({{ attributes }}, '$.{{ name }}')
{%- endmacro %}
