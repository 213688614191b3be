-- Days that anybody can look up: the first, the last, those on which clocks change, and how many there are.
with known as (
    select date '1950-01-01' as local_date, {{ instant_of('1949-12-31 23:00:00+00') }} as starts_at,
        {{ instant_of('1950-01-01 23:00:00+00') }} as ends_at, 24 as hours, 96 as quarter_hours, 7 as weekday
    union all
    select date '2026-03-29', {{ instant_of('2026-03-28 23:00:00+00') }}, {{ instant_of('2026-03-29 22:00:00+00') }}, 23, 92, 7
    union all
    select date '2026-06-01', {{ instant_of('2026-05-31 22:00:00+00') }}, {{ instant_of('2026-06-01 22:00:00+00') }}, 24, 96, 1
    union all
    select date '2026-10-25', {{ instant_of('2026-10-24 22:00:00+00') }}, {{ instant_of('2026-10-25 23:00:00+00') }}, 25, 100, 7
    union all
    select date '2099-12-31', {{ instant_of('2099-12-30 23:00:00+00') }}, {{ instant_of('2099-12-31 23:00:00+00') }}, 24, 96, 4
)

select k.local_date
from known k
left join {{ ref('calendar_day') }} c
    on c.local_date = k.local_date and c.starts_at = k.starts_at and c.ends_at = k.ends_at
    and c.hours = k.hours and c.quarter_hours = k.quarter_hours and c.weekday = k.weekday
where c.local_date is null
union all
select max(local_date)
from {{ ref('calendar_day') }}
having count(*) <> 54787
