select
    observed_property_id,
    name_sv,
    name_en,
    definition,
    canonical_unit as unit_id,
    aggregation,
    qudt_quantity_kind,
    ngsi_ld_name
from {{ source('reference', 'observed_properties') }}
