"""Single JSON values with their time, device and channel, into offered rows.

The formats of platforms differ in where they keep these things; once found, all are judged
alike. A number in quotes is text in JSON, but some platforms quote every value.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import duckdb

from ingestion.reading import clocks, json_atoms
from ingestion.reading.offered import number, quality
from lakehouse.contracts import SourceContract
from lakehouse.duck import literal

COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "_file": "integer",
        "_row": "bigint",  # record in the file, or line
        "device": "varchar",
        "channel": "varchar",
        "atom": "json",
        "time_text": "varchar",  # as delivered, also "start/end"
        "end_text": "varchar",
        "unit": "varchar",
        "quality_code": "varchar",
        "result_text": "varchar",
        "longitude": "double",
        "latitude": "double",
        "attributes": "varchar",
        "_raw": "varchar",
        "rule": "varchar",
        "reason": "varchar",
    }
)
"""What a format says of a value; those it does not know are null."""


def offer(
    connection: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    source: str,
    *,
    form: str = "iso8601",
    are_quoted: bool = False,
) -> str:
    """The query that turns values into offered rows.

    Args:
        connection: Where `source` lives.
        contract: Its rules.
        source: Relation with those of `COLUMNS` that the format knows.
        form: Format of the times, as `clocks.parse` takes it.
        are_quoted: Whether numbers may stand in quotes.
    """
    given = {row[0] for row in connection.execute(f"describe {source}").fetchall()}
    columns = ", ".join(
        name if name in given else f"null::{kind} as {name}"
        for name, kind in COLUMNS.items()
        if name != "_raw"
    )
    start, end = clocks.parse("start_text", form), clocks.parse("stop_text", form)
    connection.execute(
        f"""
        create temp view located as
        select *, {start.instant} as instant, {start.wall} as wall,
            {end.instant} as end_instant, {end.wall} as end_wall
        from (
            select *, case when is_interval then split_part(time_text, '/', 1)
                    else time_text end as start_text,
                case when is_interval then split_part(time_text, '/', 2)
                    else end_text end as stop_text
            from (select {columns}, {_is_interval(form)} as is_interval from {source})
        )
        """
    )
    clocks.settle(connection, contract.delivery.time, "located", "timed")
    return _query(contract, are_quoted)


def _is_interval(form: str) -> str:
    return "contains(time_text, '/')" if form == "iso8601" else "false"


def _query(contract: SourceContract, are_quoted: bool) -> str:
    texts = [c.delivered_as for c in contract.channels if c.logical_type == "string"]
    value = _value(contract, are_quoted, texts)
    result_time = clocks.parse("result_text", "iso8601").instant
    return f"""
        select _file, _row, device, channel, t, t_end, cell, value,
            case when value is null and ({json_atoms.is_text("atom")}
                or {json_atoms.has_parts("atom")}) then cell end as text,
            unit, {quality(contract.delivery.quality, "quality_code")} as quality, quality_code,
            {result_time} as result_time, longitude, latitude, attributes,
            case when rule is not null then rule when time_rule is not null then time_rule
                when stop_text <> '' and t_end is null then 'time_unreadable' end as rule,
            case when rule is not null then reason when time_rule is not null then time_problem
                when stop_text <> '' and t_end is null
                    then format('the end of the time ''{{}}'' cannot be read', time_text)
                end as reason
        from (select *, {value} as value
            from (select *, {json_atoms.cell("atom")} as cell from timed))
    """


def _value(contract: SourceContract, are_quoted: bool, texts: list[str]) -> str:
    quoted = "null::double"
    if are_quoted:
        quoted = number("cell")
        if texts:
            listed = ", ".join(literal(name) for name in texts)
            quoted = f"case when channel not in ({listed}) then {quoted} end"
    return json_atoms.value("atom", quoted)


def records(source: str, contract: SourceContract) -> str:
    """The query of records of a source with `_raw`; those on one line are one."""
    if contract.delivery.framing == "lines":
        return f"select _file, _row, any_value(_raw) as _raw from {source} group by all"
    return f"select _file, _row, _raw from {source}"
