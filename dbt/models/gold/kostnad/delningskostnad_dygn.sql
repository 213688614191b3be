-- What the work on the lake took, day by day, and whom it was done for. Only what was metered until the newest
-- delivery is told, so that a run in which nothing arrived changes nothing here.
with metered as (
    select *, {{ stockholm_date('metered_at') }} as local_date
    from {{ source('operations', 'metering') }}
    where metered_at <= (
        select max(metered_at) from {{ source('operations', 'metering') }}
        where kind = 'source' and rows > 0
    )
),

days as (
    select
        local_date,
        sum(processor_s) filter (where stage = 'silver') as silver_s,
        sum(processor_s) filter (where kind = 'source') as ingestion_s
    from metered
    group by local_date
),

subjects as (
    select
        local_date,
        kind,
        case when kind <> 'platform' then subject else 'platform' end as subject_id,
        sum(rows) as rows,
        sum(bytes) as bytes,
        coalesce(sum(processor_s) filter (where stage = 'ingestion'), 0) as ingestion_s,
        sum(processor_s) filter (where stage = 'silver') as silver_s,
        coalesce(sum(processor_s) filter (where stage = 'gold'), 0) as gold_s,
        coalesce(sum(processor_s) filter (where stage in ('audit', 'sharing')), 0) as gate_s,
        coalesce(sum(processor_s) filter (where stage = 'release'), 0) as release_s,
        coalesce(sum(processor_s) filter (where stage = 'portal'), 0) as portal_s
    from metered
    group by local_date, kind, case when kind <> 'platform' then subject else 'platform' end
),

-- Silver is made of all sources at once. They bear it as they bear the work of taking in, and not by their rows:
-- the rows of a source that may not be shared could be worked out from such a share.
borne as (
    select
        s.local_date,
        s.kind,
        s.subject_id,
        s.rows,
        s.bytes,
        s.ingestion_s,
        coalesce(case
            when coalesce(d.ingestion_s, 0) = 0 then s.silver_s
            when s.kind = 'source' then d.silver_s * s.ingestion_s / d.ingestion_s
        end, 0) as silver_s,
        s.gold_s,
        s.gate_s,
        s.release_s,
        s.portal_s
    from subjects s
    join days d on d.local_date = s.local_date
),

products as (
    select distinct product_id, title_sv, publisher, audience from {{ source('reference', 'products') }}
),

named as (
    select
        b.*,
        coalesce(s.name, p.title_sv, b.subject_id) as subject_name,
        coalesce(s.organisation_id, p.publisher) as organisation_id,
        b.kind <> 'platform' and coalesce(s.is_shareable, p.audience <> 'restricted', false) as is_counted
    from borne b
    left join {{ source('reference', 'sources') }} s on b.kind = 'source' and s.source_id = b.subject_id
    left join products p on b.kind = 'product' and p.product_id = b.subject_id
)

select
    n.local_date,
    n.kind,
    n.subject_id,
    n.subject_name,
    n.organisation_id,
    o.name_sv as organisation_sv,
    -- Of what may not be shared openly a number of rows may tell how often somebody's door was opened.
    cast(case when n.is_counted then coalesce(n.rows, 0) end as bigint) as rows,
    cast(case when n.is_counted then coalesce(n.bytes, 0) end as bigint) as bytes,
    round(n.ingestion_s, 3) as ingestion_s,
    round(n.silver_s, 3) as silver_s,
    round(n.gold_s, 3) as gold_s,
    round(n.gate_s, 3) as gate_s,
    round(n.release_s, 3) as release_s,
    round(n.portal_s, 3) as portal_s,
    round(n.ingestion_s + n.silver_s + n.gold_s + n.gate_s + n.release_s + n.portal_s, 3) as total_s,
    -- What is done once more for each audience; taking in, standardising and building are not.
    case when n.kind = 'product' then round(n.gate_s + n.release_s + n.portal_s, 3) end as one_more_audience_s
from named n
left join {{ ref('organisation') }} o on o.organisation_id = n.organisation_id
order by n.local_date, n.kind, n.subject_id
