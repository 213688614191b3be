{#
  Days of `sensor_days` with what is usual for the sensor: medians of its own 28 earlier days, and
  how it stands to its neighbours, the other sensors of the same property in the same source and
  district. Only days with three quarters of their readings are held against each other; the
  neighbours' middle is a median, which a single odd one does not move.

  A drift is told by five days together, which a weekend is not, and held against how much the
  difference changes from one day to the next: its spread would grow with the drift itself.
#}
{% macro sensor_history(relation) %}
with compared as (
    select
        *,
        count(day_mean) over neighbours - case when day_mean is null then 0 else 1 end as neighbours,
        {{ median_of_others('day_mean', ['source_id', 'district', 'observed_property_id', 'local_date']) }} as others_mean,
        1.4826 * {{ median_deviation('day_mean') }} over neighbours as neighbours_spread
    from (
        select
            *,
            case when share >= 0.75 and aggregation not in ('counter', 'vector_mean', 'share_of_time')
                then mean_value end as day_mean
        from {{ relation }}
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
        median(share) over earlier as usual_share,
        median(longest_flat_readings) over earlier as usual_flat,
        {{ median_deviation('longest_flat_readings') }} over earlier as flat_deviation,
        median(median_step) over earlier as usual_step,
        median(greatest_steps[1]) over earlier as usual_greatest_step,
        count(difference) over earlier as difference_days,
        median(difference) over earlier as usual_difference,
        1.4826 * median(change) over earlier as usual_change,
        median(difference) over {{ earlier_days('datastream_id', 4, with_today=true) }} as recent_difference
    from differing
    window earlier as {{ earlier_days('datastream_id') }}
)

select
    *,
    case when is_regular and history_days >= 7 and aggregation not in ('counter', 'share_of_time')
        then ceil(greatest(12, 21600 / pace_s, 3 * usual_flat, usual_flat + 7.413 * flat_deviation))
    end as flat_threshold,
    case when history_days >= 7 then greatest(11.8608 * usual_step, 1.5 * usual_greatest_step) end as step_threshold,
    case when difference is not null and difference_days >= 7
        then recent_difference - usual_difference end as shift,
    greatest(5 * usual_change, neighbours_spread, 0.02 * abs(others_mean)) as shift_threshold,
    case
        when expected_from = 'contract' then 0.9
        when history_days >= 7 then 0.9 * usual_share
    end as least_share
from usual
{% endmacro %}
