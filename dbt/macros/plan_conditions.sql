{# The condition that picks the bronze rows past a plan's marks, of a table or its alias. #}
{% macro is_news(plan, of='telemetry') -%}
  (false{% for item in plan.news %}
    or ({{ of }}.source_id = '{{ item.source_id }}'
      and {{ of }}._batch > {{ item.since }} and {{ of }}._batch <= {{ item.upto }}){% endfor %})
{%- endmacro %}


{# The condition that picks the sources whose mapping has changed. #}
{% macro is_reset_source(plan) -%}
  (false{% for item in plan.news if item.is_reset %} or source_id = '{{ item.source_id }}'{% endfor %})
{%- endmacro %}


{# The condition that picks the partitions of a plan. #}
{% macro in_partitions(partitions, column='partition_date') -%}
  {%- if not partitions -%} {{ partitions is none }}
  {%- else -%} {{ column }} in ({% for day in partitions %}date '{{ day }}'{{ ', ' if not loop.last }}{% endfor %})
  {%- endif -%}
{%- endmacro %}


{# The partitions that rows of a plan's partitions are made from, if they also depend on those beside
   them; none for all. #}
{% macro window_of(plan) %}
  {{ return(neighbouring_partitions(plan.partitions) if plan.partitions else plan.partitions) }}
{% endmacro %}
