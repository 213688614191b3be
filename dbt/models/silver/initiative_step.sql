{% set steps = ['test', 'pilot', 'losning', 'integration'] %}
with reached as (
    {% for step in steps -%}
    select initiative_id, '{{ step }}' as step, {{ loop.index }} as step_number, {{ step }} as since
    from {{ source('reference', 'initiatives') }}
    where {{ step }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    initiative_id,
    step,
    cast(step_number as integer) as step_number,
    cast(since as date) as valid_from,
    cast(lead(since) over (partition by initiative_id order by step_number) as date) as valid_to
from reached
