select
    observed_property_id,
    name_sv,
    name_en,
    definition,
    canonical_unit as unit_id,
    aggregation
from {{ source('reference', 'observed_properties') }}
