{#
  Spark builds every model whole: what has come since the last build only our own Delta writer
  knows, which keeps that in the log.
#}
{% macro spark__lake_plan() %}
  {{ return({'full': true, 'skip': false, 'partitions': none, 'marks': {}, 'news': none, 'in_parts': false,
             'is_first': true, 'window': none}) }}
{% endmacro %}


{#
  Makes a model's table, with the columns and types of its contract, whatever it held before.
  Where it lies is the engine's affair, unless the variable `spark_location` names a folder.
#}
{% materialization delta, adapter='spark' %}
  {%- set target = this.incorporate(type='table') -%}
  {%- set days = config.get('partition_by', []) -%}
  {{ run_hooks(pre_hooks) }}
  {{ assert_columns_of_contract(sql) }}
  {% call statement('main') -%}
    create or replace table {{ target }} using delta
    {% if days %}partitioned by ({{ days | join(', ') }}){% endif %}
    {% if var('spark_location', none) %}location '{{ var("spark_location") }}/{{ this.schema }}/{{ this.identifier }}'{% endif %}
    as select
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

{% macro spark__open_lake() %}
  {% if execute %}
    {% for statement in var('register', []) %}{% do run_query(statement) %}{% endfor %}
  {% endif %}
{% endmacro %}
