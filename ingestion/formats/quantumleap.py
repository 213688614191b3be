"""QuantumLeap: series of a FIWARE time-series store, and the notifications it takes.

An answer holds, for each entity and attribute, the parallel lists `index` (times) and `values`;
they stand at once (`entityId`, `attributes`) or in lists of `attrs`, `types` and `entities`. What
has an `id` instead is an entity of a notification and is read as NGSIv2.

Source: QuantumLeap API 0.8, schemas `EntityAttributesResponse`, `AttributeResponse`,
`TypeEntitiesResponse` and `AttrsResponse`; it has no units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.formats import ngsi
from ingestion.reading import columns, instances
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract

_LEVELS: Final = ("attrs", "types", "entities", "attributes")
"""Lists that an answer may be nested in, outermost first."""

_IS_ANSWER: Final = (
    "entity['id'] is null and coalesce("
    + ", ".join(f"entity['{key}']" for key in (*_LEVELS, "values"))
    + ") is not null"
)


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read answers and notifications."""
    device = columns.device(contract, members, lambda name: "null::varchar")

    def query(objects: str) -> str:
        entities = f"select * from ({objects}) where ({_IS_ANSWER}) is not true"
        return f"""
            {ngsi.carried(entities, contract, members)}
            union all by name
            {_series(f"select * from ({objects}) where {_IS_ANSWER}", device)}
        """

    return instances.read(connection, members, contract, query, under="data")


def _series(answers: str, device: str) -> str:
    """The query of what answers carry, one row for each value."""
    nodes = f"""select _file, _row, entity_number, to_json(entity) as node, null::varchar as name,
        null::varchar as id, null::json as times from ({answers})"""
    for level in _LEVELS:
        path = f"'$.{level}'"
        nodes = f"""
            select _file, _row, entity_number, unnest(case when json_type(node, {path}) = 'ARRAY'
                    then json_extract(node, '$.{level}[*]') else [node] end) as node,
                {_told("attrName", "name")}, {_told("entityId", "id")},
                coalesce(json_extract(node, '$.index'), times) as times
            from ({nodes})"""
    return f"""
        select _file, _row, null::varchar as _raw, entity_number, coalesce({device}, id) as device,
            name as channel, unnest(case when is_whole then moments else [null] end) as time_text,
            unnest(case when is_whole then atoms else [node] end) as atom,
            case when not is_whole then 'layout' end as rule,
            case when not is_whole then 'index and values are not two lists of one length'
                end as reason, true as is_measured
        from (
            select *, coalesce(json_type(times) = 'ARRAY' and json_type(found) = 'ARRAY'
                and len(moments) = len(atoms), false) as is_whole
            from (
                select _file, _row, entity_number, node, times,
                    json_extract(node, '$.values') as found, {_told("attrName", "name")},
                    {_told("entityId", "id")}, from_json(times, '["varchar"]') as moments,
                    from_json(found, '["json"]') as atoms
                from (select * replace (coalesce(json_extract(node, '$.index'), times) as times)
                    from ({nodes}))
            )
        )"""


def _told(key: str, name: str) -> str:
    """SQL of what this level says, else the one around it."""
    return f"coalesce(json_extract_string(node, '$.{key}'), {name}) as {name}"
