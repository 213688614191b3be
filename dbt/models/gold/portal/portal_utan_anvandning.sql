-- Open products that nobody has looked at or downloaded on any day that was counted, and those that
-- no count speaks of: of these nobody knows.
with products as (
    select distinct product_id, title_sv, publisher
    from {{ source('reference', 'products') }}
    where audience = 'open'
),

used as (
    select
        dataset_id,
        count(*) as days_counted,
        min(local_date) as counted_from,
        max(local_date) as counted_to,
        sum(coalesce(views, 0) + coalesce(downloads, 0)) as uses
    from {{ ref('portal_anvandning_dygn') }}
    group by dataset_id
)

select
    p.product_id,
    p.title_sv,
    p.publisher,
    case when u.dataset_id is null then 'not_counted' else 'never_used' end as status,
    cast(coalesce(u.days_counted, 0) as integer) as days_counted,
    u.counted_from,
    u.counted_to
from products p
left join used u on u.dataset_id = p.product_id
where coalesce(u.uses, 0) = 0
order by p.product_id
