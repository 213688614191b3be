select
    ucum_code as unit_id,
    symbol,
    name_sv,
    name_en,
    quantity,
    canonical_unit as canonical_unit_id,
    factor,
    u.offset as offset_to_canonical,
    unece_code,
    qudt_iri
from {{ source('reference', 'units') }} u
