"""The objects inside JSON documents: a document that is one, a list of them, or a page with a list.

Whole files are read in bulk by DuckDB's own JSON reader, straight into typed columns. That
reader stops at the first damage, key that stands twice or part of another type, so a file it
stops at is read again by the careful way, which marks each object that is wrong and keeps the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import duckdb

from ingestion import documents
from ingestion.deliveries import Member
from lakehouse.contracts import SourceContract
from lakehouse.duck import identifier, literal

_BULK_BYTES: Final = 64 << 20
"""The largest file that is read in bulk; DuckDB holds the whole of one in memory."""
_BAD_FILES: Final = 16
"""After so many files that cannot be read in bulk, the search for others is given up."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object may carry, what is kept of it, and where a page keeps its objects.

    Attributes:
        keys: Keys that are read, with their DuckDB types; `JSON` and `VARCHAR` take anything.
            Without them an object becomes `entity`, a map of all its keys to JSON.
        kept: Columns to keep, with their DuckDB type and their SQL over the keys. Memory is
            what bulk costs, so what most objects lack should be packed together.
        lists: Keys under which a page may keep its list.
        page: Columns made from a key of the page itself: the key, taken as text, and SQL over it.
    """

    keys: Mapping[str, str]
    kept: Mapping[str, tuple[str, str]]
    lists: tuple[str, ...] = ()
    page: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def keeping(self) -> str:
        """SQL of the columns that are kept, over a query with the keys."""
        return ", ".join(f"{sql} as {name}" for name, (_, sql) in self.kept.items())


def load(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    contract: SourceContract,
    shape: Shape,
) -> None:
    """Make table `elements(_file, _row, _raw, rule, reason, …)` with what the shape keeps.

    `_row` is the number of the object in its file, or of its line; `_raw` its text, null where
    it was read in bulk.
    """
    kept = "".join(f", {name} {kind}" for name, (kind, _) in shape.kept.items())
    connection.execute(
        f"""create or replace temp table elements (
            _file integer, _row bigint, _raw varchar, rule varchar, reason varchar{kept})"""
    )
    careful = list(members)
    if contract.delivery.framing == "document":
        careful = _in_bulk(connection, members, shape)
    if careful:
        documents.load(connection, careful, contract)
        _carefully(connection, contract, shape)


def _in_bulk(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], shape: Shape
) -> list[Member]:
    """Read what can be read in bulk; the files that gave nothing are given back."""
    starts: dict[str, list[Member]] = {}
    for member in members:
        starts.setdefault(_first_sign(member), []).append(member)
    _strictly(connection, starts.get("[", []), _list_of(shape))
    if shape.keys and shape.lists:
        _strictly(connection, starts.get("{", []), _page_of(shape))
    taken = {row[0] for row in connection.execute("select distinct _file from elements").fetchall()}
    return [member for member in members if member.number not in taken]


def _first_sign(member: Member) -> str:
    """`[` or `{` when the file begins with it and fits the bulk reader, otherwise nothing."""
    is_pattern = any(sign in str(member.path) for sign in "*?[")
    if is_pattern or member.path.stat().st_size > _BULK_BYTES:
        return ""
    with member.path.open("rb") as file:
        sign = file.read(64).lstrip()[:1].decode("ascii", errors="replace")
    return sign if sign in ("[", "{") else ""


def _strictly(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    statement: Callable[[str, str], str],
) -> None:
    """Insert the objects of files, without those that DuckDB's reader stops at."""
    parts = [list(members)] if members else []
    bad = 0
    while parts and bad < _BAD_FILES:
        part = parts.pop()
        size = max(member.path.stat().st_size for member in part)
        paths = ", ".join(literal(member.path) for member in part)
        numbers = ", ".join(str(member.number) for member in part)
        files = f"[{paths}], maximum_object_size = {max(size + 1024, 1 << 20)}"
        try:
            connection.execute(statement(files, f"[{numbers}][file_index::bigint + 1]"))
        except duckdb.InvalidInputException:
            half = len(part) // 2
            parts += [part[half:], part[:half]] if half else []
            bad += not half


def _declared(shape: Shape, more: str = "") -> str:
    if not shape.keys:
        return "records = false, columns = {entity: 'map(varchar, json)'}"
    found = ", ".join(f"{literal(key)}: {literal(kind)}" for key, kind in shape.keys.items())
    return f"records = true, columns = {{{found}{more}}}"


def _list_of(shape: Shape) -> Callable[[str, str], str]:
    """The insert for files that are a list of objects."""
    names = ", ".join(identifier(key) for key in shape.keys) or "entity"
    page = "".join(f", null as {name}" for name in shape.page)

    def statement(files: str, number: str) -> str:
        return f"""
            insert into elements by name
            select _file, place - min(place) over (partition by _file) + 1 as _row,
                {shape.keeping}
            from (
                select {number} as _file, row_number() over () as place, {names}{page}
                from read_json({files}, format = 'array', {_declared(shape)})
            )"""

    return statement


def _page_of(shape: Shape) -> Callable[[str, str], str]:
    """The insert for files that are a page; other objects give no row."""
    key = shape.lists[0]
    fields = ", ".join(f"{identifier(name)} {kind}" for name, kind in shape.keys.items())
    page = "".join(f", {sql} as {name}" for name, (_, sql) in shape.page.items())
    texts = "".join(f", {literal(key)}: 'varchar'" for key in _page_keys(shape))
    how = f"columns = {{{literal(key)}: {literal(f'struct({fields})[]')}{texts}}}"

    def statement(files: str, number: str) -> str:
        return f"""
            insert into elements by name
            select _file, _row, {shape.keeping}
            from (
                select * exclude ({identifier(key)}), unnest({identifier(key)}, max_depth := 2),
                    generate_subscripts({identifier(key)}, 1) as _row
                from (
                    select {number} as _file, {identifier(key)}{page}
                    from read_json({files}, format = 'unstructured', records = true, {how})
                )
            )"""

    return statement


def _page_keys(shape: Shape) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for key, _ in shape.page.values()))


def _carefully(
    connection: duckdb.DuckDBPyConnection, contract: SourceContract, shape: Shape
) -> None:
    """Take the objects out of `documents` one by one."""
    lists = "".join(
        f" when json_type(document, {literal(_path(key))}) = 'ARRAY'"
        f" then json_extract(document, {literal(_path(key) + '[*]')})"
        for key in shape.lists
    )
    told = "".join(
        f", json_extract_string(document, {literal(_path(key))}) as {identifier(key)}"
        for key in _page_keys(shape)
    )
    page = "".join(f", {sql} as {name}" for name, (_, sql) in shape.page.items())
    is_line = "true" if contract.delivery.framing == "lines" else "false"
    connection.execute(
        f"""
        insert into elements by name
        select _file, case when {is_line} then line else place end as _row,
            case when {is_line} then _raw else object::varchar end as _raw,
            case when reason is not null then 'layout' end as rule, reason, {shape.keeping}
        from (select *, {taken("object", shape)} from (select *, {problem("object")} as reason from (
            select * exclude (objects), unnest(objects) as object,
                generate_subscripts(objects, 1) as place
            from (
                select _file, _row as line, _raw{page},
                    case when json_type(document) = 'ARRAY' then json_extract(document, '$[*]')
                        {lists} else [document] end as objects
                from (select *{told} from documents where rule is null)
            ))))
        union all by name
        select _file, _row, _raw, rule, reason from documents where rule is not null
        """
    )


def _path(key: str) -> str:
    return f'$."{key}"'


def problem(json: str) -> str:
    """SQL of why a JSON value is no object that can be taken apart; null when it is one."""
    keys = f"json_keys({json})"
    return f"""case when coalesce(json_type({json}), 'NULL') <> 'OBJECT'
            then 'this is no JSON object: ' || left({json}::varchar, 60)
        when len({keys}) > len(list_distinct({keys})) then 'an object names a key twice' end"""


def taken(json: str, shape: Shape) -> str:
    """SQL of the columns of an object; all null for what `problem` has found out."""
    whole = f"case when reason is null then {json} else '{{}}' end"
    if not shape.keys:
        return f"""from_json({whole}, '"map(varchar, json)"') as entity"""
    structure = ", ".join(f'"{key}": "{kind}"' for key, kind in shape.keys.items())
    return f"unnest(from_json({whole}, {literal(f'{{{structure}}}')}))"
