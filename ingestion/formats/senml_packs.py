"""SenML packs of plain measurements, read straight into typed columns.

A pack is plain if only its first record has base fields, and every other one a single value with
a time since 1970. A file with any other pack is left to the careful way of `senml.py`: both give
the same rows.

Source: RFC 8428, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import clocks, elements, json_atoms, plain
from ingestion.reading.census import census
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract

_ALWAYS: Final = ("bn", "bt", "n", "u", "t", "v")
_SELDOM: Final = ("bu", "bv", "bs", "bver", "vs", "vb", "vd", "s")
_STRANGE: Final = (b'_"', b"\\")
"""A label that must be understood, and escapes that could hide one."""
_ABSOLUTE_FROM: Final = 1 << 28
"""Times below count from now, in seconds."""
_TABLE: Final = "measured"

Kind = tuple[bool, tuple[str, ...]]
"""Whether each pack stands on one line, and the fields that records may have."""


def read(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    contract: SourceContract,
    split: str,
    careful: plain.Careful,
) -> tuple[Reading | None, list[Member]]:
    """Read such packs.

    Args:
        connection: Where tables are made.
        members: The files.
        contract: Its framing.
        split: SQL that splits a name into device and channel.
        careful: Reads files the other way.

    Returns:
        What they hold, if there are any, and the files that are left to the careful way.
    """
    is_document = contract.delivery.framing == "document"
    files: dict[Kind, list[Member]] = {}
    packs: dict[int, int] = {}
    for member in members:
        if not elements.fits(member):
            continue
        words = [*_STRANGE, *(f'"{name}"'.encode() for name in _SELDOM)]
        found = census(member.path, words, long_numbers=True)
        if not found.is_clean or found.has_long_numbers or any(found.words[: len(_STRANGE)]):
            continue
        seldom = zip(_SELDOM, found.words[len(_STRANGE) :], strict=True)
        fields = (*_ALWAYS, *(name for name, times in seldom if times))
        files.setdefault((not is_document or found.lines == 1, fields), []).append(member)
        packs[member.number] = 1 if is_document else found.lines
    columns = {"number": "bigint", "name": "varchar", "unit": "varchar"}
    plain.create(connection, _TABLE, **columns, is_base="boolean", is_odd="boolean")
    for (is_line, fields), group in files.items():
        elements.strictly(connection, group, _insert, _packs(fields, is_line=is_line))
    connection.execute(
        f"""create temp table plain_names as
        select name, path.device as device, nullif(path.channel, '') as channel
        from (select name, {split} as path from (select distinct name from {_TABLE}))"""
    )
    whole = {
        file
        for file, found_packs, first in connection.execute(_WHOLE).fetchall()
        if found_packs == packs[file]
    }
    left = [member for member in members if member.number not in whole]
    if not whole:
        return None, left
    source = _numbered(connection, left, is_document=is_document)
    quick = [member for member in members if member.number in whole]
    raw = plain.looked_up(connection, quick, careful)
    records = f"select _file, _row, null::varchar as _raw from ({source})"
    return Reading(records, _offered(connection, source), raw, may_be_silent=False), left


def _insert(rows: str) -> str:
    return f"insert into {_TABLE} by name {rows}"


def _packs(fields: Sequence[str], *, is_line: bool) -> elements.Objects:
    """The query of the records of packs, in their order."""
    shape = ", ".join(f"{name} json" for name in fields)
    form = "newline_delimited" if is_line else "unstructured"

    def query(files: str, number: str) -> str:
        packs = f"""select {number} as _file, pack from read_json({files}, format = '{form}',
            records = false, columns = {{pack: 'struct({shape})[]'}})"""
        return _records(packs, fields)

    return query


def _records(packs: str, fields: Sequence[str]) -> str:
    """The query of plain records; `is_odd` are those that are not."""

    def own(name: str) -> str:
        return f"o.{name}::varchar" if name in fields else "null::varchar"

    bases = [name for name in ("bn", "bt", "bu") if name in fields]
    base = {name: name if name in bases else "null::varchar" for name in ("bn", "bt", "bu")}
    texts = [base["bn"], base["bu"], own("n"), own("u"), own("vs")]
    is_text = " and ".join(f"coalesce(starts_with({text}, '\"'), true)" for text in texts)
    is_told = " and ".join(f"{own(name)} is null" for name in ("bv", "bs", "vd", "s"))
    is_later = " or ".join(f"{own(name)} is not null" for name in (*bases, "bver"))
    is_bare = " and ".join(f"{own(name)} is null" for name in ("n", "u", "t", "v", "vs", "vb"))
    return f"""
        select _file, number, name, unit, is_base, text,
            case when vb then 'true' when not vb then 'false' else coalesce(text, v_cell) end
                as cell,
            case when vb is not null then vb::integer::double else v_number end as value,
            {clocks.from_epoch_ms("seconds * 1e3")} as t,
            not is_sound or name = '' or t is null
                or not is_base and seconds < {_ABSOLUTE_FROM}
                or not is_base and (v_number is not null)::integer
                    + (text is not null)::integer + (vb is not null)::integer <> 1 as is_odd
        from (
            select _file, number, {own("v")} as v_cell, {_number(own("v"))} as v_number,
                {_number(own("t"))} as t_s, {_number(base["bt"])} as bt_s,
                coalesce(bt_s, 0) + coalesce(t_s, 0) as seconds,
                {json_atoms.text(own("vs"))} as text, try_cast({own("vb")} as boolean) as vb,
                coalesce({json_atoms.text(base["bn"])}, '')
                    || coalesce({json_atoms.text(own("n"))}, '') as name,
                coalesce({json_atoms.text(own("u"))}, {json_atoms.text(base["bu"])}) as unit,
                {is_bare} and number = 1 and ({is_later}) as is_base,
                o is not null and {is_text} and {is_told}
                    and (number = 1 or not ({is_later}))
                    and coalesce({own("bver")} = '10', true)
                    and (v_cell is null) = (v_number is null)
                    and ({own("t")} is null) = (t_s is null)
                    and ({base["bt"]} is null) = (bt_s is null)
                    and coalesce({own("vb")} in ('true', 'false'), true) as is_sound
            from (
                select _file, {"".join(f"pack[1].{name}::varchar as {name}, " for name in bases)}
                    unnest(pack) as o, generate_subscripts(pack, 1) as number
                from ({packs}))
        )"""


def _number(text: str) -> str:
    return f"case when not starts_with({text}, '\"') then try_cast({text} as double) end"


# A name that has signs it may not have, or no device, is odd too.
_WHOLE: Final = f"""
    select _file, count(*) filter (number = 1), min(rowid) as first from {_TABLE}
    group by _file
    having not bool_or(is_odd or name in (
        select name from plain_names where coalesce(device, '') = ''
            or not regexp_full_match(name, '[A-Za-z0-9][A-Za-z0-9:./_-]*')))"""


def _numbered(
    connection: duckdb.DuckDBPyConnection, left: Sequence[Member], *, is_document: bool
) -> str:
    """The query of the records with their numbers, without the files that are left."""
    there = "true"
    if left:
        there = f"_file not in ({', '.join(str(member.number) for member in left)})"
    if is_document:
        return f"select *, number as _row from {_TABLE} where {there}".replace(
            "*", "* exclude (_row)"
        )
    # The records of a file stand in the table one after the other.
    connection.execute(
        f"""set variable first_record = (select list(first order by number)
            from range((select max(_file) + 1 from {_TABLE})) r(number)
            left join (select _file, min(rowid) as first from {_TABLE} group by _file)
                on _file = number)"""
    )
    return f"""select * replace (rowid - getvariable('first_record')[_file + 1] + 1 as _row)
        from {_TABLE} where {there}"""


def _offered(connection: duckdb.DuckDBPyConnection, source: str) -> str:
    has_bases, has_texts = connection.execute(
        f"select bool_or(is_base), count(text) from {_TABLE}"
    ).fetchall()[0]
    text = "text, " * bool(has_texts)
    rows = f"""
        select _file, _row, device, coalesce(channel, unit, 'value') as channel, t, cell, value,
            {text}unit
        from ({source}) join plain_names using (name)"""
    if not has_bases:
        return rows
    return f"""{rows} where not is_base
        union all by name
        select _file, _row, device, t, 'bad' as quality, 'base_record' as rule,
            'the record only has base fields' as reason
        from ({source}) join plain_names using (name) where is_base"""
