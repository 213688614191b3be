{#
  Days of `sensor_days` with what is usual for the sensor: medians of its own 28 earlier days, and
  how it stands to its neighbours, the other sensors of the same property in the same source and
  district. Only days with three quarters of their readings are held against each other, or those that
  owe none; the neighbours' middle is a median, which a single odd one does not move.

  A value has stuck if it stands for far longer than is usual for the sensor, and than for its
  neighbours on that day: in a fog all hygrometers stand still. Spikes are steps of more than eight
  robust deviations of its own earlier ones, and of twice the greatest that it and its neighbours make.
  Registers, states, directions and batteries are told in other ways.

  A drift is told by five days together, which a weekend is not, and held against how much the
  difference changes from one day to the next: its spread would grow with the drift itself.
#}
{% macro sensor_history(relation) %}
with compared as (
    select
        *,
        (count(day_mean) over neighbours) - case when day_mean is null then 0 else 1 end as neighbours,
        {{ median_of_others('day_mean', ['source_id', 'district', 'observed_property_id', 'local_date']) }} as others_mean,
        1.4826 * {{ median_deviation_over('day_mean', 'neighbours') }} as neighbours_spread,
        {{ median_of_others('longest_flat_readings', ['source_id', 'district', 'observed_property_id', 'local_date']) }} as others_flat,
        {{ median_of_others(greatest_of('greatest_steps'), ['source_id', 'district', 'observed_property_id', 'local_date']) }} as others_step
    from (
        select
            *,
            case when share < 0.75 or not is_gauge then null else mean_value end as day_mean
        from (
            select
                *,
                aggregation not in ('counter', 'vector_mean', 'share_of_time')
                    and observed_property_id not in ('battery_voltage', 'battery_level') as is_gauge
            from {{ relation }}
        ) of_kind
    ) with_mean
    window neighbours as (partition by source_id, district, observed_property_id, local_date)
),

differing as (
    select
        *,
        abs(difference - lag(difference) over (partition by datastream_id order by local_date)) as change
    from (
        select *, case when neighbours >= 3 then day_mean - others_mean end as difference from compared
    ) with_difference
),

usual as (
    select
        *,
        {{ median_over('share', 'earlier') }} as usual_share,
        {{ median_over('longest_flat_readings', 'earlier') }} as usual_flat,
        {{ median_deviation_over('longest_flat_readings', 'earlier') }} as flat_deviation,
        {{ median_over('median_step', 'earlier') }} as usual_step,
        {{ median_over(greatest_of('greatest_steps'), 'earlier') }} as usual_greatest_step,
        count(difference) over earlier as difference_days,
        {{ median_over('difference', 'earlier') }} as usual_difference,
        1.4826 * {{ median_over('change', 'earlier') }} as usual_change,
        {{ median_over('difference', earlier_days('datastream_id', 4, with_today=true)) }} as recent_difference
    from differing
    window earlier as {{ earlier_days('datastream_id') }}
)

select
    *,
    case when is_regular and is_gauge and history_days >= 7
        then ceil(greatest(
            12, 21600 / pace_s, 3 * usual_flat, usual_flat + 7.413 * flat_deviation,
            case when neighbours >= 3 then 2 * others_flat end
        ))
    end as flat_threshold,
    case when is_gauge and history_days >= 7
        then greatest(
            11.8608 * usual_step, 2 * usual_greatest_step,
            case when neighbours >= 3 then 2 * others_step end
        )
    end as step_threshold,
    case when difference is not null and difference_days >= 7
        then recent_difference - usual_difference end as shift,
    greatest(5 * usual_change, neighbours_spread, 0.02 * abs(others_mean)) as shift_threshold,
    case
        when expected_from = 'contract' then 0.9
        when history_days >= 7 then 0.9 * least(1, usual_share)
    end as least_share
from usual
{% endmacro %}
