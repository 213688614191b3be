select
    initiative_id,
    organisation_id,
    name_sv,
    name_en,
    step,
    cast(started_on as date) as started_on,
    domain
from {{ source('reference', 'initiatives') }}
