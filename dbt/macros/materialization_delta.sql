{#
  Builds a model into a scratch relation, part by part, and lets the plugin commit it as a Delta table.

  Config of a model:
    partition_by   ['partition_date'] or nothing
    follows        'bronze.telemetry', or a model such as 'silver.observation': the table whose
                   news decide which partitions are built again. Without it the model is built
                   whole, and committed only if its rows have changed.
    resets_with    models whose change means that everything must be built again
    spills         true when a partition's rows also depend on its neighbours: those are built again
                   as well, and committed if they have changed
    rows_factor    parts may have so many times `rows_at_a_time` rows: where few of them are held at
                   once, and each part reads its neighbours as well
#}
{% materialization delta, adapter='duckdb' %}
  {%- set plan = lake_plan() -%}
  {%- set target = this.incorporate(type='view') -%}
  {{ run_hooks(pre_hooks) }}
  {% if plan.skip %}
    {% call noop_statement('main', 'UNCHANGED') %}{% endcall %}
  {% else %}
    {%- set table = api.Relation.create(
        database=this.database, schema='lake', identifier='scratch_' ~ this.identifier, type='table') -%}
    {# Who builds partitions again of which some may be the same commits only the others. #}
    {%- set is_compared = (plan.full or config.get('spills', false)) and not plan.is_first -%}
    {% for part in parts_of(plan) %}
      {# Rows that are only written need not be held: a view will do. #}
      {%- set scratch = table.incorporate(type='view') if part.single and not is_compared else table -%}
      {% if scratch.is_view %}
        {% call statement('main') -%} {{ create_view_as(scratch, get_select_subquery(sql)) }} {%- endcall %}
      {% else %}
        {% call statement('main') -%}
          {{ take_in_hand(part) }}
          {{ create_table_as(false, scratch, sql) }}
        {%- endcall %}
      {% endif %}
      {% do adapter.store_relation('lake', scratch, [], '', 'delta', {
          'layer': this.schema,
          'name': this.identifier,
          'description': model.description,
          'partition_by': config.get('partition_by', []),
          'partitions': plan.partitions,
          'is_compared': is_compared,
          'marks': plan.marks,
          'part': part,
          'take_in_hand': take_in_hand(part),
          'is_first_part': loop.first,
          'is_last_part': loop.last,
      }) %}
      {% do adapter.drop_relation(scratch) %}
    {% endfor %}
  {% endif %}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}
