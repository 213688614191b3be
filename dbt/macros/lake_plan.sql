{#
  What has to be built of the current model: a mapping with
    full        build everything
    skip        nothing upstream has moved; leave the table alone
    partitions  partition dates to replace, as ISO text; none for everything
    marks       how far upstream this build will have come
    news        for followers of bronze: source_id, since and upto batch, is_reset; none for all rows
    in_parts    the rows are built part by part
    first       if they are not: the partition from which on they are built, and
    before      the one from which on they are made of other rows; none for everything
    is_first    nothing that is there can be built upon
    window      partitions that the rows of those are made from; none for everything
#}
{% macro lake_plan() %}
  {{ return(adapter.dispatch('lake_plan', 'sjostad')()) }}
{% endmacro %}


{% macro duckdb__lake_plan() %}
  {% set follows = model.config.get('follows') %}
  {% if not execute or not follows %}
    {{ return({'full': true, 'skip': false, 'partitions': none, 'marks': {}, 'news': []}) }}
  {% endif %}
  {% set is_first = is_first_build() %}
  {% set full = flags.FULL_REFRESH or is_first %}
  {% set plan = plan_from_bronze(full) if follows == 'bronze.telemetry' else plan_from_model(follows, full) %}
  {% do plan.update({
    'in_parts': config.get('partition_by') is not none,
    'is_first': is_first,
    'window': neighbouring_partitions(plan.partitions) if config.get('spills') else plan.partitions,
  }) %}
  {{ return(plan) }}
{% endmacro %}


{% macro lake_rows(query) %}
  {{ return(run_query(query).rows) }}
{% endmacro %}


{% macro lake_name() %}{{ return(this.schema ~ '.' ~ this.identifier) }}{% endmacro %}


{#
  Marks are kept for good, and a mapping may come back: each that a source had has the number of the
  last time it came, and the source has the number of the one that the table's rows were made with.
#}
{% macro plan_from_bronze(full) %}
  {% set rows = lake_rows("
    select u.source_id, coalesce(done.version, 0), u.version, m.digest, coalesce(turn.version, 1),
      coalesce(mapped.version = coalesce(turn.version, 1), false)
    from lake.upstream u
    join lake.mapping m using (source_id)
    left join lake.mark done on done.table_name = '" ~ lake_name() ~ "' and done.name = u.name
    left join lake.mark turn on turn.table_name = '" ~ lake_name() ~ "' and turn.name = 'mapping.' || m.source_id
    left join lake.mark mapped on mapped.table_name = '" ~ lake_name() ~ "'
      and mapped.name = 'mapping.' || m.source_id || '.' || m.digest
    order by u.source_id") %}
  {% set marks, news = {}, [] %}
  {% for source_id, since, upto, digest, turn, is_same in rows %}
    {% set is_reset, mapping = not is_same, 'mapping.' ~ source_id %}
    {% set number = turn | int if is_same else turn | int + 1 %}
    {% do marks.update({'bronze.' ~ source_id: upto | int, mapping: number, mapping ~ '.' ~ digest: number}) %}
    {% if full or is_reset or upto > since %}
      {% do news.append({'source_id': source_id, 'since': 0 if full or is_reset else since | int,
                         'upto': upto | int, 'is_reset': is_reset and not full}) %}
    {% endif %}
  {% endfor %}
  {% set plan = {'full': full, 'skip': not full and not news, 'partitions': none, 'marks': marks, 'news': news} %}
  {% if not full and news and config.get('partition_by') %}
    {% set dates = lake_rows("
      select distinct " ~ partition_of('phenomenon_time') ~ " as d from bronze.telemetry
      where " ~ is_news(plan) ~ "
      union select distinct partition_date from " ~ this ~ " where " ~ is_reset_source(plan) ~ "
      order by d") %}
    {% set partitions = dates | map(attribute=0) | map('string') | list %}
    {% if config.get('spills') %}
      {% set partitions = neighbouring_partitions(partitions) %}
    {% endif %}
    {% do plan.update({'partitions': partitions}) %}
  {% endif %}
  {{ return(plan) }}
{% endmacro %}


{% macro plan_from_model(upstream, full) %}
  {% set resets = config.get('resets_with', []) %}
  {% set names = [upstream] + resets %}
  {% set rows = lake_rows("
    select u.name, u.version, coalesce(m.version, -1)
    from lake.upstream u
    left join lake.mark m on m.name = u.name and m.table_name = '" ~ lake_name() ~ "'
    where u.name in ('" ~ names | join("', '") ~ "')") %}
  {% set state = namespace(full=full, moved=false, since=-1) %}
  {% set marks = {} %}
  {% for name, version, followed in rows %}
    {% do marks.update({name: version | int}) %}
    {% if version > followed %}
      {% set state.moved = true %}
      {% if name in resets or followed < 0 %}{% set state.full = true %}{% endif %}
    {% endif %}
    {% if name == upstream %}{% set state.since = followed | int %}{% endif %}
  {% endfor %}
  {% if state.full or not state.moved %}
    {{ return({'full': state.full, 'skip': not state.full, 'partitions': none, 'marks': marks, 'news': []}) }}
  {% endif %}
  {% set dates = lake_rows("
    select distinct partition_date from lake.touched
    where table_name = '" ~ upstream ~ "' and version > " ~ state.since ~ " order by 1")
    | map(attribute=0) | list %}
  {% if none in dates %}
    {{ return({'full': true, 'skip': false, 'partitions': none, 'marks': marks, 'news': []}) }}
  {% endif %}
  {% set partitions = dates | map('string') | list %}
  {% if config.get('spills') %}
    {% set partitions = neighbouring_partitions(partitions) %}
  {% endif %}
  {{ return({'full': false, 'skip': false, 'partitions': partitions, 'marks': marks, 'news': []}) }}
{% endmacro %}
