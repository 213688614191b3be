"""OGC SensorThings API responses: Observations, alone or in the collections that expand them.

A page of Observations, `resultFormat=dataArray`, expanded Things, Datastreams, Locations,
ObservedProperties or Sensors, and entities as they are created (deep insert) are all read. An
Observation is a record, and so is an entity that carries none.

A collection that the server cut short (`Observations@iot.nextLink`) gives its Observations and
one broken row that says so.

Source: OGC 18-088 (SensorThings API Part 1, version 1.1), sections 8.2, 9.3.3 and 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from ingestion import atoms, columns, elements
from ingestion.deliveries import Member
from ingestion.offered import Reading, geojson_point
from lakehouse.contracts import SourceContract
from lakehouse.duck import identifier

_COLLECTIONS: Final = ("Things", "MultiDatastreams", "Datastreams", "Observations")
"""Outermost first: what is taken out of one may carry the next."""

_SHAPE: Final = elements.Shape(
    keys={
        "@iot.id": "varchar",
        "@iot.selfLink": "varchar",
        "name": "varchar",
        "phenomenonTime": "varchar",
        "resultTime": "varchar",
        "result": "json",
        "resultQuality": "json",
        "parameters": "json",
        "Datastream@iot.navigationLink": "varchar",
        "Datastream": "json",
        "Thing": "json",
        "ObservedProperty": "json",
        "unitOfMeasurement": "json",
        "observationType": "json",
        "observedArea": "json",
        "Locations": "json",
        "location": "json",
        "FeatureOfInterest": "json",
        "feature": "json",
        "definition": "json",
        "metadata": "json",
        "components": "json",
        "dataArray": "json",
    }
    | dict.fromkeys(_COLLECTIONS, "json")
    | {f"{name}@iot.nextLink": "varchar" for name in _COLLECTIONS},
    lists=("value",),
    page=("@iot.nextLink",),
)

_CONTEXT: Final = {
    "of_thing": "varchar",
    "of_datastream": "varchar",  # its id
    "of_named": "varchar",  # its name
    "of_property": "varchar",
    "of_unit": "varchar",
    "of_place": "json",
    "is_in": "varchar",  # the collection it was taken out of
}
"""What an entity is told by those it stands in."""


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read responses."""
    elements.load(connection, members, contract, _SHAPE, _CONTEXT)
    for collection in _COLLECTIONS:
        if _has(connection, collection):
            connection.execute(_children(collection, contract))
    if _has(connection, "dataArray"):
        connection.execute(_rows_of_data_array(contract))
    connection.execute(_observations(contract, members))
    return Reading(
        atoms.records("observations", contract),
        atoms.offer(connection, contract, "observations"),
    )


def _has(connection: duckdb.DuckDBPyConnection, key: str) -> bool:
    found = f"select 1 from elements where {identifier(key)} is not null limit 1"
    return connection.execute(found).fetchone() is not None


_KIND: Final = """case
    when is_in in ('Datastreams', 'MultiDatastreams') then 'datastream'
    when is_in = 'Things' then 'thing'
    when "Things" is not null then 'location'
    when coalesce("Datastreams", "MultiDatastreams") is not null then
        case when definition is not null then 'property' when metadata is not null then 'sensor'
            else 'thing' end
    when "Observations" is not null then
        case when feature is not null then 'feature' else 'datastream' end
end"""
"""What an entity is; it does not say so itself."""


def _text(json: str, *keys: str) -> str:
    """SQL of the first key of an object that tells something."""
    found = (f"nullif(json_extract_string({json}, '$.\"{key}\"'), '')" for key in keys)
    return f"case when {json} is not null then coalesce({', '.join(found)}) end"


_NAME: Final = ("name", "@iot.id")
_UNIT: Final = ("symbol", "name", "definition")
_TOLD: Final = f"""
    case kind when 'thing' then coalesce(nullif(name, ''), "@iot.id")
        when 'datastream' then coalesce(of_thing, {_text('"Thing"', *_NAME)}) else of_thing end as of_thing,
    case kind when 'datastream' then "@iot.id" else of_datastream end as of_datastream,
    case kind when 'datastream' then nullif(name, '') else of_named end as of_named,
    case kind when 'property' then nullif(name, '')
        when 'datastream' then coalesce(of_property, {_text('"ObservedProperty"', "name")})
        else of_property end as of_property,
    case kind when 'datastream' then {_text('"unitOfMeasurement"', *_UNIT)} else of_unit end as of_unit,
    case kind when 'location' then location
        when 'thing' then coalesce("Locations"->'$[0].location', of_place)
        when 'datastream' then coalesce("Thing"->'$.Locations[0].location', of_place, "observedArea")
        when 'feature' then feature else of_place end as of_place"""
"""What the entities in a collection are told by the one that carries it."""


def _children(collection: str, contract: SourceContract) -> str:
    """The insert of the entities that stand in a collection."""
    name = identifier(collection)
    parents = _parents(name)
    return f"""
        insert into elements by name
        select _file, {_row_of_child(contract)} as _row, child::varchar as _raw,
            case when reason is not null then 'layout' end as rule, reason,
            of_thing, of_datastream, of_named, of_property, of_unit, of_place,
            '{collection}' as is_in, {elements.taken("child", _SHAPE)}
        from (select *, {elements.problem("child")} as reason from (
            select _file, line, before, {_TOLD}, unnest(children) as child,
                generate_subscripts(children, 1) as position
            from ({parents})))
    """


def _parents(collection: str) -> str:
    """The query of entities with a list, and after which row their first child comes."""
    return f"""
        select *, last + sum(len(children)) over (
                partition by _file order by line rows unbounded preceding) - len(children) as before
        from (
            select * exclude (_row), _row as line, {_KIND} as kind,
                json_extract({collection}, '$[*]') as children
            from elements where json_type({collection}) = 'ARRAY'
        )
        join (select _file, max(_row) as last from elements group by _file) using (_file)"""


def _row_of_child(contract: SourceContract) -> str:
    return "line" if contract.delivery.framing == "lines" else "before + position"


def _rows_of_data_array(contract: SourceContract) -> str:
    """The insert of the Observations of data arrays, whose columns may come in any order."""

    def cell(name: str) -> str:
        return f"cells[list_position(names, '{name}')]"

    return f"""
        insert into elements by name
        select _file, {_row_of_child(contract)} as _row, _raw,
            case when reason is not null then 'layout' end as rule, reason,
            "page @iot.nextLink", "Datastream", "Datastream@iot.navigationLink",
            {cell("id")}->>'$' as "@iot.id", {cell("phenomenonTime")}->>'$' as "phenomenonTime",
            {cell("resultTime")}->>'$' as "resultTime", {cell("result")} as result,
            {cell("resultQuality")} as "resultQuality", {cell("parameters")} as parameters
        from (
            select * exclude (reason, _raw), child::varchar as _raw,
                from_json(child, '["json"]') as cells,
                case when json_type(child) <> 'ARRAY' or len(names) is distinct from len(cells)
                        then 'the row does not have the cells that components lists'
                    when list_position(names, 'result') is null
                        then 'components lists no result' end as reason
            from (
                select *, unnest(children) as child, generate_subscripts(children, 1) as position,
                    from_json(components, '["varchar"]') as names
                from ({_parents('"dataArray"')})
            )
        )
    """


_LISTS: Final = (*_COLLECTIONS, "dataArray")
_IS_CARRIER: Final = f"coalesce({', '.join(map(identifier, _LISTS))}) is not null"
_IS_OBSERVATION: Final = """(result is not null
    or "phenomenonTime" is not null and name is null and "unitOfMeasurement" is null)"""
_NO_LIST: Final = " ".join(
    f"""when json_type("{name}") <> 'ARRAY'
        then {{'rule': 'layout', 'reason': '{name} is no list'}}"""
    for name in _LISTS
)
_CUT_SHORT: Final = " ".join(
    f"""when "{name}" is not null and "{name}@iot.nextLink" is not null
        then {{'rule': 'truncated', 'reason': format(
            'the server cut {name} short: {{}} are here, more are at {{}}',
            json_array_length("{name}"), "{name}@iot.nextLink")}}"""
    for name in _COLLECTIONS
)
_VERDICT: Final = f"""case
    when rule is not null then {{'rule': rule, 'reason': reason}}
    when {_IS_CARRIER} then case {_NO_LIST} {_CUT_SHORT} end
    when {_IS_OBSERVATION} then null
    when name is not null or "@iot.id" is not null then {{'rule': 'no_measurement',
        'reason': 'the entity carries no Observations: ask for them with $expand'}}
    else {{'rule': 'format',
        'reason': 'this is no Observation, nor an entity that could carry some'}}
end"""

_RAW: Final = """json_merge_patch('{}', to_json({'@iot.id': "@iot.id", 'name': name,
    'phenomenonTime': "phenomenonTime", 'resultTime': "resultTime", 'result': result,
    'resultQuality': "resultQuality", 'parameters': parameters, 'Datastream': "Datastream",
    'Datastream@iot.navigationLink': "Datastream@iot.navigationLink"}))::varchar"""
"""What an entity said that was read in bulk, or whose collections are records of their own."""


def _observations(contract: SourceContract, members: Sequence[Member]) -> str:
    """The view of what is offered: Observations, and entities that could not give any."""
    names = contract.delivery.sensorthings
    by_contract = columns.device(contract, members, lambda name: "null::varchar")
    device = "thing, " * (names.device == "thing") + "datastream_id, datastream_name"
    channel = "property, " * (names.channel == "observed_property") + "datastream_name, 'result'"
    return f"""
        create temp view observations as
        select _file, _row, _raw, coalesce({by_contract}, {device}) as device,
            case when verdict is null then coalesce({channel}) end as channel, result as atom, "phenomenonTime" as time_text,
            "resultTime" as result_text, unit, {atoms.cell('"resultQuality"')} as quality_code,
            point.lon as longitude, point.lat as latitude,
            case when parameters is not null
                then '{{"parameters":' || parameters::varchar || '}}' end as attributes,
            verdict.rule as rule, verdict.reason as reason
        from (
            select *, {geojson_point("near")} as point
            from (select {_OBSERVED} from elements)
        )
        where verdict is not null or not is_carrier
    """


def _id_in(link: str) -> str:
    """SQL of the id in a link such as `…/Datastreams(12)/Observations`."""
    after = f"split_part({link}, 'Datastreams(', 2)"
    return f"""case when contains({link}, 'Datastreams(')
        then trim(split_part({after}, ')', 1), '''') end"""


_UP: Final = '"Datastream"'
_OBSERVED: Final = f"""
    _file, _row, result, "phenomenonTime", "resultTime", "resultQuality", parameters,
    {_IS_CARRIER} as is_carrier, {_VERDICT} as verdict,
    case when is_carrier then {_RAW} else coalesce(_raw, {_RAW}) end as _raw,
    coalesce("FeatureOfInterest"->'$.feature', of_place, {_UP}->'$.Thing.Locations[0].location',
        {_UP}->'$.observedArea') as near,
    coalesce(of_thing, {_text(f"({_UP}->'$.Thing')", *_NAME)}) as thing,
    coalesce(of_datastream, {_text(_UP, "@iot.id")},
        {_id_in('"Datastream@iot.navigationLink"')}, {_id_in('"page @iot.nextLink"')})
        as datastream_id,
    coalesce(of_named, {_text(_UP, "name")}) as datastream_name,
    coalesce(of_property, {_text(f"({_UP}->'$.ObservedProperty')", "name")}) as property,
    coalesce(of_unit, {_text(f"({_UP}->'$.unitOfMeasurement')", *_UNIT)}) as unit"""
