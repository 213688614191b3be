-- Which initiatives deliver, and how far what they deliver is shared; and if it is not, why not.
-- Of what may not be shared only how many series there are is told, not when the last of them was heard.
with series as (
    select source_id, datastream_id, is_mapped, last_time
    from {{ ref('datastream') }}
    union all
    select source_id, datastream_id, is_mapped, cast(null as timestamp with time zone) as last_time
    from {{ ref('datastream_restricted') }}
),

delivered as (
    select
        s.initiative_id,
        count(distinct s.source_id) as sources,
        bool_or(s.is_shareable) as is_shareable,
        count(d.datastream_id) as datastreams,
        count(d.datastream_id) filter (where d.is_mapped) as datastreams_standardised,
        max(d.last_time) as last_time
    from {{ ref('source') }} s
    left join series d on d.source_id = s.source_id
    group by s.initiative_id
),

products as (
    select
        s.initiative_id,
        count(distinct p.product_id) filter (where p.audience <> 'open') as products_internal,
        count(distinct p.product_id) filter (where p.audience = 'open') as products_open
    from {{ source('reference', 'products') }} p
    join {{ ref('source') }} s on s.source_id = p.source_id
    group by s.initiative_id
),

told as (
    select
        i.*,
        coalesce(d.sources, 0) as sources,
        d.is_shareable,
        coalesce(d.datastreams, 0) as datastreams,
        coalesce(d.datastreams_standardised, 0) as datastreams_standardised,
        d.last_time,
        coalesce(p.products_internal, 0) as products_internal,
        coalesce(p.products_open, 0) as products_open
    from {{ ref('initiative') }} i
    left join delivered d on d.initiative_id = i.initiative_id
    left join products p on p.initiative_id = i.initiative_id
),

judged as (
    select
        *,
        case
            when sources = 0 then 'no_source'
            when datastreams = 0 then 'nothing_delivered'
            when datastreams_standardised = 0 then 'nothing_standardised'
            when products_open > 0 then 'open'
            when not is_shareable then 'not_shareable'
            when products_internal > 0 then 'internal'
            else 'no_product'
        end as status
    from told
)

select
    j.organisation_id,
    o.name_sv as organisation_sv,
    j.initiative_id,
    j.name_sv as initiative_sv,
    j.step,
    cast(j.sources as integer) as sources,
    cast(j.datastreams as integer) as datastreams,
    cast(j.datastreams_standardised as integer) as datastreams_standardised,
    cast(j.products_internal as integer) as products_internal,
    cast(j.products_open as integer) as products_open,
    j.last_time,
    j.status,
    case j.status
        when 'no_source' then 'Initiativet har inget kontrakt, så ingenting levereras.'
        when 'nothing_delivered' then 'Det finns ett kontrakt, men ingenting har levererats.'
        when 'nothing_standardised' then 'Data levereras, men kontraktet säger inte vad de betyder.'
        when 'not_shareable' then 'Data får inte delas: personuppgifter, eller K2 och högre.'
        when 'internal' then 'Data delas inom staden; ingen har beslutat att de ska vara öppna.'
        when 'no_product' then 'Data finns i den gemensamma modellen, men ingen produkt görs av dem.'
    end as why_not_sv,
    case j.status
        when 'no_source' then 'The initiative has no contract, so nothing is delivered.'
        when 'nothing_delivered' then 'There is a contract, but nothing has been delivered.'
        when 'nothing_standardised' then 'Data are delivered, but the contract does not say what they mean.'
        when 'not_shareable' then 'The data may not be shared: personal data, or K2 and above.'
        when 'internal' then 'The data are shared within the city; nobody has decided to open them.'
        when 'no_product' then 'The data are in the shared model, but no product is made of them.'
    end as why_not_en
from judged j
join {{ ref('organisation') }} o on o.organisation_id = j.organisation_id
order by j.organisation_id, j.initiative_id
