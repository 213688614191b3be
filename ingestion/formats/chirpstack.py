"""LoRaWAN uplinks as ChirpStack v4 sends them: the integration event `up` in JSON.

One uplink gives one row for each decoded key of `object`; nested keys are joined with a dot,
items of lists by their number. An uplink that no codec has decoded gives one row, the channel
`data` with its payload in base64. What says how the uplink was received goes to `attributes`.

Source: ChirpStack v4 documentation, "Event types"; zero, false and empty fields are left out
by proto3 JSON, so a missing `fCnt` is 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from ingestion import clocks, documents
from ingestion.deliveries import Member
from ingestion.offered import Reading, json_cell, json_text, json_value
from lakehouse.contracts import SourceContract

_EVENT = """{
    "deduplicationId": "VARCHAR", "time": "VARCHAR",
    "deviceInfo": {"devEui": "VARCHAR", "deviceProfileName": "VARCHAR"},
    "fCnt": "BIGINT", "fPort": "INTEGER", "dr": "INTEGER", "data": "VARCHAR",
    "object": "MAP(VARCHAR, JSON)",
    "rxInfo": [{"gatewayId": "VARCHAR", "rssi": "DOUBLE", "snr": "DOUBLE"}]
}"""


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read uplink events."""
    documents.load(connection, members, contract)
    time = clocks.parse("event.time", "iso8601")
    connection.execute(
        f"""
        create temp table events as
        select _file, _row, document, event, {time.instant} as t,
            case
                when damage is not null then damage
                when has_twins then 'layout'
                when json_exists(document, 'applicationID') or json_exists(document, 'devEUI')
                    then 'format'
                when event.deviceInfo.devEui is null then 'format'
                when event.time is null then 'time_missing'
                when t is null then 'time_unreadable'
                when coalesce(cardinality(event.object), 0) = 0 and event.data is null
                    then 'no_measurement'
            end as rule,
            case rule
                when 'layout' then coalesce(damage_reason, 'object names a key twice')
                when 'encoding' then damage_reason
                when 'format' then case when not json_exists(document, 'deviceInfo')
                    then 'no ChirpStack v4 uplink: deviceInfo is missing'
                        || case when json_exists(document, 'applicationID')
                            then ' (this is a ChirpStack v3 event)' else '' end
                    else 'deviceInfo.devEui is missing' end
                when 'time_missing' then 'the event has no time'
                when 'time_unreadable' then format('the time ''{{}}'' cannot be read', event.time)
                when 'no_measurement' then 'the uplink carries neither object nor data'
            end as reason
        from (
            select _file, _row, document, damage, damage_reason, has_twins,
                from_json(
                    case when json_type(document) = 'OBJECT' and not has_twins then document
                        else '{{}}' end,
                    ?) as event
            from (
                select *, len(keys) > len(list_distinct(keys)) as has_twins
                from (
                    select * exclude (rule, reason), rule as damage, reason as damage_reason,
                        coalesce(json_keys(document, '$.object'), []) as keys
                    from documents
                )
            )
        )
        """,
        [_EVENT],
    )
    return Reading("select _file, _row, _raw from documents", _OFFER)


# json_tree is slow, so only values that are themselves objects or lists pass through it.
_OFFER = f"""
with entries as (
    select _file, _row, unnest(map_entries(event.object)) as entry
    from events where rule is null and cardinality(event.object) > 0
),
leaves as (
    select _file, _row, entry.key as channel, entry.value as atom,
        coalesce(json_type(entry.value), 'NULL') as kind
    from entries where kind not in ('OBJECT', 'ARRAY')
    union all
    select _file, _row,
        entry.key || regexp_replace(replace(replace(tree.fullkey, '$', ''), '"', ''),
            '\\[(\\d+)\\]', '.\\1', 'g'),
        tree.atom, tree.type
    from (from entries where json_type(entry.value) in ('OBJECT', 'ARRAY')) e,
        json_tree(e.entry.value) tree
    where tree.type not in ('OBJECT', 'ARRAY')
    union all
    select _file, _row, 'data', to_json(event.data), 'VARCHAR'
    from events where rule is null and coalesce(cardinality(event.object), 0) = 0
),
told as (
    select _file, _row, event.deviceInfo.devEui as device, t,
        to_json({{
            'deduplication_id': event.deduplicationId,
            'f_cnt': coalesce(event.fCnt, 0),
            'f_port': coalesce(event.fPort, 0),
            'data_rate': coalesce(event.dr, 0),
            'gateways': len(event.rxInfo),
            'rssi': list_max(list_transform(event.rxInfo, lambda gateway: gateway.rssi)),
            'snr': list_max(list_transform(event.rxInfo, lambda gateway: gateway.snr)),
            'time_source': 'time'
        }})::varchar as attributes
    from events where rule is null
)
select _file, _row, device, channel, t, {json_cell("atom")} as cell,
    {json_value("atom")} as value, {json_text("atom")} as text, t as result_time, attributes
from leaves join told using (_file, _row)
union all by name
select _file, _row, event.deviceInfo.devEui as device, t, 'bad' as quality, rule, reason
from events where rule is not null
"""
