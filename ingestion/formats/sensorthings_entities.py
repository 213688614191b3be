"""What the entities of the SensorThings API are, and what they tell those that they carry.

An entity is read by keys that all kinds share; which kind it is follows from what it carries.

Source: OGC 18-088 (SensorThings API Part 1, version 1.1), section 8.2.
"""

from __future__ import annotations

from typing import Final

from ingestion.reading import elements

COLLECTIONS: Final = ("Things", "MultiDatastreams", "Datastreams", "Observations")
"""Outermost first: what is taken out of one may carry the next."""

RARE: Final = {
    "@iot.id": "varchar",
    "name": "varchar",
    "Thing": "json",
    "ObservedProperty": "json",
    "unitOfMeasurement": "json",
    "observedArea": "json",
    "Locations": "json",
    "location": "json",
    "feature": "json",
    "definition": "json",
    "metadata": "json",
    "components": "json",
    "dataArray": "json",
    **dict.fromkeys(COLLECTIONS, "json"),
    **{f"{name}@iot.nextLink": "varchar" for name in COLLECTIONS},
}
"""What entities tell that are no Observation (which also has an id)."""

OBSERVATION: Final = {
    "phenomenonTime": "varchar",
    "resultTime": "varchar",
    "result": "json",
    "resultQuality": "json",
    "parameters": "json",
    "Datastream": "json",
    "Datastream@iot.navigationLink": "varchar",
    "FeatureOfInterest": "json",
}

LINK: Final = '"Datastream@iot.navigationLink"'


def id_in(link: str) -> str:
    """SQL of the id in a link such as `…/Datastreams(12)/Observations`."""
    after = f"split_part({link}, 'Datastreams(', 2)"
    return f"""case when contains({link}, 'Datastreams(')
        then trim(split_part({after}, ')', 1), '''') end"""


SHAPE: Final = elements.Shape(
    keys={**OBSERVATION, **RARE},
    under="value",
    page={"of_page": ("@iot.nextLink", id_in('"@iot.nextLink"'))},
)

CARRIED: Final = {
    **dict.fromkeys(("thing", "datastream_id", "datastream_name", "property", "unit"), "varchar"),
    "place": "json",
}
"""What the members of a collection are told, with its types."""

KIND: Final = """case
    when is_in in ('Datastreams', 'MultiDatastreams') then 'datastream'
    when is_in = 'Things' then 'thing'
    when e."Things" is not null then 'location'
    when e."Datastreams" is not null or e."MultiDatastreams" is not null then
        case when e.definition is not null then 'property'
            when e.metadata is not null then 'sensor' else 'thing' end
    when e."Observations" is not null then
        case when e.feature is not null then 'feature' else 'datastream' end
end"""
"""SQL of what an entity `e` is that stands in `is_in`; it does not say so itself."""


def text(json: str, *keys: str) -> str:
    """SQL of the first key of an object that tells something."""
    found = (f"nullif(json_extract_string({json}, '$.\"{key}\"'), '')" for key in keys)
    return f"case when {json} is not null then coalesce({', '.join(found)}) end"


NAME: Final = ("name", "@iot.id")
UNIT: Final = ("symbol", "name", "definition")
TOLD: Final = f"""
    case kind when 'thing' then coalesce(nullif(e.name, ''), e."@iot.id")
        when 'datastream' then coalesce(thing, {text("e.Thing", *NAME)})
        else thing end as thing,
    case kind when 'datastream' then e."@iot.id" else datastream_id end as datastream_id,
    case kind when 'datastream' then nullif(e.name, '') else datastream_name end
        as datastream_name,
    case kind when 'property' then nullif(e.name, '')
        when 'datastream' then coalesce(property, {text("e.ObservedProperty", "name")})
        else property end as property,
    case kind when 'datastream' then {text("e.unitOfMeasurement", *UNIT)} else unit end as unit,
    case kind when 'location' then e."location"
        when 'thing' then coalesce(e."Locations"->'$[0].location', place)
        when 'datastream' then
            coalesce(e."Thing"->'$.Locations[0].location', place, e."observedArea")
        when 'feature' then e.feature else place end as place"""
"""SQL of what an entity `e` of a `kind` tells those in its collections."""
