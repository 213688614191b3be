"""Sensor Measurement Lists (SenML) in JSON: one pack a file, or one a line.

A pack is a list of records; a base field stands for all records from its own on, until another
takes its place. `_row` is the number of the record in its file. Where a name has no part for the
channel its unit is the channel: so RFC 8428 tells longitude and latitude of one name apart.

Source: RFC 8428, sections 4 (fields, resolving) and 12.3.1 (labels that end in `_`); RFC 9100.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.formats import senml_packs
from ingestion.reading import clocks, documents, json_atoms, plain
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract
from lakehouse.duck import literal
from lakehouse.errors import DeliveryRefused, Problem

_TEXTS: Final = ("bn", "bu", "n", "u", "vs", "vd")
_NUMBERS: Final = ("bt", "bv", "bs", "t", "v", "s")
_BASES: Final = ("bn", "bt", "bu", "bv", "bs")
_OWN: Final = ("n", "u", "t", "ut", "v", "vs", "vb", "vd", "s")
_SHAPE: Final = "[{" + ", ".join(f'"{name}": "JSON"' for name in (*_BASES, *_OWN, "bver")) + "}]"
_RELATIVE_BELOW: Final = 1 << 28
"""Times below count from now, in seconds; the others from 1970."""

# Version 26 is 10 with secondary units (RFC 9100), which the vocabulary may know.
_VERSIONS: Final = """list_filter(list_transform(records, lambda r: r.bver::varchar),
    lambda version: version is not null)"""
_BAD_VERSION: Final = f"""contains(_raw, '"bver"') and (
    len(list_distinct({_VERSIONS})) > 1
    or len(list_filter({_VERSIONS}, lambda version: coalesce(
        try_cast(version as double) > 10 and try_cast(version as double) <> 26, true))) > 0)"""
_LABELS: Final = """flatten(list_transform(from_json(_raw::json, '["JSON"]'),
    lambda r: json_keys(r)))"""
_NOT_UNDERSTOOD: Final = f"""case when contains(_raw, '_"') or contains(_raw, '\\u')
    then list_filter({_LABELS}, lambda label: suffix(label, '_'))[1] end"""
_PACK_PROBLEM: Final = f"""case
    when damage is not null then damage_reason
    when records is null then 'a SenML pack is a list of records'
    when len(records) = 0 then 'the pack has no record'
    when {_BAD_VERSION} then 'the version of the pack is not understood'
    when {_NOT_UNDERSTOOD} is not null
        then format('the label ''{{}}'' must be understood, and is not', {_NOT_UNDERSTOOD}) end"""
_HAS_LATER_BASES: Final = """regexp_matches(_raw[instr(_raw, '}'):], '"b[ntuvs]"|\\\\u')"""


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read packs.

    Raises:
        DeliveryRefused: The contract's pattern on names has no group `device`.
    """
    split = _split(contract)
    careful = partial(_read_carefully, contract)
    quick, left = senml_packs.read(connection, members, contract, split, careful)
    return plain.beside(connection, quick, left, careful)


def _read_carefully(
    contract: SourceContract, connection: duckdb.DuckDBPyConnection, members: Sequence[Member]
) -> Reading:
    """Read packs, whatever they hold."""
    split = _split(contract)
    documents.load_texts(connection, members, contract)
    connection.execute(
        f"""
        create temp view parsed as
        select *, case when records is null then try_cast(_raw as json) is null
            else false end as is_no_json
        from (select *, try(from_json(_raw, {literal(_SHAPE)})) as records from lines);

        create temp view checked as
        select *, {documents.DAMAGE_REASON} as damage_reason
        from (select *, {documents.damage("is_no_json")} as rule from parsed);

        create temp table packs as
        select _file, _row as pack, rule as damage, {_PACK_PROBLEM} as problem,
            {_HAS_LATER_BASES} as has_later_bases,
            records, coalesce(len(records), 0) as n_records
        from checked;

        -- Apart, because a window would carry the records along.
        create temp table places as
        select _file, pack, {_before(contract)} as before from packs;

        create temp view based as
            {_based("not has_later_bases", "records[1].{0}", "{0}")}
            union all by name
            {_based("has_later_bases", "null", _FILLED)}
            union all by name
            select _file, pack, 1 as number, damage, problem, false as is_bare, false as has_base
            from packs where problem is not null and n_records = 0;

        -- Kept, because a view would be worked out again for every use of its columns.
        create temp table typed as
        select _file, (before + number)::bigint as _row, damage, problem, {_typed()}
        from based join places using (_file, pack);

        create temp table resolved as
        select _file, _row, name, unit, seconds < {_RELATIVE_BELOW} as is_relative, t, cell,
            value, text, has_value, sum_cell, sum, {_RULE} as rule,
            case when problem is not null then problem
                when wrong is not null then format('the field {{}} is of the wrong type', wrong)
                when n_values > 1 then format('the record has {{}} values', n_values) end as reason
        from (
            select *, {_RESOLVED} from typed join files using (_file)
        );
        create temp table names as
        select name, path.device as device, nullif(path.channel, '') as channel,
            case when not regexp_full_match(name, '[A-Za-z0-9][A-Za-z0-9:./_-]*')
                    then 'layout'
                when path.device = '' then 'tag_path' end as name_rule
        from (select name, {split} as path from (select distinct name from resolved))
        """
    )
    return Reading(_RECORDS, _OFFER, may_be_silent=False)


_FILLED: Final = """last_value(record.{0} ignore nulls)
    over (partition by _file, pack order by number)"""


def _before(contract: SourceContract) -> str:
    """SQL of the number of records that stand in the file before a pack."""
    if contract.delivery.framing == "document":
        return "0"
    length = "greatest(n_records, 1)"
    return f"sum({length}) over (partition by _file order by pack) - {length}"


def _based(which: str, first: str, base: str) -> str:
    """Records with the base fields that are in force for them.

    Args:
        which: SQL of the packs that are meant.
        first: SQL of a base field of a pack.
        base: SQL of a base field of a record.
    """
    firsts = ", ".join(f"{first.format(name)} as {name}" for name in _BASES)
    bases = ", ".join(f"{base.format(name)}::varchar as {name}" for name in _BASES)
    own = ", ".join(f"record.{name}::varchar as {name}" for name in _OWN)
    bare = " and ".join(f"record.{name} is null" for name in _OWN)
    has_base = " or ".join(f"record.{name} is not null" for name in (*_BASES, "bver"))
    return f"""
        select _file, pack, number, damage, problem, {bases}, {own},
            {bare} as is_bare, {has_base} as has_base
        from (
            select _file, pack, damage, problem, {firsts},
                unnest(records) as record, generate_subscripts(records, 1) as number
            from packs where {which}
        )"""


def _typed() -> str:
    """The fields of a record by their types, and the first that is of another."""
    wrong = [
        f"when {name} is not null and not starts_with({name}, '\"') then '{name}'"
        for name in _TEXTS
    ]
    wrong += [
        f"when {name} is not null and {_number(name)} is null then '{name}'" for name in _NUMBERS
    ]
    wrong.append("when vb not in ('true', 'false') then 'vb'")
    texts = ", ".join(f"{json_atoms.text(name)} as {name}" for name in ("vs", "vd"))
    numbers = ", ".join(f"{_number(name)} as {name}" for name in ("bv", "bs", "v", "s"))
    return f"""
        coalesce({json_atoms.text("bn")}, '') || coalesce({json_atoms.text("n")}, '') as name,
        coalesce({json_atoms.text("u")}, {json_atoms.text("bu")}) as unit,
        coalesce({_number("bt")}, 0) + coalesce({_number("t")}, 0) as seconds,
        v as v_cell, s as s_cell, vb, {texts}, {numbers}, is_bare, has_base,
        case {" ".join(wrong)} end as wrong"""


def _number(name: str) -> str:
    return f"case when not starts_with({name}, '\"') then try_cast({name} as double) end"


def _split(contract: SourceContract) -> str:
    """SQL that splits a name into device and channel."""
    rule = contract.delivery.device
    if rule is None:
        return f"""case when regexp_matches(name, '{_URN}')
            then regexp_extract(name, '{_URN}', ['device', 'channel'])
            when regexp_matches(name, '{_LAST_PART}')
            then regexp_extract(name, '{_LAST_PART}', ['device', 'channel'])
            else {{'device': name, 'channel': ''}} end"""
    if rule.path is None or "(?P<device>" not in rule.path:
        raise DeliveryRefused(
            Problem(
                f"{contract.path}: customProperties.delivery.device.path",
                "SenML needs a pattern that splits a name",
                "Write one such as '^(?P<device>.+)[:/](?P<channel>[^:/]+)$', or leave it out.",
            )
        )
    if "(?P<channel>" not in rule.path:
        device = f"regexp_extract(name, {literal(rule.path)}, ['device'])"
        return f"{{'device': {device}.device, 'channel': ''}}"
    return f"regexp_extract(name, {literal(rule.path)}, ['device', 'channel'])"


_URN: Final = "^(urn:dev:[^:]+:[^:/]+)(?:[:/](.*))?$"
_LAST_PART: Final = "^(.+)[:/]([^:/]*)$"

_RECORDS: Final = """
    select _file, (before + number)::bigint as _row, _raw
    from (
        select _file, before,
            unnest(case when damage is null and json_array_length(_raw::json) > 0
                then list_transform(from_json(_raw::json, '["JSON"]'), lambda r: r::varchar)
                else [_raw] end) as _raw,
            generate_subscripts(case when n_records > 0 then records else [null] end, 1)
                as number
        from packs join places using (_file, pack)
            join (select _file, _row as pack, _raw from lines) using (_file, pack)
    )"""

_NOW_S: Final = f"case when seconds < {_RELATIVE_BELOW} then epoch_us(received_at) / 1e6 else 0 end"
_RESOLVED: Final = f"""
    (v_cell is not null)::integer + (vs is not null)::integer + (vb is not null)::integer
        + (vd is not null)::integer as n_values,
    n_values = 1 or n_values = 0 and bv is not null and s is null as has_value,
    {clocks.from_epoch_ms(f"(({_NOW_S}) + seconds) * 1e3")} as t,
    coalesce(v_cell, vb, vs, vd, bv::varchar) as cell, coalesce(vs, vd) as text,
    case when vb is not null then (vb = 'true')::integer::double
        when vs is null and vd is null then coalesce(v, 0) + coalesce(bv, 0) end as value,
    coalesce(s_cell, bs::varchar) as sum_cell,
    case when sum_cell is not null then coalesce(s, 0) + coalesce(bs, 0) end as sum"""
_RULE: Final = """case
    when damage is not null then damage
    when problem is not null then 'format'
    when is_bare and has_base then 'base_record'
    when wrong is not null or n_values > 1 then 'layout'
    when name = '' then 'device_missing'
    when t is null then 'time_unreadable'
    when not has_value and sum is null then 'no_measurement' end"""
_REASON: Final = """coalesce(reason, case rule
    when 'base_record' then 'the record only has base fields'
    when 'device_missing' then 'the record has no name'
    when 'layout' then format('the name ''{}'' has signs that names may not have', name)
    when 'tag_path' then format('the name ''{}'' does not fit the contract', name)
    when 'time_unreadable' then 'no calendar has the time'
    when 'no_measurement' then 'the record has no value' end)"""
_CHANNEL: Final = "coalesce(channel, unit, 'value')"
_ATTRIBUTES: Final = """case when is_relative then '{"time_source": "received_at"}' end"""

_OFFER: Final = f"""
    select _file, _row, device, {_CHANNEL} as channel, t, cell, value, text, unit,
        {_ATTRIBUTES} as attributes
    from resolved join names using (name) where rule is null and name_rule is null and has_value
    union all by name
    select _file, _row, device, {_CHANNEL} || '.sum' as channel, t, sum_cell as cell,
        sum as value, {_ATTRIBUTES} as attributes
    from resolved join names using (name)
    where rule is null and name_rule is null and sum is not null
    union all by name
    select _file, _row, device, t, 'bad' as quality, rule, {_REASON} as reason
    from (
        select _file, _row, nullif(device, '') as device, t, name, reason,
            coalesce(rule, name_rule) as rule
        from resolved join names using (name) where coalesce(rule, name_rule) is not null
    )"""
