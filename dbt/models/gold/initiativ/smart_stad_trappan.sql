-- Where initiatives stood on the staircase at the end of each year, also on steps that nobody stood on.
with years as (
    select min(year(valid_from)) as first, max(year(valid_from)) as last from {{ ref('initiative_step') }}
),

ends as (
    select {{ each_of('first', 'last') }} as year from years
),

steps as (
    select distinct step, step_number from {{ ref('initiative_step') }}
)

select
    cast(e.year as integer) as year,
    s.step,
    s.step_number,
    s.step_number >= 3 as is_established,
    cast(count(i.initiative_id) as integer) as initiatives,
    cast(count(distinct n.organisation_id) as integer) as organisations
from ends e
cross join steps s
left join {{ ref('initiative_step') }} i
    on i.step = s.step
    and i.valid_from <= make_date(e.year, 12, 31)
    and coalesce(i.valid_to > make_date(e.year, 12, 31), true)
left join {{ ref('initiative') }} n on n.initiative_id = i.initiative_id
group by e.year, s.step, s.step_number
order by e.year, s.step_number
