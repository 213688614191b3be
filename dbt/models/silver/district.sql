select distinct
    district_id,
    name
from {{ source('reference', 'district_edges') }}
