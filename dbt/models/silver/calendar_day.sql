-- Days on Stockholm's clocks: those on which clocks change have 23 or 25 hours.
with days as (
    select {{ days_between('1950-01-01', '2100-12-31') }} as local_date
),

bounds as (
    select
        local_date,
        {{ stockholm_midnight('local_date') }} as starts_at,
        {{ stockholm_midnight(dbt.dateadd('day', 1, 'local_date')) }} as ends_at
    from days
)

select
    cast(local_date as date) as local_date,
    starts_at,
    ends_at,
    cast({{ seconds_between('starts_at', 'ends_at') }} / 3600 as integer) as hours,
    cast({{ seconds_between('starts_at', 'ends_at') }} / 900 as integer) as quarter_hours,
    cast(isodow(local_date) as integer) as weekday
from bounds
