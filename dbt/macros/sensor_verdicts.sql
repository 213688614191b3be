{# The findings of a sensor's day, the most serious first. #}
{% macro sensor_findings() %}
  {{ return(['silent', 'reset', 'flatline', 'battery_low', 'radio_loss', 'incomplete', 'spiky', 'drifting']) }}
{% endmacro %}


{#
  The days with what was found on them: a column for each finding, by the name of its status.

  `days` is `sensor_history`, `batteries` and `radio` what their macros give. A register may fall
  between two days, however many are silent between them.
#}
{% macro sensor_verdicts(days, batteries, radio) %}
with registers as (
    select
        *,
        aggregation = 'counter' and value_at_start < value_before as has_fallen,
        {{ register_increase('value_before', 'value_at_start', 'rollover') }} as increase_over_night
    from {{ days }}
),

measured as (
    select
        h.*,
        coalesce(u.symbol, '') as unit_symbol,
        coalesce(bu.symbol, '') as battery_unit_symbol,
        cast({{ stockholm_date('h.last_heard_at') }} as string) as silent_since,
        coalesce(h.readings, 0) as received,
        coalesce(h.readings_usable, 0) as usable,
        greatest(1, floor(h.silent_s / 86400)) as silent_days,
        count(h.readings) over (partition by h.source_id, h.local_date) = 0 as is_source_silent,
        case when h.readings is null then h.judged_s else greatest(
            {{ seconds_between('h.judged_from', 'h.first_reading_at') }},
            h.longest_interval_s,
            {{ seconds_between('h.last_reading_at', 'h.judged_until') }}
        ) end as longest_gap_s,
        case when h.step_threshold is not null then {{ count_above('h.greatest_steps', 'h.step_threshold') }} end as spikes,
        coalesce(h.resets, 0) + case when has_fallen and increase_over_night is null then 1 else 0 end as resets_seen,
        coalesce(h.rollovers, 0) + case when has_fallen and increase_over_night is not null then 1 else 0 end as rollovers_seen,
        b.battery,
        b.battery_unit_id,
        b.battery_change,
        b.is_low as battery_low,
        r.uplinks_received,
        r.uplinks_lost,
        r.loss_share,
        r.loss_threshold
    from registers h
    left join {{ ref('unit') }} u on u.unit_id = h.unit_id
    left join {{ batteries }} b on b.thing_id = h.thing_id and b.local_date = h.local_date
    left join {{ ref('unit') }} bu on bu.unit_id = b.battery_unit_id
    left join {{ radio }} r on r.thing_id = h.thing_id and r.local_date = h.local_date
)

-- What is not known is empty, and no finding.
select
    *,
    -- By cases: greatest leaves out what is empty, so that an hour would do for what has no pace.
    readings is null and silent_s > case
        when pace_s is not null then greatest(3600, 3 * pace_s) else greatest(86400, 3 * longest_usual_interval_s)
    end as silent,
    resets_seen > 0 as reset,
    longest_flat_readings >= flat_threshold as flatline,
    uplinks_lost >= 3 and loss_share > loss_threshold as radio_loss,
    share < least_share and expected - usable >= 2 as incomplete,
    abs(shift) > shift_threshold as drifting,
    spikes >= 3 and (spikes >= 0.01 * readings or spikes = 24) as spiky
from measured
{% endmacro %}
