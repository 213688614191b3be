{% set shown_days, history_days = var('sensor_days'), 28 %}

-- Days of sensors are few rows: the newest are judged anew whenever something has come, whatever day
-- it belongs to, and committed only if a verdict is another. Days are Stockholm's, as those of
-- observations_daily: traffic, light and deliveries go by them.
with days as (
    {{ sensor_days(shown_days + history_days) }}
),

history as (
    {{ sensor_history('days') }}
),

batteries as (
    {{ sensor_batteries('days') }}
),

radio as (
    {{ sensor_radio() }}
),

found as (
    {{ sensor_verdicts('history', 'batteries', 'radio') }}
),

decided as (
    select
        *,
        case
            {% for finding in sensor_findings() -%}
            when {{ finding }} then '{{ finding }}'
            {% endfor -%}
            when history_days < 7 then 'too_little_history'
            else 'ok'
        end as status
    from found
    where local_date > (select max(local_date) from found) - {{ shown_days }}
)

select
    datastream_id,
    local_date,
    day_start,
    cast(hours_in_day as integer) as hours_in_day,
    source_id,
    thing_id,
    thing_name,
    district,
    observed_property_id,
    unit_id,
    status,
    concat_ws(', '{% for finding in sensor_findings() %}, case when {{ finding }} then '{{ finding }}' end{% endfor %}) as findings,
    {{ advice_sv() }} as advice_sv,
    {{ advice_en() }} as advice_en,
    cast(received as integer) as readings,
    cast(usable as integer) as readings_usable,
    cast(expected as integer) as readings_expected,
    expected_from,
    round(case when expected > 0 then least(1, usable / expected) end, 3) as completeness,
    round(longest_gap_s, 3) as longest_gap_s,
    cast(case when readings is null then silent_days else 0 end as integer) as silent_days,
    longest_flat_readings,
    cast(flat_threshold as integer) as flat_threshold_readings,
    cast(spikes as integer) as spikes,
    round(spikes / readings, 4) as spike_share,
    round(step_threshold, 6) as step_threshold,
    cast(neighbours as integer) as neighbours,
    round(difference, 6) as neighbour_difference,
    round(shift, 6) as neighbour_shift,
    round(case when shift is not null then shift_threshold end, 6) as shift_threshold,
    cast(resets_seen as integer) as resets,
    cast(rollovers_seen as integer) as rollovers,
    round(battery, 3) as battery,
    battery_unit_id,
    round(battery_change, 6) as battery_change_per_day,
    uplinks_received,
    uplinks_lost,
    round(loss_share, 4) as uplink_loss_share,
    cast(history_days as integer) as history_days
from decided
order by local_date, datastream_id
