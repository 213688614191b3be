"""NGSI-LD and NGSIv2: entities whose attributes are the measurements of a context broker.

A document is an entity, a list of them, or a notification (`data`). Attributes may be normalized
or concise, temporal (a list of instances, or `values` of temporalValues), and have datasets.

An attribute that says when it was observed is a measurement. One that does not takes the time
of its entity if the contract names it (`delivery.time.columns`), but a text or structure only if
the contract names that too: the rest describes the entity. Without any time an entity is
broken, not "now": simplified (keyValues) answers have lost it.

Source: ETSI GS CIM 009 V1.9.1, sections 4.5, 5.2.4 to 5.2.9 and 5.3.1; FIWARE-NGSI v2, "JSON
Attribute Representation", "Geospatial properties of entities" and "Notification Messages".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.formats import ngsi_temporal
from ingestion.reading import clocks, columns, instances, json_atoms, plain
from ingestion.reading.offered import Reading, geojson_point
from lakehouse.contracts import SourceContract
from lakehouse.duck import literal

_MEMBERS: Final = (
    "id", "type", "@id", "@type", "@context", "scope", "createdAt", "modifiedAt", "expiresAt",
    "dateCreated", "dateModified", "TimeInstant", "geometry",
)  # fmt: skip
"""Keys of an entity that are no attributes that measure."""

_AGGREGATES: Final = ("totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq")
_VALUES: Final = ("value", "languageMap", "vocab", "json", "valueList")
_INSTANCE: Final = {
    **dict.fromkeys(("type", "observedAt", "unitCode", "datasetId", "modifiedAt"), "varchar"),
    **dict.fromkeys((*_VALUES, *_AGGREGATES, "object", "objectList", "values", "metadata"), "json"),
}
_STRUCTURE: Final = "{" + ", ".join(f'"{key}": "{kind}"' for key, kind in _INSTANCE.items()) + "}"
_NO_VALUES: Final = (
    "Relationship", "ListRelationship", "GeoProperty", "geo:point", "geo:json", "geo:line",
    "geo:box", "geo:polygon",
)  # fmt: skip


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read entities."""
    careful = partial(_read_carefully, contract)
    if contract.delivery.framing == "lines":
        return careful(connection, members)
    quick, left = ngsi_temporal.read(
        connection,
        members,
        lambda objects: _entities(objects, contract, members),
        _no_attributes(contract),
        [channel.delivered_as for channel in contract.channels],
        careful,
    )
    return plain.beside(connection, quick, left, careful)


def _read_carefully(
    contract: SourceContract, connection: duckdb.DuckDBPyConnection, members: Sequence[Member]
) -> Reading:
    """Read entities, whatever they are."""

    def query(objects: str) -> str:
        return carried(objects, contract, members)

    return instances.read(connection, members, contract, query, under="data")


def _entities(objects: str, contract: SourceContract, members: Sequence[Member]) -> str:
    """The query of entities with what their attributes need to know of them."""
    time = contract.delivery.time
    start, end = columns.time_texts(time, _attribute_text) if time else ("null::varchar",) * 2
    by_contract = columns.device(contract, members, _attribute_text)
    place = "entity['location']"
    lat_lon = f"string_split({_attribute_text('location')}, ',')"
    return f"""
        select _file, _row, _raw, entity, entity_number,
            {_PROBLEM} as problem,
            coalesce({by_contract}, (entity['id']->>'$'), (entity['@id']->>'$')) as device,
            {_iso(start, time.format if time else "iso8601")} as entity_time,
            {_iso(end, time.format if time else "iso8601")} as entity_end,
            {_attribute_text("TimeInstant")} as time_instant,
            case when json_extract_string({place}, '$.type') = 'geo:point'
                then {{'lon': try_cast({lat_lon}[2] as double),
                    'lat': try_cast({lat_lon}[1] as double)}}
                else {geojson_point(f"coalesce(json_extract({place}, '$.value'), {place})")}
                end as point
        from ({objects})"""


_PROBLEM: Final = f"""case
    when ({instances.PROBLEM}) is not null then {instances.PROBLEM}
    when (entity['type']->>'$') = 'Feature' then {{'rule': 'format',
        'reason': 'a GeoJSON feature: ask for the entity itself, application/ld+json'}}
    when coalesce(entity['id'], entity['@id']) is null then {{'rule': 'format',
        'reason': 'this is no entity: it has no id'}} end"""
_SILENT: Final = """{'rule': 'time_missing', 'reason': 'no attribute says when it was observed '
    || '(observedAt, in NGSIv2 TimeInstant): ask for the normalized form, or name the attribute '
    || 'that holds the time in delivery.time.columns'}"""


def _attribute_text(name: str) -> str:
    """SQL of the text of an attribute's value, in any representation."""
    value = f"entity[{literal(name)}]"
    return f"""case left({value}::varchar, 1)
        when '{{' then coalesce(json_extract_string({value}, '$.value."@value"'),
            json_extract_string({value}, '$.value'), json_extract_string({value}, '$."@value"'))
        when '"' then {value}->>'$' else nullif({value}::varchar, 'null') end"""


def _iso(text: str, form: str) -> str:
    """SQL of a time in the contract's format as ISO 8601; as it is when it cannot be read."""
    if form == "iso8601":
        return text
    parsed = clocks.parse(f"({text})", form)
    return f"""coalesce(strftime({parsed.instant}, '%Y-%m-%dT%H:%M:%S.%fZ'),
        strftime({parsed.wall}, '%Y-%m-%dT%H:%M:%S.%f'), {text})"""


_TOLD: Final = ", ".join(f"one.{name}" for name in (*_VALUES, "values", "object", "objectList"))
_AGGREGATED: Final = ", ".join(f"one.{name}" for name in _AGGREGATES)
_PAIRS: Final = """list_transform(from_json(list[1].values, '[["json"]]'), lambda pair:
    struct_update(list[1], value := pair[1], observedAt := (pair[2]->>'$')))"""
"""SQL of the instances that temporalValues write as pairs of value and time."""


def _no_attributes(contract: SourceContract) -> tuple[str, ...]:
    """Keys of an entity that are no attributes which measure."""
    time = contract.delivery.time
    return (*_MEMBERS, *((*time.columns, *time.end_columns) if time else ()))


def _attributes(objects: str, contract: SourceContract, members: Sequence[Member]) -> str:
    """The query of attributes: `ones` are its instances, null where it is a bare value."""
    listed = ", ".join(literal(name) for name in _no_attributes(contract))
    first = f"coalesce({_TOLD}, {_AGGREGATED})".replace("one.", "list[1].")
    return f"""
        select * exclude (list, sign, whole),
            case when damage is not null then null
                when list[1].values is not null then {_PAIRS}
                when sign = '{{' and json_exists(whole, '$.value') or {first} is not null then list
                end as ones,
            case when ones is null then whole end as whole
        from (
            select *, case sign when '{{' then {json_atoms.problem("whole")}
                when '[' then {_twins()} end as damage
            from (
                select * exclude (entity, entry), entry.key as key, entry.value as whole,
                    left(whole::varchar, 1) as sign,
                    case sign when '[' then from_json(whole, '[{_STRUCTURE}]')
                        when '{{' then [from_json(whole, '{_STRUCTURE}')] end as list
                from (
                    select *, unnest(case when problem is not null then [null]
                        else list_append(map_entries(entity), null) end) as entry
                    from ({_entities(objects, contract, members)})
                )
                where entry is null or entry.key not in ({listed})
            )
        )"""


def _twins() -> str:
    """SQL of what is wrong with a list of instances: keys that stand twice.

    Only a list that holds a key more often than it has instances is looked through.
    """

    def many(key: str) -> str:
        return f"len(string_split(whole::varchar, '\"{key}\"')) - 1 > len(list)"

    problem = json_atoms.problem("part")
    return f"""case when {many("value")} or {many("observedAt")} then list_filter(list_transform(
        from_json(whole, '["json"]'), lambda part: case when json_type(part) = 'OBJECT'
            then {problem} end), lambda found: found is not null)[1] end"""


_BARE: Final = f"""case when one is null then whole
    else coalesce({", ".join(f"one.{name}" for name in _VALUES)}) end"""
_GEOMETRIES: Final = (
    "Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"
)  # fmt: skip


def carried(objects: str, contract: SourceContract, members: Sequence[Member]) -> str:
    """The query of what entities carry, as `instances.read` asks for it."""
    named = ", ".join(literal(c.delivered_as) for c in contract.channels)
    left_out = ", ".join(literal(name) for name in _NO_VALUES)
    geometries = ", ".join(literal(name) for name in _GEOMETRIES)
    return f"""
        select _file, _row, _raw, entity_number, device, channel, atom, time_text, unit,
            result_text,
            case when own_time is null then entity_end end as end_text,
            point.lon as longitude, point.lat as latitude,
            verdict.rule as rule, verdict.reason as reason,
            key is null and problem is not null or key is not null and problem is null
                and (verdict is not null or time_text is not null and (
                own_time is not null or is_named or left(atom::varchar, 1) not in ('"', '{{', '[')))
                as is_measured
        from (
            select *, coalesce(own_time, entity_time) as time_text, case
                when key is null then coalesce(problem, {_SILENT})
                when damage is not null then {{'rule': 'layout', 'reason': damage}}
                when coalesce({_TOLD}) is null and coalesce({_AGGREGATED}) is not null
                    then {{'rule': 'format', 'reason': 'aggregatedValues are no measurements: '
                        || 'ask for the normalized or the temporalValues representation'}}
                when is_named and time_text is null
                    then {{'rule': 'time_missing', 'reason': 'the attribute ' || channel
                        || ' says no observedAt, and the contract no delivery.time.columns'}}
                end as verdict
            from (
                select * exclude (bare), channel in ({named}) as is_named,
                    case when starts_with(bare::varchar, '{{"@')
                        then coalesce((bare->'$."@value"'), bare) else bare end as atom
                from (
                    select *, {_BARE} as bare, key || coalesce('@' || one.datasetId, '') as channel,
                        coalesce(one.observedAt, case when one.metadata is not null
                                then (one.metadata->>'$.TimeInstant.value') end,
                            time_instant) as own_time,
                        coalesce(one.unitCode, case when one.metadata is not null
                                then (one.metadata->>'$.unitCode.value') end) as unit,
                        one.modifiedAt as result_text
                    from (select * exclude (ones), unnest(coalesce(ones, [null])) as one
                        from ({_attributes(objects, contract, members)}))
                )
            )
        )
        where key is null or verdict is not null or not coalesce(
            one.type in ({left_out}) or coalesce(one.object, one.objectList) is not null
            or one is null and (whole->>'$.type') in ({geometries}), false)"""
