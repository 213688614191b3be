"""SensorThings pages of entities that carry Observations, read straight into typed columns.

DuckDB's JSON reader takes such a page apart in one pass, where the careful way of
`sensorthings.py` goes from collection to collection. A file of any other make, or with anything
in it that the types do not say, is left to that one: both give the same rows.

Source: OGC 18-088 (SensorThings API Part 1, version 1.1), sections 9.3.3 and 12.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.formats import sensorthings_entities as entities
from ingestion.reading import elements, json_atoms
from lakehouse.duck import identifier

_PEEK: Final = 1 << 16
"""Bytes in which a page shows that its entities carry Observations."""
_SIGNS: Final = (b'"Observations"', b'"dataArray"')


def load(connection: duckdb.DuckDBPyConnection, members: Sequence[Member]) -> list[Member]:
    """Insert into `elements` and `carriers` what such pages hold; afterwards comes `CUT_SHORT`.

    A key that is not read may stand twice in an Observation.

    Returns:
        The files that are left to the careful way.
    """
    likely = [member for member in members if _is_likely(member)]
    connection.execute(f"create temp table pages (_file integer, value {_PAGE}, link varchar)")
    for form, files in elements.by_start(likely).items():
        if form in elements.ONE_OBJECT:
            query = _pages(form)
            elements.strictly(connection, files, lambda page: f"insert into pages {page}", query)
    for table, query in (("things", _THINGS), ("streams", _STREAMS), ("groups", _GROUPS)):
        connection.execute(f"create temp table {table} as {query}")
    connection.execute(f"insert into carriers by name {_CARRIERS}")
    connection.execute(f"insert into elements by name {_OBSERVATIONS}")
    connection.execute(f"insert into elements by name {_ROWS_OF_ARRAYS}")
    others = {row[0] for row in connection.execute(_OTHER_FILES).fetchall()}
    found = {row[0] for row in connection.execute("select distinct _file from things").fetchall()}
    if others:
        numbers = ", ".join(map(str, others))
        for table in ("elements", "groups"):
            connection.execute(f"delete from {table} where _file in ({numbers})")
    for table in ("pages", "things", "streams"):
        connection.execute(f"drop table {table}")
    return [one for one in members if one.number in others or one.number not in found]


def _is_likely(member: Member) -> bool:
    with member.path.open("rb") as file:
        head = file.read(_PEEK)
    return any(sign in head for sign in _SIGNS)


def _struct(keys: Mapping[str, str]) -> str:
    return f"struct({', '.join(f'{identifier(key)} {kind}' for key, kind in keys.items())})"


_COLLECTIONS: Final = dict.fromkeys((*entities.COLLECTIONS, "dataArray"), "json")
_SEEN: Final = {"Observations": f"{_struct(entities.OBSERVATION | _COLLECTIONS)}[]"}
_STREAM: Final = _struct(entities.RARE | _SEEN)
_TYPED: Final = _SEEN | {"Datastreams": f"{_STREAM}[]", "dataArray": "json[][]"}
_GROUP: Final = {"Datastream": "json", "Datastream@iot.navigationLink": "varchar"}
_PAGE: Final = f"{_struct(entities.RARE | _TYPED | _GROUP)}[]"


def _pages(form: str) -> elements.Objects:
    next_link, link = entities.SHAPE.page["of_page"]

    def query(files: str, number: str) -> str:
        how = f"columns = {{value: '{_PAGE}', '{next_link}': 'varchar'}}"
        return f"""select {number} as _file, value, {link} as link
            from read_json({files}, format = '{form}', records = true, {how})"""

    return query


_NOTHING: Final = ", ".join(f"null::{kind} as {name}" for name, kind in entities.CARRIED.items())
_TOLD: Final = ", ".join(entities.CARRIED)


def _entities(source: str, own: str, is_other: str) -> str:
    """The query of entities: what they tell, and how many their collections have.

    Args:
        source: Query of entities `e` with `_file`, their places `i` and `j`, and what they are
            told.
        own: Columns that only entities of this level have.
        is_other: SQL: whether the careful way must read an entity.
    """
    cut_short = """case when n_seen is not null and e."Observations@iot.nextLink" is not null
        or n_streams is not null and e."Datastreams@iot.nextLink" is not null
        then to_json({'@iot.id': e."@iot.id", 'name': e.name,
            'Observations': case when n_seen is not null then [n_seen] end,
            'Datastreams': case when n_streams is not null then [n_streams] end,
            'Observations@iot.nextLink': e."Observations@iot.nextLink",
            'Datastreams@iot.nextLink': e."Datastreams@iot.nextLink"}) end"""
    return f"""
        select _file, i, j, line, {entities.TOLD}, len(e."Observations") as n_seen, {own},
            {cut_short} as rest, e is null or e."Things" is not null
                or e."MultiDatastreams" is not null or {is_other} as is_other
        from (select *, {entities.KIND} as kind from ({source}))"""


def _before(lengths: str) -> str:
    """SQL of how many members of a collection stand in a file before those of an entity."""
    window = "partition by _file order by line rows unbounded preceding"
    return f"coalesce(sum({lengths}) over ({window}), 0) - coalesce({lengths}, 0)"


_IN_PAGE: Final = """select _file, unnest(value) as e, generate_subscripts(value, 1) as i, 0 as j,
    link from pages"""
_IN_THINGS: Final = f"""select _file, i, unnest(e."Datastreams") as e,
    generate_subscripts(e."Datastreams", 1) as j from ({_IN_PAGE})"""
_THINGS: Final = _entities(
    f"select *, i as line, null::varchar as is_in, {_NOTHING} from ({_IN_PAGE})",
    f"""len(e."Datastreams") as n_streams, len(e."dataArray") as n_rows,
        e.components as components, e."Datastream" as datastream,
        coalesce({entities.id_in("e." + entities.LINK)}, link) as link""",
    "coalesce(n_streams, n_seen, n_rows) is null",
)
_STREAMS: Final = _entities(
    f"""select e.*, n_things + before + j as line, 'Datastreams' as is_in, {_TOLD}
        from ({_IN_THINGS}) e join (
            select _file, i, count(*) over (partition by _file) as n_things,
                {_before("n_streams")} as before, {_TOLD} from things) using (_file, i)""",
    "null::bigint as n_streams",
    'n_seen is null or e."Datastreams" is not null or e."dataArray" is not null',
)
# A record's number is its place in the page, or the next free one, collection by collection.
_GROUPS: Final = f"""
    select *, row_number() over () as carrier, last + {_before("n_seen")} as before,
        last + coalesce(sum(n_seen) over (partition by _file), 0) + {_before("n_rows")}
            as before_rows
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

_CARRIERS: Final = f"select carrier, {OF_DATASTREAM}, coalesce({PLACES}) as place from groups"


def _members(collection: str, source: str) -> str:
    """The query of the members of a collection, each `o` at its `position`."""
    return f"""select _file, i, j, unnest(e."{collection}") as o,
        generate_subscripts(e."{collection}", 1) as position from ({source})"""


_HAS_PARTS: Final = " or ".join(f"o.{identifier(name)} is not null" for name in _COLLECTIONS)
_OBSERVATIONS: Final = f"""
    select g._file, before + position as _row, g.carrier,
        o."phenomenonTime" as time_text, o."resultTime" as result_text, o.result as atom,
        o."resultQuality" as quality, o.parameters as parameters, o."Datastream" as datastream,
        {entities.id_in("o." + entities.LINK)} as link, o."FeatureOfInterest" as foi,
        case when {_HAS_PARTS} then '{{}}'::json end as rest
    from (
        {_members("Observations", _IN_PAGE)}
        union all
        {_members("Observations", _IN_THINGS)}
    ) join groups g using (_file, i, j)"""


def rows_of_array(source: str) -> str:
    """The query of the Observations of data arrays, whose columns may come in any order.

    Args:
        source: Query of `_file`, `_row`, `_raw`, `carrier`, `datastream`, `link`, `components`
            and `cells`, the list of a row's values, null where it is none.
    """

    def cell(name: str) -> str:
        return f"cells[list_position(names, '{name}')]"

    return f"""
        select _file, _row, _raw, carrier, datastream, link,
            case when reason is not null then 'layout' end as rule, reason,
            {json_atoms.cell(cell("phenomenonTime"))} as time_text,
            {json_atoms.cell(cell("resultTime"))} as result_text, {cell("result")} as atom,
            {cell("resultQuality")} as quality, {cell("parameters")} as parameters
        from (
            select *, case when len(names) is distinct from len(cells)
                    then 'the row does not have the cells that components lists'
                when list_position(names, 'result') is null
                    then 'components lists no result' end as reason
            from (select *, from_json(components, '["varchar"]') as names from ({source}))
        )"""


_ROWS_OF_ARRAYS: Final = rows_of_array(
    f"""select g._file, before_rows + position as _row, null::varchar as _raw, g.carrier,
        null::json as datastream, null::varchar as link, components, o as cells
    from ({_members("dataArray", _IN_PAGE)}) join groups g using (_file, i, j)"""
)
CUT_SHORT: Final = """insert into elements by name
    select _file, line as _row, rest from groups where rest is not null"""
"""Inserts the entities with a collection that the server cut short; `rest` has only its size."""
_OTHER_FILES: Final = """
    select _file from things where is_other union select _file from streams where is_other
    union select _file from elements
        where rest is not null or rule is null and atom is null and time_text is null"""
