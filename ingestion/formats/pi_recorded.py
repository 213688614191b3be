"""Recorded values of a PI System, as PI Web API answers: sets of streams, or one stream.

A stream is called by its path, or by its name where it has none; an answer about one stream names
none, so its file's name counts. `delivery.device.path` splits what it is called into device and
channel. A value that is an object is a state: of a good one its name is the value, of a bad one
(`No Data`, `I/O Timeout`, …) the name is the quality code and the row a gap.

Source: PI Web API Reference, StreamSet `GetRecorded`, Stream `GetRecorded`. Timestamps have seven
decimals, of which six are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import duckdb
import pyarrow as pa

from ingestion.deliveries import Member
from ingestion.reading import clocks, documents, json_atoms, tag_paths
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract
from lakehouse.duck import literal


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read answers of PI Web API, one a file.

    Raises:
        DeliveryRefused: The contract does not say which part of a path is the device.
    """
    pattern = tag_paths.pattern(contract)
    whole = contract.delivery.model_copy(update={"framing": "document"})
    documents.load(connection, members, replace(contract, delivery=whole))
    labels = [member.label.removesuffix(".json") for member in members]
    connection.register(
        "labels",
        pa.table({"_file": pa.array([m.number for m in members], pa.int32()), "label": labels}),
    )
    connection.execute(_VALUES)
    connection.unregister("labels")
    connection.execute(_TOLD.format(pattern=literal(pattern)))
    return Reading("select _file, _row, _raw from pi_told", _OFFER)


def _name(node: str) -> str:
    return f"""coalesce(nullif({node}->>'Path', ''), nullif({node}->>'Name', ''))"""


_VALUES = f"""
create temp table pi_values as
with answers as (
    select _file, _raw, document, label,
        case
            when rule is not null then rule
            when json_type(document, '$.Items') is distinct from 'ARRAY' then 'format'
            when {json_atoms.names_twice("document")} then 'layout'
        end as rule,
        case
            when d.rule is not null then reason
            when json_type(document, '$.Items') is distinct from 'ARRAY'
                then 'no answer of PI Web API: it has no list Items'
            when {json_atoms.names_twice("document")} then '{json_atoms.TWICE}'
        end as reason
    from documents d join labels using (_file)
),
listed as (
    select _file, document, label, unnest(json_extract(document, '$.Items[*]')) as item,
        generate_subscripts(json_extract(document, '$.Items[*]'), 1) as place,
        json_type(item, '$.Items') = 'ARRAY' as is_stream
    from answers where rule is null
)
select _file, place, inside, stream, value, null::varchar as _raw,
    null::varchar as rule, null::varchar as reason
from (
    select _file, place, {_name("item")} as stream,
        unnest(json_extract(item, '$.Items[*]')) as value,
        generate_subscripts(json_extract(item, '$.Items[*]'), 1) as inside
    from listed where is_stream and not {json_atoms.names_twice("item")}
    union all
    select _file, place, coalesce({_name("document")}, label), item, 0
    from listed where is_stream is not true
)
union all
select _file, place, 0, null, null, item::varchar, 'layout', '{json_atoms.TWICE}'
from listed where is_stream and {json_atoms.names_twice("item")}
union all
select _file, 0, 0, null, null, _raw, rule, reason from answers where rule is not null
"""

_TIME = clocks.parse("value->>'Timestamp'", "iso8601")

_TOLD = f"""
create temp table pi_told as
select _file, row_number() over (partition by _file order by place, inside) as _row,
    coalesce(_raw, to_json({{{{stream: stream, value: value}}}})::varchar) as _raw,
    stream, value, value->'Value' as given, json_type(value, '$.Value') as kind,
    value->'$.Value.Name' as state,
    path, t,
    case
        when rule is not null then rule
        when json_type(value) is distinct from 'OBJECT' then 'format'
        when json_exists(value, '$.Errors') then 'format'
        when {json_atoms.names_twice("value")} then 'layout'
        when path.device = '' or path.channel = '' then 'tag_path'
        when value->>'Timestamp' is null then 'time_missing'
        when t is null then 'time_unreadable'
        when kind is null then 'no_measurement'
        when kind = 'ARRAY' or (kind = 'OBJECT' and json_type(state) is distinct from 'VARCHAR')
            then 'format'
    end as rule,
    case
        when rule is not null then reason
        when json_type(value) is distinct from 'OBJECT' then 'this is no value of a stream'
        when json_exists(value, '$.Errors')
            then 'the server could not read it: ' || (value->>'Errors')
        when {json_atoms.names_twice("value")} then '{json_atoms.TWICE}'
        when path.device = '' or path.channel = ''
            then format('the path ''{{{{}}}}'' does not fit the contract', coalesce(stream, ''))
        when value->>'Timestamp' is null then 'the value has no time'
        when t is null
            then format('the time ''{{{{}}}}'' cannot be read as an instant', value->>'Timestamp')
        when kind is null then 'it carries no Value'
        else 'its Value is neither a plain value nor a state'
    end as reason
from (
    select *, {_TIME.instant.replace("{", "{{").replace("}", "}}")} as t,
        regexp_extract(coalesce(stream, ''), {{pattern}}, ['device', 'channel']) as path
    from pi_values
)
"""

_STATE = json_atoms.text("state")

_OFFER = f"""
select _file, _row, nullif(path.device, '') as device, nullif(path.channel, '') as channel, t,
    case when kind <> 'OBJECT' then {json_atoms.cell("given")}
        when quality <> 'bad' then {_STATE} end as cell,
    case when kind <> 'OBJECT' then {json_atoms.value("given")} end as value,
    case when kind <> 'OBJECT' then {json_atoms.text("given")}
        when quality <> 'bad' then {_STATE} end as text,
    nullif(value->>'UnitsAbbreviation', '') as unit, quality,
    case
        when quality = 'bad' then coalesce(case when kind = 'OBJECT' then {_STATE} end, 'Bad')
        when is_questionable then 'Questionable'
        when is_substituted then 'Substituted'
    end as quality_code,
    case when kind = 'OBJECT'
        then to_json({{state: value->'$.Value.Value'}})::varchar end as attributes,
    rule, case when rule is not null then reason end as reason
from (
    select *, value->>'Questionable' = 'true' as is_questionable,
        value->>'Substituted' = 'true' as is_substituted,
        case
            when value->>'Good' = 'false' then 'bad'
            when value->>'Good' is distinct from 'true' or is_questionable or is_substituted
                then 'uncertain'
            else 'good'
        end as quality
    from pi_told
)
"""
