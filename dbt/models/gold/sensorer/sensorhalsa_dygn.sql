{% set shown_days, history_days = 90, 28 %}

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

-- A register may fall between two days, however many are silent between them.
registers as (
    select
        *,
        coalesce(aggregation = 'counter' and value_at_start < value_before, false) as has_fallen,
        {{ register_increase('value_before', 'value_at_start', 'rollover') }} as increase_over_night
    from history
),

measured as (
    select
        h.*,
        o.name as source_name,
        u.symbol as unit_symbol,
        bu.symbol as battery_unit_symbol,
        cast({{ stockholm_date('h.last_heard_at') }} as varchar) as silent_since,
        coalesce(h.readings, 0) as received,
        coalesce(h.readings_usable, 0) as usable,
        greatest(1, floor(h.silent_s / 86400)) as silent_days,
        sum(coalesce(h.readings, 0)) over (partition by h.source_id, h.local_date) = 0 as is_source_silent,
        case when h.readings is null then h.judged_s else greatest(
            {{ seconds_between('h.judged_from', 'h.first_reading_at') }},
            coalesce(h.longest_interval_s, 0),
            {{ seconds_between('h.last_reading_at', 'h.judged_until') }}
        ) end as longest_gap_s,
        case when h.step_threshold is not null then {{ count_above('h.greatest_steps', 'h.step_threshold') }} end as spikes,
        coalesce(h.resets, 0) + case when has_fallen and increase_over_night is null then 1 else 0 end as resets_seen,
        coalesce(h.rollovers, 0) + case when has_fallen and increase_over_night is not null then 1 else 0 end as rollovers_seen,
        b.battery,
        b.battery_unit_id,
        b.battery_change,
        coalesce(b.is_low, false) as is_battery_low,
        r.uplinks_received,
        r.uplinks_lost,
        r.loss_share,
        r.loss_threshold
    from registers h
    join {{ ref('source') }} o on o.source_id = h.source_id
    left join {{ ref('unit') }} u on u.unit_id = h.unit_id
    left join batteries b on b.thing_id = h.thing_id and b.local_date = h.local_date
    left join {{ ref('unit') }} bu on bu.unit_id = b.battery_unit_id
    left join radio r on r.thing_id = h.thing_id and r.local_date = h.local_date
),

-- Each finding by the name of its status.
found as (
    select
        * exclude (resets, rollovers),
        resets_seen as resets,
        rollovers_seen as rollovers,
        readings is null and silent_s > coalesce(
            2 * pace_s, greatest(86400, 3 * longest_usual_interval_s), 86400) as silent,
        resets_seen > 0 as reset,
        coalesce(longest_flat_readings >= flat_threshold, false) as flatline,
        is_battery_low as battery_low,
        coalesce(uplinks_lost >= 3 and loss_share > loss_threshold, false) as radio_loss,
        coalesce(readings is not null and share < least_share, false) as incomplete,
        coalesce(abs(shift) > shift_threshold, false) as drifting,
        coalesce(spikes >= 3 and (spikes >= 0.01 * readings or spikes = 24), false) as spiky
    from measured
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
    round(least(1, usable / nullif(expected, 0)), 3) as completeness,
    round(longest_gap_s, 3) as longest_gap_s,
    cast(case when readings is null then silent_days else 0 end as integer) as silent_days,
    longest_flat_readings,
    cast(flat_threshold as integer) as flat_threshold_readings,
    cast(spikes as integer) as spikes,
    round(spikes / nullif(readings, 0), 4) as spike_share,
    round(step_threshold, 6) as step_threshold,
    cast(neighbours as integer) as neighbours,
    round(difference, 6) as neighbour_difference,
    round(shift, 6) as neighbour_shift,
    round(case when shift is not null then shift_threshold end, 6) as shift_threshold,
    cast(resets as integer) as resets,
    cast(rollovers as integer) as rollovers,
    round(battery, 3) as battery,
    battery_unit_id,
    round(battery_change, 6) as battery_change_per_day,
    uplinks_received,
    uplinks_lost,
    round(loss_share, 4) as uplink_loss_share,
    cast(history_days as integer) as history_days
from decided
order by local_date, datastream_id
