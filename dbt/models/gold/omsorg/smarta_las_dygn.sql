{{ config(
    follows='silver.observation_restricted',
    resets_with=['silver.district'],
    spills=true,
    partition_by=['partition_date'],
) }}
{% set plan = lake_plan() %}
{% set least_locks, low_percent = 5, 20 %}
{# Each number: how many locks stand behind it, and how many would have told, were it not zero. #}
{% set numbers = {
    'locks_used': ('locks_used', 'locks_used'),
    'openings': ('locks_used', 'locks_used'),
    'openings_refused': ('locks_refused', 'locks_used'),
    'locks_low_battery': ('locks_low_battery', 'locks_reporting'),
} %}

with events as (
    select
        d.thing_id,
        o.phenomenon_time,
        max(o.result_text) filter (where d.observed_property_id = 'lock_event') as event,
        max(o.result_text) filter (where d.observed_property_id = 'care_area') as care_area,
        max(o.result) filter (where d.observed_property_id = 'battery_level') as battery
    from {{ ref('observation_restricted') }} o
    join {{ ref('datastream_restricted') }} d on d.datastream_id = o.datastream_id
    where d.observed_property_id in ('lock_event', 'care_area', 'battery_level')
        and o.quality = 'good'
        and {{ in_window(plan, 'o.partition_date') }}
    group by d.thing_id, o.phenomenon_time
),

of_days as (
    select *, {{ stockholm_date('phenomenon_time') }} as local_date
    from events
    where event is not null
),

locks as (
    select
        care_area,
        local_date,
        count(*) filter (where event = 'öppnat') as openings,
        count(*) filter (where event = 'nekat') as refused,
        max_by(battery, phenomenon_time) filter (where battery is not null) < {{ low_percent }} as is_low
    from of_days
    group by care_area, local_date, thing_id
),

counted as (
    select
        care_area,
        local_date,
        count(*) filter (where openings > 0) as locks_used,
        sum(openings) as openings,
        count(*) filter (where refused > 0) as locks_refused,
        sum(refused) as openings_refused,
        count(is_low) as locks_reporting,
        count(*) filter (where is_low) as locks_low_battery
    from locks
    group by care_area, local_date
),

-- Every area has a row for each day that anything was delivered of: a row that is not there, or the name
-- of an area that is only told of when somebody's door was opened, would tell of single homes.
areas as (
    select
        a.name as care_area,
        y.local_date,
        coalesce(c.locks_used, 0) as locks_used,
        coalesce(c.openings, 0) as openings,
        coalesce(c.locks_refused, 0) as locks_refused,
        coalesce(c.openings_refused, 0) as openings_refused,
        coalesce(c.locks_reporting, 0) as locks_reporting,
        coalesce(c.locks_low_battery, 0) as locks_low_battery
    from (select distinct local_date from of_days) y
    cross join {{ ref('district') }} a
    left join counted c on c.care_area = a.name and c.local_date = y.local_date
),

told as (
    select
        care_area,
        local_date,
        {% for number, (locks, others) in numbers.items() -%}
        cast(case
            when {{ locks }} >= {{ least_locks }} then {{ number }}
            when {{ locks }} = 0 and least(locks_used, {{ others }}) >= {{ least_locks }} then 0
        end as integer) as {{ number }},
        {% endfor -%}
        {{ partition_date('local_date') }} as partition_date
    from areas
)

select
    care_area,
    local_date,
    {% for number in numbers -%}
    {{ number }},
    {% endfor -%}
    {{ numbers | join(' is null or ') }} is null as is_suppressed,
    partition_date
from told
where {{ in_partitions(plan) }}
order by partition_date, care_area, local_date
