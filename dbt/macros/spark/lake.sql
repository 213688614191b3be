{#
  On Spark a model is built whole; or, if the variable `since` names a date, from that day's partition
  on, and those before it that the model and what it follows also make from it (`spills`). What has
  come since the last build only our own Delta writer knows, which keeps that in the log.
#}
{% macro spark__lake_plan() %}
  {% set plan = {'full': true, 'partitions': none, 'news': none, 'first': none, 'before': none} %}
  {% if execute and is_built_since() %}
    {% set at = namespace(model=model, first=partition_date("date '" ~ var('since') ~ "'")) %}
    {% for _ in graph.nodes if at.model %}
      {% if at.model.config.get('spills') %}{% set at.first = partition_date('cast(' ~ at.first ~ ' as date) - 1') %}{% endif %}
      {% set at.model = model_of(at.model.config.get('follows')) %}
    {% endfor %}
    {% set row = run_query('select ' ~ at.first ~ ', ' ~ partition_date('cast(' ~ at.first ~ ' as date) - 1')).rows[0] %}
    {% do plan.update({'first': row[0] | string, 'before': row[1] | string}) %}
  {% endif %}
  {{ return(plan) }}
{% endmacro %}


{# The model of a table such as silver.observation; none for one that is no model. #}
{% macro model_of(table) %}
  {% for node in graph.nodes.values() if node.resource_type == 'model' and node.schema ~ '.' ~ node.name == table %}
    {{ return(node) }}
  {% endfor %}
  {{ return(none) }}
{% endmacro %}


{# Whether a table is there to be built upon, and a date is told from which on. #}
{% macro is_built_since() %}
  {% if not var('since', none) or not config.get('partition_by') %}{{ return(false) }}{% endif %}
  {{ return(run_query('show tables in ' ~ this.schema ~ " like '" ~ this.identifier ~ "'").rows | length > 0) }}
{% endmacro %}


{#
  Makes a model's table, or its partitions from a date on, in one commit, with the columns and types of
  its contract. Where it lies is the engine's affair, unless the variable `spark_location` names a folder.
#}
{% materialization delta, adapter='spark' %}
  {%- set target = this.incorporate(type='table') -%}
  {%- set days = config.get('partition_by', []) -%}
  {%- set plan = lake_plan() -%}
  {{ run_hooks(pre_hooks) }}
  {{ assert_columns_of_contract(sql) }}
  {% call statement('main') -%}
    {% if plan.first -%}
    insert into {{ target }} replace where {{ days[0] }} >= date '{{ plan.first }}'
    {%- else -%}
    create or replace table {{ target }} using delta
    {% if days %}partitioned by ({{ days | join(', ') }}){% endif %}
    {% if var('spark_location', none) %}location '{{ var("spark_location") }}/{{ this.schema }}/{{ this.identifier }}'{% endif %}
    as
    {%- endif %}
    select
    {%- for column in model.columns.values() %}
      cast({{ column.name }} as {{ spark_type(column.data_type) }}) as {{ column.name }}{{ ',' if not loop.last }}
    {%- endfor %}
    from ({{ sql }}) built
  {%- endcall %}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% macro assert_columns_of_contract(sql) %}
  {% set made = get_columns_in_query(sql) | list %}
  {% set said = model.columns.keys() | list %}
  {% if made | sort != said | sort %}
    {{ exceptions.raise_compiler_error(this ~ " has the columns " ~ made | sort | join(', ')
      ~ " but its contract says " ~ said | sort | join(', ')) }}
  {% endif %}
{% endmacro %}


{# Contracts name types as DuckDB does. #}
{% macro spark_type(name) -%}
  {%- set names = {'varchar': 'string', 'integer': 'int', 'timestamp with time zone': 'timestamp', 'double[]': 'array<double>'} -%}
  {{ names.get(name, name) }}
{%- endmacro %}


{#
  Runs the statements of the variable `register`, if it is given: those by which `sjostad spark-tables`
  tells an engine where bronze and the reference tables lie. An engine with a catalogue of its own
  needs them once; one that forgets between sessions, each time.
#}
{% macro open_lake() %}
  {{ return(adapter.dispatch('open_lake', 'sjostad')()) }}
{% endmacro %}

{% macro duckdb__open_lake() %}{% endmacro %}

{# There is no curated database of what another engine has built. #}
{% macro spark__publish_curated(results) %}{% endmacro %}

{% macro spark__open_lake() %}
  {% if execute %}
    {% for statement in var('register', []) %}{% do run_query(statement) %}{% endfor %}
  {% endif %}
{% endmacro %}
