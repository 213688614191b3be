select
    i.initiative_id,
    i.organisation_id,
    i.name_sv,
    i.name_en,
    s.step,
    s.started_on,
    i.domain
from {{ source('reference', 'initiatives') }} i
join (
    select initiative_id, max_by(step, valid_from) as step, min(valid_from) as started_on
    from {{ ref('initiative_step') }}
    group by initiative_id
) s on s.initiative_id = i.initiative_id
