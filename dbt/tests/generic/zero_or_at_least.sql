{% test zero_or_at_least(model, column_name, least) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} <> 0 and {{ column_name }} < {{ least }}
{% endtest %}
