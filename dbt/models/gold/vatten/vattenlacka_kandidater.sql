-- Built whole: each night is held against those before it, so a late reading changes how every night
-- after its own is judged. There is a row for each zone and night, so that is little.
{% set nights_looked_at, nights_needed = 28, 5 %}
{% set least_share, least_m3_h = 0.15, 0.5 %}

with spans as (
    select zone, min(night) as first_night, max(max(night)) over () as last_night
    from {{ ref('vattenzon_natt') }}
    group by zone
),

-- A night of which nothing was heard has a row as well.
nights as (
    select
        s.zone,
        c.local_date as night,
        coalesce(z.night_start, {{ hour_of_number(hour_number('c.starts_at') ~ ' + 2') }}) as night_start,
        coalesce(z.hours_told, 0) as hours_told,
        coalesce(z.has_consumption, false) as has_consumption,
        z.minimum_m3_h,
        z.inflow_m3_h,
        z.consumption_m3_h,
        z.balance_m3_h
    from spans s
    join {{ ref('calendar_day') }} c on c.local_date between s.first_night and s.last_night
    left join {{ ref('vattenzon_natt') }} z on z.zone = s.zone and z.night = c.local_date
),

-- Only nights before: what came later could not be known.
usual as (
    select
        n.zone,
        n.night,
        count(e.minimum_m3_h) as earlier_nights,
        count(e.balance_m3_h) as earlier_balances,
        median(e.minimum_m3_h) as minimum_m3_h,
        {{ median_deviation('e.minimum_m3_h') }} as minimum_deviation,
        median(e.balance_m3_h) as balance_m3_h,
        {{ median_deviation('e.balance_m3_h') }} as balance_deviation
    from nights n
    left join nights e
        on e.zone = n.zone and e.night < n.night
        and e.night >= n.night - {{ nights_looked_at }}
    group by n.zone, n.night
),

compared as (
    select
        n.*,
        u.earlier_nights,
        u.earlier_balances,
        u.minimum_m3_h as usual_minimum_m3_h,
        {{ unusual_from('u.minimum_m3_h', 'u.minimum_deviation', least_share, least_m3_h) }} as minimum_margin,
        u.balance_m3_h as usual_balance_m3_h,
        -- A share of the inflow, not of the balance: meters err by what flows through them.
        {{ unusual_from('n.inflow_m3_h', 'u.balance_deviation', least_share, least_m3_h) }} as balance_margin
    from nights n
    join usual u on u.zone = n.zone and u.night = n.night
),

judged as (
    select
        *,
        case
            when minimum_m3_h is null then 'hours_missing'
            when earlier_nights < {{ nights_needed }} then 'few_earlier_nights'
            when minimum_m3_h > usual_minimum_m3_h + minimum_margin then 'minimum_above_history'
            when not has_consumption then 'within_history'
            when balance_m3_h is null then 'consumption_missing'
            when balance_m3_h < -balance_margin then 'more_used_than_let_in'
            when earlier_balances < {{ nights_needed }} then 'few_earlier_nights'
            when abs(balance_m3_h - usual_balance_m3_h) > balance_margin then 'balance_off_history'
            else 'within_history'
        end as reason
    from compared
)

select
    zone,
    night,
    night_start,
    case
        when reason = 'within_history' then 'normal'
        when reason = 'minimum_above_history' then 'raised_minimum'
        when reason in ('more_used_than_let_in', 'balance_off_history') then 'unbalanced'
        else 'too_little_data'
    end as status,
    reason,
    minimum_m3_h,
    round(usual_minimum_m3_h, 6) as usual_minimum_m3_h,
    round(usual_minimum_m3_h + minimum_margin, 6) as minimum_limit_m3_h,
    round(minimum_m3_h - usual_minimum_m3_h, 6) as excess_m3_h,
    inflow_m3_h,
    consumption_m3_h,
    balance_m3_h,
    round(usual_balance_m3_h, 6) as usual_balance_m3_h,
    cast(hours_told as integer) as hours_told,
    cast(earlier_nights as integer) as earlier_nights
from judged
order by zone, night
