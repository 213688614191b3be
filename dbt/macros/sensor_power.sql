{#
  The battery of each thing by day: battery, battery_unit_id, its change a day over 28 days, and
  whether it is low or will be in a fortnight. Levels are low below 20 %, voltages below nine tenths
  of their own highest earlier day. A silent day has the last that was told. Of several batteries a low
  one is told, and else one of which it is known that it is not.

  `relation` is `sensor_days`.
#}
{% macro sensor_batteries(relation) %}
with trends as (
    select
        datastream_id,
        thing_id,
        local_date,
        observed_property_id,
        unit_id,
        {{ last_known('median_value', 'of_late') }} as battery,
        max(median_value) over earlier as battery_best,
        count(median_value) over of_late as days,
        regr_slope(median_value, {{ day_number('local_date') }}) over of_late as change_per_day
    from {{ relation }}
    where observed_property_id in ('battery_voltage', 'battery_level')
    window
        earlier as {{ earlier_days('datastream_id') }},
        of_late as {{ earlier_days('datastream_id', with_today=true) }}
),

limits as (
    select
        *,
        case
            when observed_property_id = 'battery_level' then 20
            when days > 7 then 0.9 * battery_best
        end as battery_limit,
        case when days > 7 then change_per_day end as battery_change
    from trends
)

select thing_id, local_date, battery, battery_unit_id, battery_change, is_low
from (
    select
        *,
        row_number() over (
            partition by thing_id, local_date order by is_low desc nulls last, observed_property_id, datastream_id
        ) as nth
    from (
        select
            *,
            unit_id as battery_unit_id,
            battery + 14 * least(battery_change, 0) < battery_limit as is_low
        from limits
    ) judged
) ranked
where nth = 1
{% endmacro %}


{#
  Lost uplinks of each thing by day, and the share of them from which a day is worse than usual: a
  tenth at least, and that is all without earlier days, for greatest leaves out what is empty.
#}
{% macro sensor_radio() %}
select
    thing_id,
    local_date,
    uplinks_received,
    uplinks_lost,
    uplinks_lost / (uplinks_received + uplinks_lost) as loss_share,
    greatest(0.1, 2 * {{ median_over('uplinks_lost / (uplinks_received + uplinks_lost)', earlier_days('thing_id')) }})
        as loss_threshold
from {{ ref('uplinks_daily') }}
{% endmacro %}
