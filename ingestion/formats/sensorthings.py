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
from functools import partial
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.formats import sensorthings_carriers, sensorthings_pages
from ingestion.formats import sensorthings_entities as entities
from ingestion.reading import columns, elements, json_atoms, plain, values
from ingestion.reading.offered import Reading, geojson_point
from lakehouse.contracts import SourceContract
from lakehouse.duck import identifier


def _packed() -> str:
    """SQL of the rare keys as one JSON object; null for an Observation."""
    told = ", ".join(f"{identifier(key)}::varchar" for key in entities.RARE if key != "@iot.id")
    pairs = ", ".join(f"'{key}': {identifier(key)}" for key in entities.RARE)
    return f"case when coalesce({told}) is not null then to_json({{{pairs}}}) end"


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
    "link": ("varchar", f"coalesce({entities.id_in(entities.LINK)}, of_page)"),
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
    careful = partial(_read_carefully, contract)
    if contract.delivery.framing == "lines":
        return careful(connection, members)
    quick, left = sensorthings_pages.read(connection, members, contract, careful)
    return plain.beside(connection, quick, left, careful)


def _read_carefully(
    contract: SourceContract, connection: duckdb.DuckDBPyConnection, members: Sequence[Member]
) -> Reading:
    """Go from collection to collection, whatever they are."""
    kept = ", ".join(f"{name} {kind}" for name, (kind, _) in _KEPT.items())
    connection.execute(f"create temp table elements ({kept}, carrier bigint)")
    told = ", ".join(f"{name} {kind}" for name, kind in entities.CARRIED.items())
    connection.execute(
        f"create temp table carriers (carrier bigint, before bigint, is_in varchar, {told})"
    )
    names = ", ".join(("carrier", "is_in", *entities.CARRIED))
    elements.load(connection, members, contract, entities.SHAPE, "elements", _keep)
    for collection in (*entities.COLLECTIONS, "dataArray"):
        for condition in elements.batches(connection, "elements", "rest"):
            connection.execute(_parents(collection, condition))
            connection.execute(f"insert into carriers by name select {names} from parents")
            is_array = collection == "dataArray"
            connection.execute(_rows_of_array(contract) if is_array else _children(contract))
            connection.execute(_emptied(collection, condition))
    connection.execute("drop table if exists parents")
    connection.execute(_observations(contract, members))
    return Reading(
        values.records("observations", contract),
        values.offer(connection, contract, "observations"),
        may_be_silent=False,
    )


_STRUCTURE: Final = ", ".join(f'"{key}": "{kind}"' for key, kind in entities.RARE.items())


def _entities(condition: str = "true") -> str:
    """Elements with what their carriers tell; `e` holds the rare keys, if there are any."""
    return f"""(select * replace (_row + coalesce(before, 0) as _row),
            from_json(rest, '{{{_STRUCTURE}}}') as e
        from elements left join carriers using (carrier) where {condition})"""


def _parents(collection: str, condition: str) -> str:
    """The table of entities that carry a collection: what they tell, and its members."""
    name = f"e.{identifier(collection)}"
    return f"""
        create or replace temp table parents as
        select (select count(*) from carriers) + row_number() over () as carrier,
            '{collection}' as is_in, {entities.TOLD}, _file, line, children, datastream, link,
            e.components as components,
            last + sum(len(children)) over (
                partition by _file order by line rows unbounded preceding) - len(children) as before
        from (
            select * exclude (_row), _row as line, {entities.KIND} as kind,
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
            null::varchar as of_page, {elements.taken("child", entities.SHAPE)}
        from (select *, {json_atoms.problem("child")} as reason from (
            select _file, line, before, carrier, unnest(children) as child,
                generate_subscripts(children, 1) as position
            from parents))
        """,
        "carrier",
    )


def _rows_of_array(contract: SourceContract) -> str:
    """The insert of the Observations of data arrays."""
    rows = sensorthings_pages.rows_of_array(
        f"""
        select *, {_row_of_child(contract)} as _row, child::varchar as _raw,
            case when json_type(child) = 'ARRAY' then from_json(child, '["json"]') end as cells
        from (
            select * exclude (components), from_json(components, '["varchar"]') as names,
                unnest(children) as child, generate_subscripts(children, 1) as position
            from parents)
        """
    )
    return f"insert into elements by name {rows}"


_LISTS: Final = (*entities.COLLECTIONS, "dataArray")
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
    for name in entities.COLLECTIONS
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
    coalesce(foi->'$.feature', {sensorthings_carriers.PLACES}) as near,
    {sensorthings_carriers.OF_DATASTREAM}"""


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
