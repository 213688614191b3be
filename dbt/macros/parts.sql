{#
  The parts in which a model is built, one after the other, so that memory follows the largest part
  and not the table: ranges of partitions with about `rows_at_a_time` upstream rows, or as many times
  that as the model's `rows_factor`. Each has the dates
    first, until     of the rows it builds: partitions from the first to before the other
    before, beyond   of the rows those are made from
    single           the partition of all its rows; none if they may be of several
  A range of partitions is also one of instants. Parts of everything together cover all time.
#}
{% macro parts_of(plan) %}
  {% set all_time = {'first': '0001-01-01', 'until': '9999-12-31', 'before': '0001-01-01', 'beyond': '9999-12-31',
                     'single': none} %}
  {% if not plan.in_parts or plan.partitions == [] %}{{ return([all_time]) }}{% endif %}
  {% set upstream = config.get('follows') %}
  {% set is_all = plan.partitions is none %}
  {% set is_bronze = upstream == 'bronze.telemetry' %}
  {% set day = partition_of('phenomenon_time') if is_bronze else 'partition_date' %}
  {# A range besides, by which the files and row groups of other days are left out. #}
  {% set range = "true" if is_all or not is_bronze else
    "phenomenon_time >= " ~ instant_of(plan.partitions | min ~ ' 00:00:00+00') ~
    " and phenomenon_time < cast(" ~ partition_after("date '" ~ plan.partitions | max ~ "'") ~ " as timestamptz)" %}
  {% set rows = lake_rows("
    with rows_by_day as (
      select " ~ day ~ " as day, count(*) as size from " ~ upstream ~ "
      where " ~ range ~ " and " ~ is_one_of(plan.partitions, day) ~ " group by all
      union all select unnest([" ~ listed(plan.partitions or []) ~ "]::date[]), 0),
    sizes as (select day, sum(size) as size from rows_by_day group by all),
    numbered as (
      select day, (sum(size) over (order by day) - size)
        // " ~ config.get('rows_factor', 1) * var('rows_at_a_time') | int ~ " as part from sizes),
    parts as (
      select min(day) as first, coalesce(lead(min(day)) over (order by part), " ~ partition_after('max(day)') ~ ") as until,
        case when min(day) = max(day) then min(day) end as single
      from numbered group by part)
    select first, until, single, " ~ partition_date('first - 1') ~ ", " ~ partition_after('until') ~ "
    from parts order by first") %}
  {% set parts = [] %}
  {% for first, until, single, before, beyond in rows %}
    {% do parts.append({
      'first': all_time.first if is_all and loop.first else first | string,
      'until': all_time.until if is_all and loop.last else until | string,
      'before': all_time.before if is_all and loop.first else before | string,
      'beyond': all_time.beyond if is_all and loop.last else beyond | string,
      'single': single | string if single and not config.get('spills') else none,
    }) %}
  {% endfor %}
  {{ return(parts or [all_time]) }}
{% endmacro %}


{# Statements that take a part in hand: conditions of plans are about the part that is. #}
{% macro take_in_hand(part) -%}
  {% for name, day in part.items() if day %}set variable {{ name }} = date '{{ day }}';
  {% endfor %}
{%- endmacro %}
