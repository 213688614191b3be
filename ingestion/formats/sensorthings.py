"""OGC SensorThings API responses: Observations, alone or in the collections that expand them.

A page of Observations, `resultFormat=dataArray`, expanded Things, Datastreams, Locations,
ObservedProperties or Sensors, and entities as they are created (deep insert) are all read. An
Observation is a record, and so is an entity that carries none.

A collection that the server cut short (`Observations@iot.nextLink`) gives its Observations and
one broken row that says so.

Source: OGC 18-088 (SensorThings API Part 1, version 1.1), sections 8.2, 9.3.3 and 12.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import columns, elements, json_atoms, values
from ingestion.reading.offered import Reading, geojson_point
from lakehouse.contracts import SourceContract
from lakehouse.duck import identifier

_COLLECTIONS: Final = ("Things", "MultiDatastreams", "Datastreams", "Observations")
"""Outermost first: what is taken out of one may carry the next."""

_RARE: Final = {
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
    **dict.fromkeys(_COLLECTIONS, "json"),
    **{f"{name}@iot.nextLink": "varchar" for name in _COLLECTIONS},
}
"""What entities tell that are no Observation (which also has an id)."""


_LINK: Final = '"Datastream@iot.navigationLink"'


def _id_in(link: str) -> str:
    """SQL of the id in a link such as `…/Datastreams(12)/Observations`."""
    after = f"split_part({link}, 'Datastreams(', 2)"
    return f"""case when contains({link}, 'Datastreams(')
        then trim(split_part({after}, ')', 1), '''') end"""


def _packed() -> str:
    """SQL of the rare keys as one JSON object; null for an Observation."""
    told = ", ".join(f"{identifier(key)}::varchar" for key in _RARE if key != "@iot.id")
    pairs = ", ".join(f"'{key}': {identifier(key)}" for key in _RARE)
    return f"case when coalesce({told}) is not null then to_json({{{pairs}}}) end"


_SHAPE: Final = elements.Shape(
    keys={
        "phenomenonTime": "varchar",
        "resultTime": "varchar",
        "result": "json",
        "resultQuality": "json",
        "parameters": "json",
        "Datastream": "json",
        "Datastream@iot.navigationLink": "varchar",
        "FeatureOfInterest": "json",
        **_RARE,
    },
    under="value",
    page={"of_page": ("@iot.nextLink", _id_in('"@iot.nextLink"'))},
)

_KEPT: Final = {
    "_file": ("integer", "_file"),
    "_row": ("bigint", "_row"),
    "_raw": ("varchar", "_raw"),
    "rule": ("varchar", "rule"),
    "reason": ("varchar", "reason"),
    "time_text": ("varchar", '"phenomenonTime"'),
    "result_text": ("varchar", '"resultTime"'),
    "atom": ("json", "result"),
    "quality": ("json", '"resultQuality"'),
    "parameters": ("json", "parameters"),
    "datastream": ("json", '"Datastream"'),
    "link": ("varchar", f"coalesce({_id_in(_LINK)}, of_page)"),
    "foi": ("json", '"FeatureOfInterest"'),
    "rest": ("json", _packed()),
}
"""What is kept of an entity, with its SQL; the rare keys are packed, because memory is dear."""


def _keep(objects: str, carrier: str = "null::bigint") -> str:
    """The insert of entities into the table `elements`."""
    kept = ", ".join(f"{sql} as {name}" for name, (_, sql) in _KEPT.items())
    return f"insert into elements by name select {kept}, {carrier} as carrier from ({objects})"


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read responses."""
    kept = ", ".join(f"{name} {kind}" for name, (kind, _) in _KEPT.items())
    connection.execute(f"create temp table elements ({kept}, carrier bigint)")
    elements.load(connection, members, contract, _SHAPE, "elements", _keep)
    connection.execute(f"create temp table carriers ({_CARRIER})")
    for collection in (*_COLLECTIONS, "dataArray"):
        for condition in elements.batches(connection, "elements", "rest"):
            connection.execute(_parents(collection, condition))
            connection.execute(f"insert into carriers select {_CARRIER_NAMES} from parents")
            is_array = collection == "dataArray"
            connection.execute(_rows_of_array(contract) if is_array else _children(contract))
            connection.execute(_emptied(collection, condition))
    connection.execute("drop table if exists parents")
    connection.execute(_observations(contract, members))
    return Reading(
        values.records("observations", contract),
        values.offer(connection, contract, "observations"),
    )


_CARRIER: Final = """carrier bigint, is_in varchar, thing varchar, datastream_id varchar,
    datastream_name varchar, property varchar, unit varchar, place json"""
_CARRIER_NAMES: Final = re.sub(r" (varchar|bigint|json)", "", _CARRIER)

_STRUCTURE: Final = ", ".join(f'"{key}": "{kind}"' for key, kind in _RARE.items())


def _entities(condition: str = "true") -> str:
    """Elements with what their carriers tell; `e` holds the rare keys, if there are any."""
    return f"""(select *, from_json(rest, '{{{_STRUCTURE}}}') as e
        from elements left join carriers using (carrier) where {condition})"""


_KIND: Final = """case
    when is_in in ('Datastreams', 'MultiDatastreams') then 'datastream'
    when is_in = 'Things' then 'thing'
    when e."Things" is not null then 'location'
    when coalesce(e."Datastreams", e."MultiDatastreams") is not null then
        case when e.definition is not null then 'property'
            when e.metadata is not null then 'sensor' else 'thing' end
    when e."Observations" is not null then
        case when e.feature is not null then 'feature' else 'datastream' end
end"""
"""What an entity is; it does not say so itself."""


def _text(json: str, *keys: str) -> str:
    """SQL of the first key of an object that tells something."""
    found = (f"nullif(json_extract_string({json}, '$.\"{key}\"'), '')" for key in keys)
    return f"case when {json} is not null then coalesce({', '.join(found)}) end"


_NAME: Final = ("name", "@iot.id")
_UNIT: Final = ("symbol", "name", "definition")
_TOLD: Final = f"""
    case kind when 'thing' then coalesce(nullif(e.name, ''), e."@iot.id")
        when 'datastream' then coalesce(thing, {_text("e.Thing", *_NAME)})
        else thing end as thing,
    case kind when 'datastream' then e."@iot.id" else datastream_id end as datastream_id,
    case kind when 'datastream' then nullif(e.name, '') else datastream_name end
        as datastream_name,
    case kind when 'property' then nullif(e.name, '')
        when 'datastream' then coalesce(property, {_text("e.ObservedProperty", "name")})
        else property end as property,
    case kind when 'datastream' then {_text("e.unitOfMeasurement", *_UNIT)} else unit end as unit,
    case kind when 'location' then e."location"
        when 'thing' then coalesce(e."Locations"->'$[0].location', place)
        when 'datastream' then
            coalesce(e."Thing"->'$.Locations[0].location', place, e."observedArea")
        when 'feature' then e.feature else place end as place"""
"""What the entities in a collection are told by the one that carries it."""


def _parents(collection: str, condition: str) -> str:
    """The table of entities that carry a collection: what they tell, and its members."""
    name = f"e.{identifier(collection)}"
    return f"""
        create or replace temp table parents as
        select (select count(*) from carriers) + row_number() over () as carrier,
            '{collection}' as is_in, {_TOLD}, _file, line, children, datastream, link,
            e.components as components,
            last + sum(len(children)) over (
                partition by _file order by line rows unbounded preceding) - len(children) as before
        from (
            select * exclude (_row), _row as line, {_KIND} as kind,
                json_extract({name}, '$[*]') as children
            from {_entities(condition)} where json_type({name}) = 'ARRAY'
        )
        join (select _file, max(_row) as last from elements group by _file) using (_file)"""


def _emptied(collection: str, condition: str) -> str:
    """The update that leaves of a collection whose members were taken only how many there were."""
    path = f"'$.{collection}'"
    return f"""
        update elements set rest = json_merge_patch(rest,
            '{{"{collection}":[' || json_array_length(rest, {path}) || ']}}')
        where {condition} and json_type(rest, {path}) = 'ARRAY'"""


def _row_of_child(contract: SourceContract) -> str:
    return "line" if contract.delivery.framing == "lines" else "before + position"


def _children(contract: SourceContract) -> str:
    """The insert of the entities that stand in a collection."""
    return _keep(
        f"""
        select _file, {_row_of_child(contract)} as _row, child::varchar as _raw, carrier,
            case when reason is not null then 'layout' end as rule, reason,
            null::varchar as of_page, {elements.taken("child", _SHAPE)}
        from (select *, {json_atoms.problem("child")} as reason from (
            select _file, line, before, carrier, unnest(children) as child,
                generate_subscripts(children, 1) as position
            from parents))
        """,
        "carrier",
    )


def _rows_of_array(contract: SourceContract) -> str:
    """The insert of the Observations of data arrays, whose columns may come in any order."""

    def cell(name: str) -> str:
        return f"cells[list_position(names, '{name}')]"

    return f"""
        insert into elements by name
        select _file, {_row_of_child(contract)} as _row, _raw, carrier, datastream, link,
            case when reason is not null then 'layout' end as rule, reason,
            {json_atoms.cell(cell("phenomenonTime"))} as time_text,
            {json_atoms.cell(cell("resultTime"))} as result_text, {cell("result")} as atom,
            {cell("resultQuality")} as quality, {cell("parameters")} as parameters
        from (
            select *, child::varchar as _raw, from_json(child, '["json"]') as cells,
                case when json_type(child) <> 'ARRAY' or len(names) is distinct from len(cells)
                        then 'the row does not have the cells that components lists'
                    when list_position(names, 'result') is null
                        then 'components lists no result' end as reason
            from (
                select *, unnest(children) as child, generate_subscripts(children, 1) as position,
                    from_json(components, '["varchar"]') as names
                from parents
            )
        )
    """


_LISTS: Final = (*_COLLECTIONS, "dataArray")
_IS_CARRIER: Final = (
    f"coalesce({', '.join(f'e.{identifier(name)}' for name in _LISTS)}) is not null"
)
_NO_LIST: Final = " ".join(
    f"""when json_type(e."{name}") <> 'ARRAY'
        then {{'rule': 'layout', 'reason': '{name} is no list'}}"""
    for name in _LISTS
)
_CUT_SHORT: Final = " ".join(
    f"""when e."{name}" is not null and e."{name}@iot.nextLink" is not null
        then {{'rule': 'truncated', 'reason': format(
            'the server cut {name} short: {{}} are here, more are at {{}}',
            json_extract(e."{name}", '$[0]'), e."{name}@iot.nextLink")}}"""
    for name in _COLLECTIONS
)
_VERDICT: Final = f"""case
    when rule is not null then {{'rule': rule, 'reason': reason}}
    when rest is null then case when atom is null and time_text is null then {{'rule': 'format',
        'reason': 'this is no Observation, nor an entity that could carry some'}} end
    when {_IS_CARRIER} then case {_NO_LIST} {_CUT_SHORT} end
    when atom is null then {{'rule': 'no_measurement',
        'reason': 'the entity carries no Observations: ask for them with $expand'}}
end"""

_RAW: Final = """json_merge_patch('{}', to_json({'@iot.id': e."@iot.id", 'name': e.name,
    'phenomenonTime': time_text, 'resultTime': result_text, 'result': atom,
    'resultQuality': quality, 'parameters': parameters, 'Datastream': datastream,
    'Datastreams': link}))::varchar"""
"""What an entity said that was read in bulk, or whose collections are records of their own."""

_OBSERVED: Final = f"""
    _file, _row, atom, time_text, result_text, quality, parameters,
    {_IS_CARRIER} as is_carrier, {_VERDICT} as verdict,
    case when is_carrier then {_RAW} else coalesce(_raw, {_RAW}) end as _raw,
    coalesce(foi->'$.feature', place, datastream->'$.Thing.Locations[0].location',
        datastream->'$.observedArea') as near,
    coalesce(thing, {_text("(datastream->'$.Thing')", *_NAME)}) as thing,
    coalesce(datastream_id, {_text("datastream", "@iot.id")}, link) as datastream_id,
    coalesce(datastream_name, {_text("datastream", "name")}) as datastream_name,
    coalesce(property, {_text("(datastream->'$.ObservedProperty')", "name")}) as property,
    coalesce(unit, {_text("(datastream->'$.unitOfMeasurement')", *_UNIT)}) as unit"""


def _observations(contract: SourceContract, members: Sequence[Member]) -> str:
    """The view of what is offered: Observations, and entities that could not give any."""
    names = contract.delivery.sensorthings
    by_contract = columns.device(contract, members, lambda name: "null::varchar")
    device = "thing, " * (names.device == "thing") + "datastream_id, datastream_name"
    channel = "property, " * (names.channel == "observed_property") + "datastream_name, 'result'"
    return f"""
        create temp view observations as
        select _file, _row, _raw, coalesce({by_contract}, {device}) as device,
            case when verdict is null then coalesce({channel}) end as channel, atom, time_text,
            result_text, unit, {json_atoms.cell("quality")} as quality_code,
            point.lon as longitude, point.lat as latitude,
            case when parameters is not null
                then '{{"parameters":' || parameters::varchar || '}}' end as attributes,
            verdict.rule as rule, verdict.reason as reason
        from (select *, {geojson_point("near")} as point
            from (select {_OBSERVED} from {_entities()}))
        where verdict is not null or not is_carrier
    """
