{#
  What a register counted between two readings. One that falls has gone round if it fell from its
  last tenth to its first; else it was reset, and nobody knows what it had counted.
#}
{% macro register_increase(before, after, rollover) -%}
  case
        when {{ after }} >= {{ before }} then {{ after }} - {{ before }}
        when {{ before }} >= 0.9 * {{ rollover }} and {{ after }} <= 0.1 * {{ rollover }}
            then {{ after }} + {{ rollover }} - {{ before }}
    end
{%- endmacro %}


{#
  What registers counted in each hour: datastream_id, hour_start, increase_value.

  An increase belongs to the hour before its later reading, so a reading at 01:00 closes the hour
  from 00:00. Over a gap of more than an hour nobody knows which hour used how much, nor what was
  counted before a reset, before the first reading or after the newest. The hours such a step begins
  and ends in are left out: what is known of an hour is not what it used.

  `relation` has datastream_id, phenomenon_time, result and rollover.
#}
{% macro register_hours(relation) %}
select datastream_id, hour_start, sum(increase) as increase_value
from (
    with steps as (
        select
            datastream_id,
            started,
            ended,
            following,
            {{ register_increase('before', 'result', 'rollover') }} as increase
        from (
            select
                datastream_id,
                lag(phenomenon_time) over by_time as started,
                phenomenon_time as ended,
                lead(phenomenon_time) over by_time as following,
                lag(result) over by_time as before,
                result,
                rollover
            from {{ relation }}
            window by_time as (partition by datastream_id order by phenomenon_time)
        ) registers
    )
    select
        datastream_id,
        {{ utc_hour("ended - interval '1' microsecond") }} as hour_start,
        increase,
        -- No coalesce: one engine takes its type for another than that of the branches below.
        case when ended <= started + interval '1' hour and increase is not null then true else false end as is_told
    from steps
    union all
    select datastream_id, {{ utc_hour('started') }}, null, false
    from steps
    where ended > started + interval '1' hour or increase is null
    union all
    select datastream_id, {{ utc_hour('ended') }}, null, false
    from steps
    where following is null
) parts
group by datastream_id, hour_start
having bool_and(is_told)
{% endmacro %}
