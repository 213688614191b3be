"""Sentilo observations, as they are read, published, or sent to subscribers.

A sensor is a device with one channel, `value`. Times are `dd/MM/yyyyTHH:mm:ss` in UTC, or with a
zone (`CET`, `+0200`); every value is text, and so is a position, "latitude longitude". An
observation without time is broken: the server would have taken the moment it came.

Source: Sentilo API documentation, "Publish sensor data", "Retrieve sensor data" and
"Subscriptions", whose `time` (ms) is only taken where `timestamp` is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import clocks, columns, instances, json_atoms
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract

_STAMP: Final = r"^(\d{2})/(\d{2})/(\d{4})T(\d{2}:\d{2}:\d{2})"
_OFFSETS: Final = {"": "Z", "Z": "Z", "UTC": "Z", "GMT": "Z", "CET": "+01:00", "CEST": "+02:00"}


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read observations."""
    device = columns.device(contract, members, lambda name: "null::varchar")

    def query(objects: str) -> str:
        return _carried(objects, device)

    return instances.read(connection, members, contract, query, are_quoted=True)


def _carried(objects: str, device: str) -> str:
    """The query of what objects carry: observations, and the objects."""
    offsets = " ".join(f"when '{zone}' then '{offset}'" for zone, offset in _OFFSETS.items())
    milliseconds = clocks.from_epoch_ms("try_cast(json_extract_string(seen, '$.time') as bigint)")
    return f"""
        with known as (select *, {instances.PROBLEM} as problem from ({objects})),
        sensors as (
            select _file, _row, entity_number,
                unnest({_list("entity['sensors']", "to_json(entity)")}) as sensor
            from known where problem is null
        ),
        seen as (
            select *, unnest(case
                when json_type(sensor, '$.observations') = 'ARRAY'
                    then json_extract(sensor, '$.observations[*]')
                when json_extract_string(sensor, '$.type') = 'DATA' then [sensor] end) as seen
            from sensors
        ),
        timed as (
            select *, coalesce({json_atoms.problem("sensor")}, {json_atoms.problem("seen")})
                    as damage,
                json_extract_string(seen, '$.timestamp') as stamp,
                trim(regexp_replace(stamp, '{_STAMP}', '')) as zone,
                string_split(coalesce(json_extract_string(seen, '$.location'),
                    json_extract_string(sensor, '$.location')), ' ') as lat_lon
            from seen
        )
        select _file, _row, null::varchar as _raw, entity_number,
            coalesce(json_extract_string(sensor, '$.sensor'), {device}) as device,
            'value' as channel,
            coalesce(json_extract(seen, '$.value'), json_extract(seen, '$.message')) as atom,
            case when stamp is null then strftime({milliseconds}, '%Y-%m-%dT%H:%M:%S.%fZ')
                when regexp_matches(stamp, '{_STAMP}') then
                    regexp_replace(stamp, '{_STAMP}.*', '\\3-\\2-\\1T\\4')
                    || case zone {offsets} else zone end
                else stamp end as time_text,
            try_cast(lat_lon[2] as double) as longitude, try_cast(lat_lon[1] as double) as latitude,
            case when damage is not null then 'layout' when time_text is null then 'time_missing'
                end as rule,
            case when damage is not null then damage when time_text is null
                then 'the observation has no timestamp' end as reason, true as is_measured
        from timed
        union all by name
        select _file, _row, _raw, entity_number, problem is not null as is_measured,
            coalesce(problem.rule, 'no_measurement') as rule,
            coalesce(problem.reason, 'the object carries no observations') as reason
        from known
    """


def _list(json: str, otherwise: str) -> str:
    """SQL of the items of a JSON list, or of one value where it is none."""
    return f"""case when json_type({json}) = 'ARRAY' then from_json({json}, '["json"]')
        else [{otherwise}] end"""
