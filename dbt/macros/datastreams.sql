{#
  Series of observations: one row for each source, device and channel that has delivered.

  Takes the bronze rows past the marks and the rows that are there already. What may never be shared
  openly goes to a table of its own, since a series tells of whom it is and when it was last heard of.
  Whether a source may be shared is asked of all rows, old ones too, so that none can stay behind; and
  where a restricted thing is stands in neither table.
#}
{% macro datastreams(is_shareable) %}
{% set plan = lake_plan() %}
{% set place = ['longitude', 'latitude'] if is_shareable else [] %}
{% set columns = ['source_id', 'device', 'channel', 'first_time', 'last_time'] + place %}

with kept as (
    select source_id from {{ source('reference', 'sources') }} where is_shareable = {{ is_shareable }}
),

delivered as (
    select
        source_id,
        device,
        channel,
        {% for degrees in place -%}
        max_by({{ degrees }}, phenomenon_time) filter (where {{ degrees }} is not null) as {{ degrees }},
        {% endfor -%}
        min(phenomenon_time) as first_time,
        max(phenomenon_time) as last_time
    from {{ source('bronze', 'telemetry') }} t
    where {{ is_news(plan, of='t') }} and source_id in (select source_id from kept)
    group by source_id, device, channel
),

{% if plan.full %}
seen as (select * from delivered),
{% else %}
seen as (
    select
        source_id,
        device,
        channel,
        {% for degrees in place -%}
        max_by({{ degrees }}, last_time) filter (where {{ degrees }} is not null) as {{ degrees }},
        {% endfor -%}
        min(first_time) as first_time,
        max(last_time) as last_time
    from (
        select {{ columns | join(', ') }} from delivered
        union all
        select {{ columns | join(', ') }} from {{ this }}
        where not {{ is_reset_source(plan) }} and source_id in (select source_id from kept)
    ) told
    group by source_id, device, channel
),
{% endif %}

mapped as (
    select
        seen.*,
        m.observed_property_id,
        m.ucum_code,
        m.aggregation,
        m.rollover * u.factor as rollover,
        u.canonical_unit as unit_id,
        m.source_id is not null as is_mapped
    from seen
    left join {{ source('reference', 'mappings') }} m
        on m.source_id = seen.source_id
        and m.channel = seen.channel
        and (m.device_pattern = '.*' or {{ matches_whole('seen.device', 'm.device_pattern') }})
    left join {{ source('reference', 'units') }} u on u.ucum_code = m.ucum_code
)

select
    source_id || '/' || device || '/' || channel as datastream_id,
    source_id || '/' || device as thing_id,
    source_id,
    device,
    channel,
    observed_property_id,
    ucum_code as delivered_unit_id,
    unit_id,
    aggregation,
    rollover,
    is_mapped,
    first_time,
    last_time{% for degrees in place %},
    {{ degrees }}{% endfor %}
from mapped
{% endmacro %}
