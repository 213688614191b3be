{# What a contract says of a thing under a key of its attributes; none where it says nothing. #}
{% macro attribute_of(attributes, key) -%}
  {{ adapter.dispatch('attribute_of', 'sjostad')(attributes, key) }}
{%- endmacro %}

{% macro duckdb__attribute_of(attributes, key) -%}
  json_extract_string({{ attributes }}, '$.{{ key }}')
{%- endmacro %}
