"""Entities that carry Observations, in typed pages: what they tell, and how many they carry.

Source: OGC 18-088 (SensorThings API Part 1, version 1.1), sections 8.2 and 9.3.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingestion.formats import sensorthings_entities as entities
from ingestion.reading import elements
from lakehouse.duck import identifier, literal

GROUPS: Final = ", ".join(
    [f"{name} {kind}" for name, kind in entities.CARRIED.items()]
    + [f"{name} bigint" for name in ("i", "j", "line", "origin", "before")]
    + [f"{name} bigint" for name in ("n_streams", "n_seen", "n_rows", "last")]
    + ["_file integer", "datastream json", "link varchar", "cut_short varchar", "is_other boolean"]
)
"""Columns of the table `groups` that `take` fills."""


def take(page: str) -> str:
    """The statements that keep what entities tell, and how many Observations they carry.

    What is found is sorted because the entities of each file come by themselves otherwise, and to
    work on a few of them costs as much as on two thousand.
    """
    stream = f"{{'e': {_counted('s', *entities.RARE)}, 'is_nothing': s is null}}"
    return f"""
        create or replace temp table found as
        select _file, link, i, {_counted("e", *entities.RARE, *_GROUP)} as e,
            e is null as is_nothing,
            list_transform(e."Datastreams", lambda s: {stream}) as streams
        from ({in_page(page)}) order by _file, i;
        create or replace temp table things as {_THINGS};
        create or replace temp table streams as {_STREAMS};
        insert into groups by name {_GROUPS}"""


def struct(keys: Mapping[str, str]) -> str:
    """The DuckDB type of an object with these keys."""
    return f"struct({', '.join(f'{identifier(key)} {kind}' for key, kind in keys.items())})"


COLLECTIONS: Final = dict.fromkeys((*entities.COLLECTIONS, "dataArray"), "json")
# Observations are only counted here, and read later: a table of them would be one copy more.
_COUNTED: Final = {"Observations": "struct(nothing json)[]"}
_STREAM: Final = struct(entities.RARE | _COUNTED)
_TYPED: Final = _COUNTED | {"Datastreams": f"{_STREAM}[]", "dataArray": "json[]"}
_GROUP: Final = {"Datastream": "json", "Datastream@iot.navigationLink": "varchar"}
_PAGE: Final = f"{struct(entities.RARE | _TYPED | _GROUP)}[]"


def pages(form: str) -> elements.Objects:
    """The query of files that are a page in one of `elements.ONE_OBJECT`."""
    next_link, link = entities.SHAPE.page["of_page"]

    def query(files: str, number: str) -> str:
        how = f"columns = {{value: '{_PAGE}', '{next_link}': 'varchar'}}"
        return f"""select {number} as _file, value, {link} as link
            from read_json({files}, format = '{form}', records = true, {how})"""

    return query


_NOTHING: Final = ", ".join(f"null::{kind} as {name}" for name, kind in entities.CARRIED.items())
_TOLD: Final = ", ".join(entities.CARRIED)
COMPONENTS: Final = """from_json(e.components, '["varchar"]')"""
_AT_MOST: Final = 1 << 21
KEY: Final = f"((_file + 1)::bigint * {_AT_MOST} + i) * {_AT_MOST} + j"
"""SQL of what is the `origin` of an entity's Observations."""


_CUT_SHORT: Final = " ".join(
    f"""when {number} is not null and e."{name}@iot.nextLink" is not null then format(
        'the server cut {name} short: {{}} are here, more are at {{}}',
        {number}, e."{name}@iot.nextLink")"""
    for name, number in (("Datastreams", "n_streams"), ("Observations", "n_seen"))
)


def _entities(source: str, own: str, is_other: str) -> str:
    """The query of entities: what they tell, and how many their collections have.

    Args:
        source: Query of entities `e`, counted, with `_file`, their places `i` and `j`, `line`,
            `is_nothing` and what they are told.
        own: Columns that only entities of this level have.
        is_other: SQL: whether the careful way must read an entity.
    """
    return f"""
        select _file, i, j, line, {entities.TOLD}, e."Observations" as n_seen, {own},
            case {_CUT_SHORT} end as cut_short, is_nothing or e."Things" is not null
                or e."MultiDatastreams" is not null or greatest(i, j) >= {_AT_MOST}
                or n_seen is not null and n_rows is not null or {is_other} as is_other
        from (select *, {entities.KIND} as kind from ({source}))"""


def _before(lengths: str) -> str:
    """SQL of how many members of a collection stand in a file before those of an entity."""
    window = "partition by _file order by line rows unbounded preceding"
    return f"coalesce(sum({lengths}) over ({window}), 0) - coalesce({lengths}, 0)"


def in_page(page: str) -> str:
    """The query of the entities at the top of pages."""
    return f"""select * exclude (value), unnest(value) as e, generate_subscripts(value, 1) as i,
        0 as j from ({page})"""


def in_things(page: str) -> str:
    """The query of the Datastreams in them."""
    return f"""select _file, i, unnest(e."Datastreams") as e,
        generate_subscripts(e."Datastreams", 1) as j from ({in_page(page)})"""


def _counted(entity: str, *keys: str) -> str:
    """SQL of an entity's keys, with the length of each list in its place."""
    lists = ("Observations", "Datastreams", "dataArray")
    values = ((key, f"{entity}.{identifier(key)}") for key in keys)
    kept = (f"{literal(key)}: {f'len({at})' if key in lists else at}" for key, at in values)
    return f"{{{', '.join(kept)}}}"


_THINGS: Final = _entities(
    f"""select * exclude (streams), 0 as j, i as line, null::varchar as is_in, {_NOTHING}
        from found""",
    f"""e."Datastreams" as n_streams, e."dataArray" as n_rows,
        case when n_rows is not null then e."Datastream" end as datastream, case when n_rows
        is not null then coalesce({entities.id_in("e." + entities.LINK)}, link) end as link""",
    "coalesce(n_streams, n_seen, n_rows) is null",
)
_STREAMS: Final = _entities(
    f"""select _file, i, j, s.e as e, s.is_nothing as is_nothing, n_things + before + j as line,
            'Datastreams' as is_in, {_TOLD}
        from (select _file, i, unnest(streams) as s, generate_subscripts(streams, 1) as j
            from found) join (
            select _file, i, count(*) over (partition by _file) as n_things,
                {_before("n_streams")} as before, {_TOLD} from things) using (_file, i)""",
    "null::bigint as n_streams, null::bigint as n_rows",
    'n_seen is null or e."Datastreams" is not null or e."dataArray" is not null',
)
# A record's number is its place in the page, or the next free one, collection by collection.
_GROUPS: Final = f"""
    select *, {KEY} as origin, last + case when n_rows is null then {_before("n_seen")}
        else coalesce(sum(n_seen) over (partition by _file), 0) + {_before("n_rows")} end as before
    from (select *, count(*) over (partition by _file) as last
        from (from things union all by name from streams))"""

_THING: Final = entities.text("(datastream->'$.Thing')", *entities.NAME)
_PROPERTY: Final = entities.text("(datastream->'$.ObservedProperty')", "name")
_UNIT: Final = entities.text("(datastream->'$.unitOfMeasurement')", *entities.UNIT)
OF_DATASTREAM: Final = f"""
    coalesce(thing, {_THING}) as thing,
    coalesce(datastream_id, {entities.text("datastream", "@iot.id")}, link) as datastream_id,
    coalesce(datastream_name, {entities.text("datastream", "name")}) as datastream_name,
    coalesce(property, {_PROPERTY}) as property, coalesce(unit, {_UNIT}) as unit"""
"""SQL of what is told, also by the Datastream that stands in an Observation or a data array."""
PLACES: Final = """place, datastream->'$.Thing.Locations[0].location',
    datastream->'$.observedArea'"""
"""SQL of where that is, the best first."""
