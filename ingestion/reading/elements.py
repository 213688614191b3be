"""The objects inside JSON documents: a document that is one, a list of them, or a page with a list.

Whole files are read in bulk by DuckDB's own JSON reader, straight into typed columns. That
reader stops at the first damage, key that stands twice or part of another type, so a file it
stops at is read again by the careful way, which marks each object that is wrong and keeps the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import documents, json_atoms, long_numbers
from lakehouse.contracts import SourceContract
from lakehouse.duck import identifier, literal

_BULK_BYTES: Final = 64 << 20
"""The largest file that is read in bulk; DuckDB holds the whole of one in memory."""
_AT_ONCE: Final = 16 << 20
"""Bytes that are taken apart at once: values unfold to ten times their text in memory."""
_PEEK: Final = 4096
"""Bytes that show how a document begins, and whether it is written on one line."""
_BAD_FILES: Final = 16
"""After so many files that cannot be read in bulk, the search for others is given up."""


Insert = Callable[[str], str]
"""From a query of objects to the statement that inserts what is wanted of them.

The query has `_file`, `_row` (number of the object in its file, or of its line; null where a
list of maps was read in bulk), `_raw` (its text, null where it was read in bulk), `rule`,
`reason`, the columns of the page and those of the object.
"""


Objects = Callable[[str, str], str]
"""From the files, as `read_json` takes them, and SQL of their numbers to a query of objects."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object may carry, and where a page keeps its objects.

    Attributes:
        keys: Keys that are read, with their DuckDB types; `JSON` and `VARCHAR` take anything.
            Without them an object becomes `entity`, a map of all its keys to JSON.
        under: Key under which a page keeps its list; None when there are no pages.
        page: Columns made from a key of the page itself: the key, taken as text, and SQL over it.
    """

    keys: Mapping[str, str]
    under: str | None = None
    page: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def load(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    contract: SourceContract,
    shape: Shape,
    table: str,
    insert: Insert,
) -> None:
    """Insert what is wanted of all objects into a table, which has a column `_file`."""
    careful = list(members)
    if contract.delivery.framing == "document":
        careful = _in_bulk(connection, members, shape, table, insert)
    if not careful:
        return
    documents.load(connection, careful, contract)
    for condition in batches(connection, "documents", "_raw"):
        connection.execute(insert(_carefully(contract, shape, condition)))


def batches(connection: duckdb.DuckDBPyConnection, table: str, text: str) -> list[str]:
    """Conditions that part a table by the size of a text, which may unfold to very much."""
    ends = connection.execute(
        f"""
        select max(place) from (
            select rowid as place, sum(strlen({text})) over (order by rowid) as bytes
            from {table} where {text} is not null)
        group by bytes // {_AT_ONCE} order by 1
        """
    ).fetchall()
    starts = [(-1,), *ends]
    return [
        f"{table}.rowid > {start} and {table}.rowid <= {end}"
        for (start,), (end,) in zip(starts, ends, strict=False)
    ]


def _in_bulk(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    shape: Shape,
    table: str,
    insert: Insert,
) -> list[Member]:
    """Read what can be read in bulk; the files that gave nothing are given back."""
    starts = by_start(members)
    strictly(connection, starts.get("[", []), insert, _list_of(shape))
    for form in ONE_OBJECT:
        objects = _page_of(shape, form) if shape.keys else _map_of(shape, form)
        strictly(connection, starts.get(form, []), insert, objects)
    taken = {row[0] for row in connection.execute(f"select distinct _file from {table}").fetchall()}
    return [member for member in members if member.number not in taken]


ONE_OBJECT: Final = ("newline_delimited", "unstructured")
"""How DuckDB reads files that begin with an object: the first is several times as fast."""


def by_start(members: Sequence[Member]) -> dict[str, list[Member]]:
    """Files that fit the bulk reader, by how they begin: `[`, or one of `ONE_OBJECT`."""
    found: dict[str, list[Member]] = {}
    for member in members:
        if not fits(member):
            continue
        if long_numbers.are_in(member.path):
            continue  # the careful way keeps their digits
        with member.path.open("rb") as file:
            head = file.read(_PEEK).lstrip()
        if head.startswith(b"["):
            found.setdefault("[", []).append(member)
        elif head.startswith(b"{"):
            # A line end further down stops the reader, and the careful way follows.
            found.setdefault(ONE_OBJECT[b"\n" in head.rstrip()], []).append(member)
    return found


def fits(member: Member) -> bool:
    """Whether DuckDB's reader may have a file: it takes signs in a path for a pattern."""
    is_pattern = any(sign in str(member.path) for sign in "*?[")
    return not is_pattern and member.path.stat().st_size <= _BULK_BYTES


def strictly(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    insert: Insert,
    objects: Objects,
) -> None:
    """Insert the objects of files, without those that DuckDB's reader stops at."""
    waiting = list(parts(members))
    bad = 0
    while waiting and bad < _BAD_FILES:
        part = waiting.pop()
        size = max(member.path.stat().st_size for member in part)
        paths = ", ".join(literal(member.path) for member in part)
        numbers = ", ".join(str(member.number) for member in part)
        files = f"[{paths}], maximum_object_size = {max(size + 1024, 1 << 20)}"
        try:
            connection.execute(insert(objects(files, f"[{numbers}][file_index::bigint + 1]")))
        except duckdb.InvalidInputException:
            half = len(part) // 2
            waiting += [part[half:], part[:half]] if half else []
            bad += not half


def parts(members: Sequence[Member]) -> Iterator[list[Member]]:
    """The files, as many together as may be taken apart at once."""
    part: list[Member] = []
    size = 0
    for member in members:
        part.append(member)
        size += member.path.stat().st_size
        if size >= _AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


def _declared(shape: Shape, more: str = "") -> str:
    if not shape.keys:
        return "records = false, columns = {entity: 'map(varchar, json)'}"
    found = ", ".join(f"{literal(key)}: {literal(kind)}" for key, kind in shape.keys.items())
    return f"records = true, columns = {{{found}{more}}}"


_UNMARKED: Final = "null::varchar as _raw, null::varchar as rule, null::varchar as reason"


def _list_of(shape: Shape) -> Objects:
    """The query of the objects in files that are a list of them."""
    names = ", ".join(identifier(key) for key in shape.keys) or "entity"
    page = "".join(f", null as {name}" for name in shape.page)

    def query(files: str, number: str) -> str:
        found = f"read_json({files}, format = 'array', {_declared(shape)})"
        if not shape.keys:  # numbering would keep DuckDB from reading files side by side
            return (
                f"select {number} as _file, null::bigint as _row, {_UNMARKED}, {names} from {found}"
            )
        return f"""
            select * exclude (place), place - min(place) over (partition by _file) + 1 as _row
            from (
                select {number} as _file, row_number() over () as place, {_UNMARKED}, {names}{page}
                from {found})"""

    return query


def _map_of(shape: Shape, form: str) -> Objects:
    """The query of the objects in files that are one, or a page of them, as maps."""
    listed = f"entity[{literal(shape.under)}]" if shape.under else "null::json"

    def query(files: str, number: str) -> str:
        return f"""
            select * exclude (entities), unnest(entities) as entity
            from (
                select {number} as _file, null::bigint as _row, {_UNMARKED},
                    case when starts_with({listed}::varchar, '[')
                        then from_json({listed}, '["map(varchar, json)"]')
                        else [entity] end as entities
                from read_json({files}, format = '{form}', {_declared(shape)})
            )"""

    return query


def _page_of(shape: Shape, form: str) -> Objects:
    """The query of the objects in files that are a page; other files give none."""
    key = identifier(shape.under or "")
    fields = ", ".join(f"{identifier(name)} {kind}" for name, kind in shape.keys.items())
    page = "".join(f", {sql} as {name}" for name, (_, sql) in shape.page.items())
    texts = "".join(f", {literal(key)}: 'varchar'" for key in _page_keys(shape))
    how = f"columns = {{{literal(shape.under)}: {literal(f'struct({fields})[]')}{texts}}}"

    def query(files: str, number: str) -> str:
        return f"""
            select * exclude ({key}), unnest({key}, max_depth := 2),
                generate_subscripts({key}, 1) as _row
            from (
                select {number} as _file, {_UNMARKED}, {key}{page}
                from read_json({files}, format = '{form}', records = true, {how})
            ) where len({key}) = list_count({key})"""  # else null would be an empty object

    return query


def _carefully(contract: SourceContract, shape: Shape, condition: str) -> str:
    """The query of the objects in `documents`, taken out one by one."""
    told = "".join(
        f", json_extract_string(document, {literal(_path(key))}) as {identifier(key)}"
        for key in _page_keys(shape)
    )
    page = "".join(f", {sql} as {name}" for name, (_, sql) in shape.page.items())
    is_line = "true" if contract.delivery.framing == "lines" else "false"
    listed = ""
    if shape.under:
        listed = f"""when json_type(document, {literal(_path(shape.under))}) = 'ARRAY'
            then json_extract(document, {literal(_path(shape.under) + "[*]")})"""
    return f"""
        select * exclude (object, line, place, _raw),
            case when {is_line} then line else place end as _row,
            case when {is_line} then _raw else object::varchar end as _raw,
            case when reason is not null then 'layout' end as rule, {taken("object", shape)}
        from (select *, {json_atoms.problem("object")} as reason from (
            select * exclude (objects), unnest(objects) as object,
                generate_subscripts(objects, 1) as place
            from (
                select _file, _row as line, _raw{page},
                    case when json_type(document) = 'ARRAY' then json_extract(document, '$[*]')
                        {listed} else [document] end as objects
                from (select *{told} from documents where rule is null and {condition})
            )))
        union all by name
        select _file, _row, _raw, rule, reason from documents where rule is not null and {condition}
    """


def _page_keys(shape: Shape) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for key, _ in shape.page.values()))


def _path(key: str) -> str:
    return f'$."{key}"'


def taken(json: str, shape: Shape) -> str:
    """SQL of the columns of an object; all null for what `json_atoms.problem` has found out."""
    whole = f"case when reason is null then {json} else '{{}}' end"
    if not shape.keys:
        return f"""from_json({whole}, '"map(varchar, json)"') as entity"""
    structure = ", ".join(f'"{key}": "{kind}"' for key, kind in shape.keys.items())
    return f"unnest(from_json({whole}, {literal(f'{{{structure}}}')}))"
