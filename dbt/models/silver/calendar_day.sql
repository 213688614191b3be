-- Days on Stockholm's clocks: those on which clocks change have 23 or 25 hours.
with days as (
    select cast(each_day as date) as local_date
    from (select {{ days_between('1950-01-01', '2099-12-31') }} as each_day) days
),

bounds as (
    select
        local_date,
        {{ stockholm_midnight('local_date') }} as starts_at,
        {{ stockholm_midnight('local_date + 1') }} as ends_at
    from days
)

select
    local_date,
    starts_at,
    ends_at,
    cast({{ seconds_between('starts_at', 'ends_at') }} / 3600 as integer) as hours,
    cast({{ seconds_between('starts_at', 'ends_at') }} / 900 as integer) as quarter_hours,
    cast({{ iso_weekday('local_date') }} as integer) as weekday
from bounds
