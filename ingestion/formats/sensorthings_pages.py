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
    files = elements.by_start([member for member in members if _is_likely(member)])
    connection.execute(f"create temp table pages (_file integer, value {_PAGE}, link varchar)")
    for form in elements.ONE_OBJECT:
        elements.strictly(
            connection, files.get(form, []), lambda page: f"insert into pages {page}", _pages(form)
        )
    for table, query in (("things", _THINGS), ("streams", _STREAMS), ("groups", _GROUPS)):
        connection.execute(f"create temp table {table} as {query}")
    connection.execute(f"insert into carriers by name {_CARRIERS}")
    fitting = _numbers(connection, _FITTING)
    for form in elements.ONE_OBJECT:
        pages = [member for member in files.get(form, []) if member.number in fitting]
        _load_observations(connection, pages, form)
    connection.execute(f"insert into elements by name {_ROWS_OF_ARRAYS}")
    whole = fitting - _numbers(connection, _OTHER_FILES)
    left = [member for member in members if member.number not in whole]
    if left:
        numbers = ", ".join(str(member.number) for member in left)
        for table in ("elements", "groups"):
            connection.execute(f"delete from {table} where _file in ({numbers})")
    for table in ("pages", "things", "streams"):
        connection.execute(f"drop table {table}")
    return left


def _load_observations(
    connection: duckdb.DuckDBPyConnection, pages: Sequence[Member], form: str
) -> None:
    levels = connection.execute("select distinct j > 0 from groups where n_seen > 0").fetchall()
    for (is_inner,) in levels:
        elements.strictly(
            connection,
            pages,
            lambda seen: f"insert into elements by name {seen}",
            _observations(form, is_inner=is_inner),
        )


def _numbers(connection: duckdb.DuckDBPyConnection, query: str) -> set[int]:
    return {row[0] for row in connection.execute(query).fetchall()}


def _is_likely(member: Member) -> bool:
    with member.path.open("rb") as file:
        head = file.read(_PEEK)
    return any(sign in head for sign in _SIGNS)


def _struct(keys: Mapping[str, str]) -> str:
    return f"struct({', '.join(f'{identifier(key)} {kind}' for key, kind in keys.items())})"


_COLLECTIONS: Final = dict.fromkeys((*entities.COLLECTIONS, "dataArray"), "json")
# Observations are only counted here, and read later: a table of them would be one copy more.
_COUNTED: Final = {"Observations": "struct(nothing json)[]"}
_STREAM: Final = _struct(entities.RARE | _COUNTED)
_TYPED: Final = _COUNTED | {"Datastreams": f"{_STREAM}[]", "dataArray": "json[][]"}
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
_COMPONENTS: Final = """from_json(e.components, '["varchar"]')"""
_AT_MOST: Final = 1 << 21
_KEY: Final = f"((_file + 1)::bigint * {_AT_MOST} + i) * {_AT_MOST} + j"
"""SQL of the number of a carrier, which needs no join; the careful way counts from 1."""


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
                or e."MultiDatastreams" is not null or greatest(i, j) >= {_AT_MOST}
                or n_seen is not null and n_rows is not null or {is_other} as is_other
        from (select *, {entities.KIND} as kind from ({source}))"""


def _before(lengths: str) -> str:
    """SQL of how many members of a collection stand in a file before those of an entity."""
    window = "partition by _file order by line rows unbounded preceding"
    return f"coalesce(sum({lengths}) over ({window}), 0) - coalesce({lengths}, 0)"


def _in_page(page: str) -> str:
    """The query of the entities at the top of pages."""
    return f"""select * exclude (value), unnest(value) as e, generate_subscripts(value, 1) as i,
        0 as j from {page}"""


def _in_things(page: str) -> str:
    """The query of the Datastreams in them."""
    return f"""select _file, i, unnest(e."Datastreams") as e,
        generate_subscripts(e."Datastreams", 1) as j from ({_in_page(page)})"""


_THINGS: Final = _entities(
    f"select *, i as line, null::varchar as is_in, {_NOTHING} from ({_in_page('pages')})",
    f"""len(e."Datastreams") as n_streams, len(e."dataArray") as n_rows,
        case when n_rows is not null then e."Datastream" end as datastream, case when n_rows
        is not null then coalesce({entities.id_in("e." + entities.LINK)}, link) end as link""",
    "coalesce(n_streams, n_seen, n_rows) is null",
)
_STREAMS: Final = _entities(
    f"""select e.*, n_things + before + j as line, 'Datastreams' as is_in, {_TOLD}
        from ({_in_things("pages")}) e join (
            select _file, i, count(*) over (partition by _file) as n_things,
                {_before("n_streams")} as before, {_TOLD} from things) using (_file, i)""",
    "null::bigint as n_streams, null::bigint as n_rows",
    'n_seen is null or e."Datastreams" is not null or e."dataArray" is not null',
)
# A record's number is its place in the page, or the next free one, collection by collection.
_GROUPS: Final = f"""
    select *, {_KEY} as carrier, last + case when n_rows is null then {_before("n_seen")}
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

_CARRIERS: Final = (
    f"select carrier, before, {OF_DATASTREAM}, coalesce({PLACES}) as place from groups"
)


def _members(collection: str, source: str, more: str = "") -> str:
    """The query of the members of a collection, each `o` at its `position`."""
    return f"""select _file, position as _row, {_KEY} as carrier, *
        from (select _file, i, j, unnest(e."{collection}") as o,
            generate_subscripts(e."{collection}", 1) as position{more} from ({source}))"""


_HAS_PARTS: Final = " or ".join(f"o.{identifier(name)} is not null" for name in _COLLECTIONS)
_SEEN: Final = f"{_struct(entities.OBSERVATION | _COLLECTIONS)}[]"


def _observations(form: str, *, is_inner: bool) -> elements.Objects:
    """The query of the Observations of files, those of their inner or outer entities."""
    carrier = f'struct("Observations" {_SEEN})[]'
    if is_inner:
        carrier = f'struct("Datastreams" {carrier})[]'

    def query(files: str, number: str) -> str:
        page = f"""(select {number} as _file, value from read_json({files}, format = '{form}',
            records = true, columns = {{value: '{carrier}'}}))"""
        seen = _members("Observations", _in_things(page) if is_inner else _in_page(page))
        return f"""
            select _file, _row, carrier,
                o."phenomenonTime" as time_text, o."resultTime" as result_text, o.result as atom,
                o."resultQuality" as quality, o.parameters as parameters,
                o."Datastream" as datastream, {entities.id_in("o." + entities.LINK)} as link,
                o."FeatureOfInterest" as foi,
                case when {_HAS_PARTS} then '{{}}'::json end as rest
            from ({seen})"""

    return query


def rows_of_array(source: str) -> str:
    """The query of the Observations of data arrays, whose columns may come in any order.

    Args:
        source: Query of `_file`, `_row`, `_raw`, `carrier`, `datastream`, `link`, `names` (what
            `components` lists) and `cells`, the list of a row's values, null where it is none.
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
            from ({source})
        )"""


_ROWS_OF_ARRAYS: Final = rows_of_array(
    f"""select *, null::varchar as _raw, null::json as datastream, null::varchar as link, o as cells
    from ({_members("dataArray", _in_page("pages"), f", {_COMPONENTS} as names")})"""
)
CUT_SHORT: Final = """insert into elements by name
    select _file, line as _row, rest from groups where rest is not null"""
"""Inserts the entities with a collection that the server cut short; `rest` has only its size."""
_FITTING: Final = """
    select _file from groups group by _file having not bool_or(is_other)"""
_OTHER_FILES: Final = """
    select _file from elements
    where rest is not null or rule is null and atom is null and time_text is null
    union
    select _file
    from (select _file, sum(coalesce(n_seen, 0) + coalesce(n_rows, 0)) as expected
        from groups group by _file)
    left join (select _file, count(*) as found from elements group by _file) using (_file)
    where expected <> coalesce(found, 0)"""
