{#
  A row for each sensor and day on Stockholm's clocks, silent ones too, with what its day's row in
  sensor_day tells and how many readings were to be expected.

  A sensor's days reach from its first to the newest that any source delivered; a source may be as
  late as its contract promises deliveries (frequency). A day is judged until then, and from the
  sensor's own first reading on, so a day that is not over, or began in its midst, owes less.
  Expected is one reading for each interval that the contract names, else for the median interval
  of the sensor's own earlier days. What is sent when it changes has no interval. A share of what was
  expected have days with readings, of which some were.
#}
{% macro sensor_days(reach_days) %}
with horizon as (
    select max(local_date) as newest_date, max(last_reading_at) as newest_at from {{ ref('sensor_day') }}
),

followed as (
    select
        s.datastream_id,
        any_value(h.newest_date) as newest_date,
        any_value(h.newest_at) as newest_at,
        min(s.local_date) as first_date,
        max(s.last_reading_at) as last_at,
        median(s.median_interval_s) as usual_s
    from {{ ref('sensor_day') }} s
    cross join horizon h
    where s.local_date > h.newest_date - {{ reach_days }}
    group by s.datastream_id
),

sensors as (
    select
        f.first_date,
        f.newest_date,
        d.datastream_id,
        d.source_id,
        d.thing_id,
        d.observed_property_id,
        d.unit_id,
        d.aggregation,
        d.rollover,
        d.first_time,
        t.name as thing_name,
        t.district,
        o.name as source_name,
        o.interval_s as contract_interval_s,
        d.aggregation not in ('time_weighted_mean', 'share_of_time') as is_regular,
        greatest(
            max(f.last_at + coalesce(o.interval_s, f.usual_s, 0) * interval '1' second)
                over (partition by d.source_id),
            f.newest_at - coalesce(o.frequency_s, 86400) * interval '1' second
        ) as due_until
    from followed f
    join {{ ref('datastream') }} d on d.datastream_id = f.datastream_id
    join {{ ref('thing') }} t on t.thing_id = d.thing_id
    join {{ ref('source') }} o on o.source_id = d.source_id
),

days as (
    select
        s.*, c.local_date,
        c.starts_at as day_start, c.hours as hours_in_day,
        greatest(c.starts_at, s.first_time) as judged_from,
        least(c.ends_at, s.due_until) as judged_until
    from sensors s
    join {{ ref('calendar_day') }} c
        on c.local_date between s.first_date and s.newest_date and c.starts_at < s.due_until
),

told as (
    select
        days.*,
        {{ seconds_between('days.judged_from', 'days.judged_until') }} as judged_s,
        d.readings, d.readings_usable, d.first_reading_at, d.last_reading_at, d.median_interval_s, d.longest_interval_s,
        d.mean_value, d.median_value, d.value_at_start, d.value_at_end, d.longest_flat_readings,
        d.median_step, d.greatest_steps, d.rollovers, d.resets,
        max(d.last_reading_at) over (
            partition by days.datastream_id order by days.local_date rows unbounded preceding
        ) as last_heard_at,
        {{ last_known('d.first_reading_at', 'before_it') }} as first_reading_before,
        {{ last_known('d.value_at_end', 'before_it') }} as value_before
    from days
    left join {{ ref('sensor_day') }} d
        on d.datastream_id = days.datastream_id and d.local_date = days.local_date
    window before_it as (
        partition by days.datastream_id order by days.local_date rows between unbounded preceding and 1 preceding
    )
),

paced as (
    select
        *,
        {{ median_over('interval_s', 'earlier') }} as usual_interval_s,
        max(greatest(interval_s, longest_interval_s)) over earlier as longest_usual_interval_s,
        count(readings) over earlier as history_days
    from (
        select
            *,
            coalesce(median_interval_s, {{ seconds_between('first_reading_before', 'first_reading_at') }})
                as interval_s
        from told
    ) with_interval
    window earlier as {{ earlier_days('datastream_id') }}
)

select
    *,
    {{ seconds_between('last_heard_at', 'judged_until') }} as silent_s,
    case
        when is_regular and contract_interval_s is not null then 'contract'
        when pace_s is not null then 'history'
    end as expected_from,
    readings_usable / nullif(expected, 0) as share
from (
    select *, round(judged_s / pace_s) as expected
    from (
        select *, case when is_regular then coalesce(contract_interval_s, usual_interval_s) end as pace_s from paced
    ) with_pace
) with_expected
{% endmacro %}
