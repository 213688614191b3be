select
    limit_id,
    observed_property_id,
    averaging,
    limit_value,
    unit as unit_id,
    cast(allowed_exceedances as integer) as allowed_exceedances,
    cast(in_force_from as date) as in_force_from,
    cast(in_force_to as date) as in_force_to,
    name_sv,
    name_en,
    source_reference
from {{ source('reference', 'limit_values') }}
