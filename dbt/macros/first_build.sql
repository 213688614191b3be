{# Whether nothing that is there can be built upon: no table, or one with other columns. #}
{% macro is_first_build() %}
  {% set known = lake_rows("select count(*) from lake.upstream where name = '" ~ lake_name() ~ "'") %}
  {{ return(known[0][0] == 0 or not has_the_columns_of_its_contract()) }}
{% endmacro %}


{% macro has_the_columns_of_its_contract() %}
  {% set said = [] %}
  {% for column in model.columns.values() %}
    {% do said.append("('" ~ column.name ~ "', typeof(null::" ~ column.data_type ~ "))") %}
  {% endfor %}
  {% if not said %}{{ return(true) }}{% endif %}
  {% set differing = lake_rows("
    with said(name, type) as (values " ~ said | join(', ') ~ "),
    there(name, type) as (
      select column_name, data_type from information_schema.columns
      where table_schema = '" ~ this.schema ~ "' and table_name = '" ~ this.identifier ~ "')
    select count(*) from ((from said except from there) union all (from there except from said))") %}
  {{ return(differing[0][0] == 0) }}
{% endmacro %}
