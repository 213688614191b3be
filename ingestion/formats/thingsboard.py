"""ThingsBoard telemetry: exports, uploads of devices and gateways, and what converters make.

| shape | device |
| --- | --- |
| `{"key": [{"ts": ms, "value": "23.1"}]}` (export) | the contract's |
| `{"ts": ms, "values": {"key": 23.1}}`, or a list of them | the contract's |
| `{"Device A": [{"ts": ms, "values": {…}}]}` (gateway) | the key |
| `{"deviceName": "Device A", "telemetry": …}` (converter), or a list | `deviceName` |

A value without `ts` is broken: the server would have taken the moment it came. Exports write
every value as text, unless `useStrictDataTypes` was asked for; text that is a number is one,
except on channels that the contract calls text.

Source: ThingsBoard documentation, "Telemetry upload API", "Gateway MQTT API" and "Get
time-series data" of the REST API.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import columns, instances, json_atoms
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read telemetry."""
    device = columns.device(contract, members, lambda name: "null::varchar")

    def query(objects: str) -> str:
        return _carried(objects, device)

    return instances.read(connection, members, contract, query, form="epoch_ms", are_quoted=True)


def _carried(objects: str, device: str) -> str:
    """The query of what objects carry: packs of values, single values, and the objects."""
    return f"""
        with entries as (
            select *, left(whole::varchar, 1) as sign from (
                select *, entry.key as key, entry.value as whole from (
                    select *, unnest(list_append(map_entries(entity), null)) as entry,
                        {instances.PROBLEM} as problem,
                        entity['telemetry'] is not null as is_made,
                        coalesce(left(entity['values']::varchar, 1) = '{{', false) as is_pack
                    from ({objects})))
        ),
        items as (
            select * exclude (whole, sign), unnest(case
                    when sign = '[' then from_json(whole, '["json"]') else [whole] end) as item,
                sign
            from entries where key is not null and case when is_made then key = 'telemetry'
                when is_pack then key = 'values' else true end
        ),
        packs as (
            select _file, _row, entity_number,
                case when is_made then {instances.text("deviceName")}
                    when not is_pack then key end as told_device,
                case when is_pack then entity['ts'] else json_extract(item, '$.ts') end as ts,
                case when is_pack then item
                    else coalesce(json_extract(item, '$.values'), item) end as pack,
                {json_atoms.problem("pack")} as damage
            from items
            where is_made or is_pack or sign = '[' and not json_exists(item, '$.value')
        ),
        told as (
            select _file, _row, entity_number, told_device, ts,
                nullif(entry.key, '') as channel,
                entry.value as atom, damage
            from (
                select *, unnest(map_entries(from_json(
                    case when damage is null then pack else '{{"":null}}' end,
                    '"map(varchar, json)"'))) as entry
                from packs
            )
            where entry.key <> 'ts'
            union all by name
            select _file, _row, entity_number, json_extract(item, '$.ts') as ts, key as channel,
                case when sign = '[' then json_extract(item, '$.value') else item end as atom,
                case when sign = '[' then {json_atoms.problem("item")} end as damage
            from items where not is_made and not is_pack
                and case when sign = '[' then json_exists(item, '$.value') else key <> 'ts' end
        )
        select _file, _row, null::varchar as _raw, entity_number, channel, atom,
            coalesce(told_device, {device}) as device, {json_atoms.cell("ts")} as time_text,
            case when damage is not null then 'layout' when ts is null then 'time_missing' end
                as rule,
            case when damage is not null then damage
                when ts is null then 'the value has no ts' end as reason,
            true as is_measured
        from told
        union all by name
        select _file, _row, _raw, entity_number, problem is not null as is_measured,
            coalesce(problem.rule, 'no_measurement') as rule,
            coalesce(problem.reason, 'the object carries no telemetry') as reason
        from entries where key is null
    """
