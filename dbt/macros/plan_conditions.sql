{# The condition that picks the bronze rows past a plan's marks, of a table or its alias. #}
{% macro is_news(plan, of='telemetry') -%}
  {% if plan.news is none %}true{% else %}(false{% for item in plan.news %}
    or ({{ of }}.source_id = '{{ item.source_id }}'
      and {{ of }}._batch > {{ item.since }} and {{ of }}._batch <= {{ item.upto }}){% endfor %}){% endif %}
{%- endmacro %}


{# The condition that picks the sources whose mapping has changed. #}
{% macro is_reset_source(plan) -%}
  (false{% for item in plan.news if item.is_reset %} or source_id = '{{ item.source_id }}'{% endfor %})
{%- endmacro %}


{#
  The condition that picks the rows that a plan builds, of the part in hand. A partition is told by
  a column; or by an instant, of tables that may have another calendar: bronze keeps its own.
#}
{% macro in_partitions(plan, column='partition_date', instant=none) -%}
  {{ among(plan, plan.partitions, column, instant, 'first', 'until') }}
{%- endmacro %}


{# The same for the rows that those are made from, if they also depend on the partitions beside. #}
{% macro in_window(plan, column='partition_date', instant=none) -%}
  {{ among(plan, plan.get('window'), column, instant, 'before', 'beyond') }}
{%- endmacro %}


{% macro among(plan, partitions, column, instant, start, end) -%}
  {{ is_one_of(partitions, partition_of(instant) if instant else column) }}
  {%- if plan.in_parts %}
    {%- set told = instant or column %}
    {%- set kind = 'timestamptz' if instant else 'date' %}
    and {{ told }} >= cast(getvariable('{{ start }}') as {{ kind }}) and {{ told }} < cast(getvariable('{{ end }}') as {{ kind }})
  {%- elif plan.get(start) %}
    and {{ instant or column }} >= {{ instant_of(plan[start] ~ ' 00:00:00+00') if instant else "date '" ~ plan[start] ~ "'" }}
  {%- endif %}
{%- endmacro %}


{% macro is_one_of(partitions, column) -%}
  {%- if not partitions -%} {{ partitions is none }}
  {%- else -%} {{ column }} in ({{ listed(partitions) }})
  {%- endif -%}
{%- endmacro %}


{% macro listed(partitions) -%}
  {% for day in partitions %}date '{{ day }}'{{ ', ' if not loop.last }}{% endfor %}
{%- endmacro %}
