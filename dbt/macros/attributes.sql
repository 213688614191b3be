{# A field of JSON, as text. #}
{% macro json_text(document, path) -%}
  {{ adapter.dispatch('json_text', 'sjostad')(document, path) }}
{%- endmacro %}

{% macro duckdb__json_text(document, path) -%}
  json_extract_string({{ document }}, '{{ path }}')
{%- endmacro %}


{# What a contract says of a thing under a key of its attributes; none where it says nothing. #}
{% macro attribute_of(attributes, key) -%}
  {{ json_text(attributes, '$.' ~ key) }}
{%- endmacro %}


{# Whether a regular expression matches a whole text. #}
{% macro matches_whole(text, pattern) -%}
  {{ adapter.dispatch('matches_whole', 'sjostad')(text, pattern) }}
{%- endmacro %}

{% macro duckdb__matches_whole(text, pattern) -%}
  regexp_full_match({{ text }}, {{ pattern }})
{%- endmacro %}
