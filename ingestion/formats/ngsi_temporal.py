"""The temporal evolution of NGSI-LD entities, when it is plain: lists of values with their times.

Such a file is read with the few keys that plain instances have. One with any other measurement
is left to the careful way of `ngsi.py`: both give the same rows, by the same numbers, so what is
no measurement holds a place here too.

Source: ETSI GS CIM 009 V1.9.1, section 4.5.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb
import pyarrow as pa

from ingestion.deliveries import Member
from ingestion.reading import elements, json_atoms, plain
from ingestion.reading.offered import Reading
from lakehouse.duck import literal

_KEYS: Final = ("type", "observedAt", "unitCode", "datasetId", "modifiedAt")
_SHAPE: Final = (
    "[{" + '"value": "json", ' + ", ".join(f'"{key}": "varchar"' for key in _KEYS) + "}]"
)
_COUNTED: Final = ("value", "observedAt")
"""Keys that no instance may have twice."""
_TABLE: Final = "evolved"
_COLUMNS: Final = {
    **dict.fromkeys(("device", "channel", "unit"), "varchar"),
    **dict.fromkeys(("longitude", "latitude"), "double"),
    "n_keys": "bigint",  # of those that are counted, in what is no plain instance
    **dict.fromkeys(("is_plain", "is_odd"), "boolean"),
}


def read(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    entities: elements.Insert,
    others: Sequence[str],
    named: Sequence[str],
    careful: plain.Careful,
) -> tuple[Reading | None, list[Member]]:
    """Read such entities.

    Args:
        connection: Where tables are made.
        members: The files.
        entities: From a query of objects to one of entities, as the careful way has them.
        others: Keys of an entity that are no attributes which measure.
        named: Attributes that the contract names.
        careful: Reads files the other way.

    Returns:
        What they hold, if there are any, and the files that are left to the careful way.
    """
    starts = elements.by_start(members)
    plain.create(connection, _TABLE, **_COLUMNS)
    elements.strictly(
        connection,
        starts.get("[", []),
        lambda objects: f"insert into {_TABLE} by name {_rows(entities(objects), others, named)}",
        _objects,
    )
    _say(connection, starts.get("[", []))
    whole = {row[0] for row in connection.execute(_WHOLE).fetchall()}
    left = [member for member in members if member.number not in whole]
    if not whole:
        return None, left
    has_place, has_text, has_result_time, last = connection.execute(
        f"select count(longitude), count(text), count(result_time), max(_file) from {_TABLE}"
    ).fetchall()[0]
    connection.execute(
        f"""set variable first_entry = (select list(first order by number)
            from range({last + 1}) r(number)
            left join (select _file, min(rowid) as first from {_TABLE} group by _file)
                on _file = number)"""
    )
    there = "is_plain"
    if left:
        there += f" and _file not in ({', '.join(str(member.number) for member in left)})"
    numbered = """_file, rowid - getvariable('first_entry')[_file + 1] + 1 as _row"""
    more = ", text" * bool(has_text) + ", result_time" * bool(has_result_time)
    more += ", longitude, latitude" * bool(has_place)
    quick = [member for member in members if member.number in whole]
    return Reading(
        f"select {numbered}, null::varchar as _raw from {_TABLE} where {there}",
        f"""select {numbered}, device, channel, t, cell, value, unit{more}
        from {_TABLE} where {there}""",
        plain.looked_up(connection, quick, careful),
        may_be_silent=False,
    ), left


def _objects(files: str, number: str) -> str:
    """The query of the entities in files that are a list of them."""
    return f"""select {number} as _file, null::bigint as _row, null::varchar as _raw,
            null::varchar as rule, null::varchar as reason, null::bigint as entity_number, entity
        from read_json({files}, format = 'array', records = false,
            columns = {{entity: 'map(varchar, json)'}})"""


_OTHER_KEYS: Final = (
    "languageMap", "vocab", "json", "valueList", "object", "objectList", "values", "metadata",
    "totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq",
)  # fmt: skip
"""Keys that make something else of an instance."""
_MAY_BE_OTHER: Final = f"""regexp_matches(whole::varchar, '"(?:{"|".join(_OTHER_KEYS)})"|\\\\')"""
# A condition is no bar to what stands behind it, so lists would be parsed in vain without CASE.
_NO_MEASUREMENT: Final = f"""case when sign = '{{'
    then (whole->>'$.type') in ('GeoProperty', 'Relationship') and json_exists(whole, '$.value')
        and {json_atoms.problem("whole")} is null else false end"""
"""What the careful way leaves out without giving it a number."""
_DESCRIBES: Final = f"""entity_time is null and time_instant is null and not is_named
    and (sign not in ('{{', '[') or sign = '{{' and json_exists(whole, '$.value')
        and not contains(whole::varchar, 'observedAt') and not {_MAY_BE_OTHER}
        and {json_atoms.problem("whole")} is null)"""
"""What has a number, and is no measurement."""


def _rows(entities: str, others: Sequence[str], named: Sequence[str]) -> str:
    """The query of plain instances, and of all that has a number like one."""
    skipped = ", ".join(literal(name) for name in others)
    n_keys = " + ".join(
        f"coalesce(len(string_split(others, '\"{name}\"')) - 1, 0)" for name in _COUNTED
    )
    listed = f"list_filter(map_entries(entity), lambda e: e.key not in ({skipped}))"
    is_list = "starts_with(e.value::varchar, '[')"
    return f"""
        select _file, device, longitude, latitude, one is not null as is_plain,
            key || coalesce('@' || one.datasetId, '') as channel, one.unitCode as unit,
            {plain.instant("one.observedAt")} as t, {plain.told("one.value")},
            {plain.result_time("one.modifiedAt", "one.observedAt", "t")} as result_time,
            case when key is null then {n_keys} else 0 end as n_keys,
            case when key is null then is_silent
                when one is null then is_list or not coalesce({_DESCRIBES}, false)
                else t is null or one.value is null or starts_with(one.value::varchar, '{{')
                    or is_strange or coalesce(one.type in ('Relationship', 'ListRelationship')
                        or starts_with(one.type, 'Geo') or starts_with(one.type, 'geo:'), false)
                end as is_odd
        from (
            select * exclude (ones, instances), unnest(ones) as one
            from (
                select * exclude (entry), entry.key as key, entry.value as whole,
                    key in ({", ".join(literal(name) for name in named)}) as is_named,
                    left(whole::varchar, 1) as sign, coalesce(sign = '[', false) as is_list,
                    is_list and {_MAY_BE_OTHER} as is_strange,
                    case when is_list then from_json(whole, '{_SHAPE}') end as instances,
                    case when len(instances) > 0 then instances else [null] end as ones
                from (
                    select * exclude (entries), unnest(list_append(entries, null)) as entry
                    from (
                        select _file, device, entity_time, time_instant, point.lon as longitude,
                            point.lat as latitude, {listed} as entries,
                            problem is not null or len(list_filter(entries, lambda e: {is_list}))
                                = 0 as is_silent,
                            list_filter(map_values(entity), lambda value:
                                not starts_with(value::varchar, '['))::varchar as others
                        from ({entities}))
                )
            ) where not coalesce({_NO_MEASUREMENT}, false)
        )"""


def _say(connection: duckdb.DuckDBPyConnection, members: Sequence[Member]) -> None:
    """Make table `said` of how often the keys that are counted stand in files."""
    times: list[int] = []
    for member in members:
        content = member.path.read_bytes()
        times.append(sum(content.count(f'"{key}"'.encode()) for key in _COUNTED))
    numbers = pa.array([member.number for member in members], pa.int32())
    connection.register(
        "counted_keys", pa.table({"_file": numbers, "times": pa.array(times, pa.int64())})
    )
    connection.execute("create temp table said as from counted_keys")
    connection.unregister("counted_keys")


# A plain instance has each of the keys: if they stand there more often, one may have it twice.
_WHOLE: Final = f"""
    select _file
    from (
        select _file, bool_or(is_odd) as is_odd,
            {len(_COUNTED)} * count(*) filter (is_plain) + sum(n_keys) as expected
        from {_TABLE} group by _file)
    join said using (_file)
    where not is_odd and times = expected"""
