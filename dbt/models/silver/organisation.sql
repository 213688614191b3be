select
    organisation_id,
    name_sv,
    name_en,
    kind,
    organisation_number
from {{ source('reference', 'organisations') }}
