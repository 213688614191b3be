"""SensorThings pages of entities that carry Observations, read straight into typed columns.

DuckDB's JSON reader takes such a page apart in one pass, where the careful way of
`sensorthings.py` goes from collection to collection. A file of any other make, or with anything
in it that the types do not say, is left to that one: both give the same rows.

Source: OGC 18-088 (SensorThings API Part 1, version 1.1), sections 9.3.3 and 12.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa

from ingestion.deliveries import Member
from ingestion.formats import sensorthings_carriers as carriers
from ingestion.formats import sensorthings_entities as entities
from ingestion.reading import columns, elements, json_atoms, plain
from ingestion.reading.offered import Reading, geojson_point, quality
from lakehouse.contracts import SourceContract
from lakehouse.duck import identifier

_PEEK: Final = 1 << 16
"""Bytes in which a page shows that its entities carry Observations."""
_SIGNS: Final = (b'"Observations"', b'"dataArray"')


_TABLE: Final = "observed"
"""The Observations of such pages."""


def read(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    contract: SourceContract,
    careful: plain.Careful,
) -> tuple[Reading | None, list[Member]]:
    """Read such pages.

    A key that is not read may stand twice in an Observation.

    Returns:
        What they hold, if there are any, and the files that are left to the careful way.
    """
    files = _files(members)
    plain.create(connection, _TABLE, quality_code="varchar", attributes="varchar", near="json")
    connection.execute(f"create temp table groups ({carriers.GROUPS}); {_LISTS}")
    for (form, _), found in files.items():
        elements.strictly(
            connection, [one.member for one in found], carriers.take, carriers.pages(form)
        )
    _say(connection, [one for found in files.values() for one in found])
    fitting = _numbers(connection, _FITTING)
    for (form, keys), found in files.items():
        pages = [one.member for one in found if one.member.number in fitting]
        for query in _kinds(connection, form, keys):
            elements.strictly(connection, pages, _insert, query)
    whole = _numbers(connection, _WHOLE)
    left = [member for member in members if member.number not in whole]
    for table in (_TABLE, "groups"):
        plain.without(connection, table, left)
    if not whole:
        return None, left
    names = contract.delivery.sensorthings
    by_contract = columns.device(contract, members, lambda name: "null::varchar")
    device = "thing, " * (names.device == "thing") + "datastream_id, datastream_name"
    channel = "property, " * (names.channel == "observed_property") + "datastream_name, 'result'"
    connection.execute(
        f"""create temp table told as
        select origin, line, before, cut_short, coalesce({by_contract}, {device}) as device,
            coalesce({channel}) as channel, unit, {geojson_point("place")} as point, _file
        from (select _file, origin, line, before, cut_short, {carriers.OF_DATASTREAM},
            coalesce({carriers.PLACES}) as place from groups)"""
    )
    read_quickly = [member for member in members if member.number in whole]
    raw = plain.looked_up(connection, read_quickly, careful)
    return Reading(_RECORDS, _offered(connection, contract), raw, may_be_silent=False), left


def _insert(seen: str) -> str:
    return f"insert into {_TABLE} by name {seen}"


_RECORDS: Final = f"""
    select s._file, before + s._row as _row, null::varchar as _raw
    from {_TABLE} s join told using (origin)
    union all
    select _file, line as _row, null::varchar as _raw from told where cut_short is not null"""


def _offered(connection: duckdb.DuckDBPyConnection, contract: SourceContract) -> str:
    """The query of the rows, without the columns that no page tells."""
    has_place, has_quality, has_attributes, is_cut_short = connection.execute(
        f"""select count(near), count(quality_code), count(attributes),
            (select count(cut_short) from told)
        from {_TABLE}"""
    ).fetchall()[0]
    more = ""
    if has_quality:
        more += f", {quality(contract.delivery.quality, 'quality_code')} as quality, quality_code"
    if has_attributes:
        more += ", attributes"
    place = "point"
    if has_place:
        place = f"case when near is not null then {geojson_point('near')} else point end"
    if has_place or connection.execute("select count(point) from told").fetchall()[0][0]:
        more += ", place.lon as longitude, place.lat as latitude"
    rows = f"""
        select _file, _row, device, channel, t, cell, value, text, unit, result_time{more}
        from (select s.* replace (before + s._row as _row), device, channel, unit, {place} as place
            from {_TABLE} s join told using (origin))"""
    if not is_cut_short:
        return rows
    return f"""{rows} union all by name
        select _file, line as _row, device, 'truncated' as rule, cut_short as reason
        from told where cut_short is not null"""


def _numbers(connection: duckdb.DuckDBPyConnection, query: str) -> set[int]:
    return {row[0] for row in connection.execute(query).fetchall()}


@dataclass(frozen=True, slots=True)
class _File:
    """A page, as its bytes look.

    Attributes:
        member: The file.
        keys: The keys that an Observation in it may have; one that stands nowhere is not read.
        lists: How often the names of lists stand in it; null if escapes may hide some.
    """

    member: Member
    keys: tuple[str, ...]
    lists: int | None


def _files(members: Sequence[Member]) -> dict[tuple[str, tuple[str, ...]], list[_File]]:
    """Files whose entities seem to carry Observations, by their form and keys."""
    found: dict[tuple[str, tuple[str, ...]], list[_File]] = {}
    starts = elements.by_start([member for member in members if _is_likely(member)])
    for form in elements.ONE_OBJECT:
        for member in starts.get(form, []):
            file = _looked_at(member)
            found.setdefault((form, file.keys), []).append(file)
    return found


def _is_likely(member: Member) -> bool:
    with member.path.open("rb") as file:
        head = file.read(_PEEK)
    return any(sign in head for sign in _SIGNS)


def _looked_at(member: Member) -> _File:
    content = member.path.read_bytes()
    if b"\\u" in content:  # a key can be written with escapes
        return _File(member, tuple(_OBSERVATION), None)
    keys = tuple(key for key in entities.OBSERVATION if f'"{key}"'.encode() in content)
    return _File(
        member, keys, sum(content.count(f'"{name}"'.encode()) for name in carriers.COLLECTIONS)
    )


def _say(connection: duckdb.DuckDBPyConnection, files: Sequence[_File]) -> None:
    """Insert into `lists` how often the names of lists stand in files."""
    found = {
        "_file": pa.array([one.member.number for one in files], pa.int32()),
        "n_lists": pa.array([one.lists for one in files], pa.int64()),
    }
    connection.register("found_lists", pa.table(found))
    connection.execute("insert into lists from found_lists")
    connection.unregister("found_lists")


_OBSERVATION: Final = entities.OBSERVATION | carriers.COLLECTIONS


def _members(collection: str, source: str, more: str = "") -> str:
    """The query of the members of a collection, each `o` at its `position`."""
    return f"""select _file, {carriers.KEY} as origin, *
        from (select _file, i, j, unnest(e."{collection}") as o,
            generate_subscripts(e."{collection}", 1) as position{more} from ({source}))"""


def _plain(source: str) -> str:
    """The query of Observations; those without a `t` cannot be taken as they are.

    Args:
        source: Query of `_file`, `origin`, `position`, `time_text`, `result_text`, `atom`,
            `quality` and `parameters`, and `near` if there is one.
    """
    return f"""
        select * exclude (position, time_text, result_text, atom, quality, parameters),
            position as _row, {plain.told("atom")},
            {plain.result_time("result_text", "time_text", "t")} as result_time,
            {json_atoms.cell("quality")} as quality_code,
            case when parameters is not null
                then '{{"parameters":' || parameters::varchar || '}}' end as attributes
        from (select *, {plain.instant("time_text")} as t from ({source}))"""


def _kinds(
    connection: duckdb.DuckDBPyConnection, form: str, keys: Sequence[str]
) -> list[elements.Objects]:
    """The queries that read the Observations of files, at each level where there are some."""
    has_inner, has_outer, has_arrays = connection.execute(
        """select bool_or(n_seen > 0 and j > 0), bool_or(n_seen > 0 and j = 0),
            bool_or(n_rows > 0) from groups"""
    ).fetchall()[0]
    carrier = (
        f'struct("Observations" {carriers.struct({key: _OBSERVATION[key] for key in keys})}[])[]'
    )
    inner = (
        f'struct("Datastreams" {carrier})[]',
        lambda page: _seen(carriers.in_things(page), keys),
    )
    outer = (carrier, lambda page: _seen(carriers.in_page(page), keys))
    arrays = ('struct(components json, "dataArray" json[][])[]', _cells)
    wanted = [(has_inner, inner), (has_outer, outer), (has_arrays, arrays)]
    return [_observations(form, *one) for is_there, one in wanted if is_there]


def _observations(form: str, kind: str, rows: Callable[[str], str]) -> elements.Objects:
    """The query of the plain Observations of files, whose pages are of a type."""

    def query(files: str, number: str) -> str:
        how = f"records = true, columns = {{value: '{kind}'}}"
        found = f"read_json({files}, format = '{form}', {how})"
        return rows(f"select {number} as _file, value from {found}")

    return query


def _seen(source: str, keys: Sequence[str]) -> str:
    """The query of the plain Observations that entities carry, which have some keys only."""

    def told(key: str) -> str:
        return f"o.{identifier(key)}" if key in keys else f"null::{_OBSERVATION[key]}"

    odd = ", ".join(f"{told(key)}::varchar" for key in _ODD if key in keys)
    return _plain(
        f"""select _file, origin, position, {told("phenomenonTime")} as time_text,
            {told("resultTime")} as result_text, {told("result")} as atom,
            {told("resultQuality")} as quality, {told("parameters")} as parameters,
            {told("FeatureOfInterest")}->'$.feature' as near
        from ({_members("Observations", source)})
        {f"where coalesce({odd}, null) is null" if odd else ""}"""
    )


_ODD: Final = ("Datastream", "Datastream@iot.navigationLink", *carriers.COLLECTIONS)


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


def _cell(name: str) -> str:
    return f"o[at_{name}]"


_NAMES: Final = ("phenomenonTime", "resultTime", "result", "resultQuality", "parameters")
_PLACES_IN_ARRAY: Final = ", ".join(
    f"list_position(names, '{name}') as at_{name}" for name in _NAMES
)


def _cells(page: str) -> str:
    """The query of the plain Observations of data arrays."""
    listed = f"select *, {carriers.COMPONENTS} as names from ({carriers.in_page(page)})"
    placed = f"select *, {_PLACES_IN_ARRAY}, len(names) as width from ({listed})"
    more = ", width, " + ", ".join(f"at_{name}" for name in _NAMES)
    return _plain(
        f"""select _file, origin, position,
            {json_atoms.cell(_cell("phenomenonTime"))} as time_text,
            {json_atoms.cell(_cell("resultTime"))} as result_text, {_cell("result")} as atom,
            {_cell("resultQuality")} as quality, {_cell("parameters")} as parameters
        from ({_members("dataArray", placed, more)})
        where len(o) = width and at_result is not null"""
    )


_FITTING: Final = "select _file from groups group by _file having not bool_or(is_other)"
_LISTS: Final = "create temp table lists (_file integer, n_lists bigint)"
_WHOLE: Final = f"""
    select _file
    from (
        select _file, sum(coalesce(n_seen, 0) + coalesce(n_rows, 0)) as expected,
            count(n_streams) + count(n_seen) + count(n_rows) as lists_read
        from groups group by _file having not bool_or(is_other))
    join lists using (_file)
    left join (select _file, count(t) as found from {_TABLE} group by _file) using (_file)
    where expected = coalesce(found, 0) and lists_read = coalesce(n_lists, lists_read)"""
