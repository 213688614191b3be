{#
  Called when dbt has run: a build that went well replaces the curated database. One in which a
  model or a test failed, or was left out because of that, leaves the last file in place.
#}
{% macro publish_curated(results) %}
  {{ return(adapter.dispatch('publish_curated', 'sjostad')(results)) }}
{% endmacro %}

{% macro duckdb__publish_curated(results) %}
  {% if execute and flags.WHICH in ('build', 'run') %}
    {% set well = ['success', 'pass', 'warn', 'no-op'] %}
    {% set bad = results | map(attribute='status') | map('string') | reject('in', well) | list %}
    {% if not bad %}
      {% set none_made = api.Relation.create(database=target.database, schema='lake', identifier='curated') %}
      {% do adapter.store_relation('curated', none_made, [], '', 'duckdb', {
          'models': graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | list,
      }) %}
    {% endif %}
  {% endif %}
{% endmacro %}
