"""InfluxDB line protocol: `measurement,tag=value field=value,field=value time`, one point a line.

Each field of a point gives one row; measurement and tags go to `attributes`. Lines are split by
patterns that honour escapes and quotes; a quoted text must not hold a line break. A line without
a time was measured when its delivery was received.

Source: InfluxDB v2 documentation, "Line protocol".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import clocks, lines
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract
from lakehouse.contracts.delivery import LineProtocol
from lakehouse.duck import literal
from lakehouse.errors import DeliveryRefused, Problem

MEASUREMENT: Final = "_measurement"
"""What `device.column` says when the measurement is the device."""

_PER_MS: Final = {"ns": 1e6, "us": 1e3, "ms": 1.0, "s": 1e-3}

_KEY: Final = r"(?:[^ \\]|\\.)+"
_STRING: Final = r'"(?:[^"\\]|\\.)*"'
_NAME: Final = r"(?:[^,= \\]|\\.)+"
_FIELD: Final = rf'({_NAME})=({_STRING}|[^," ]*),'
_PAIR: Final = rf'{_NAME}=(?:{_STRING}|[^," ]*)'
_LINE: Final = rf"^ *({_KEY}) +({_PAIR}(?:,{_PAIR})*)(?: +(-?[0-9]+))? *$"
_SERIES: Final = r"^((?:[^, \\]|\\.)+)((?:,(?:[^,= \\]|\\.)+=(?:[^, \\]|\\.)+)*)$"
_TAG: Final = r",((?:[^,= \\]|\\.)+)=((?:[^, \\]|\\.)+)"


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read points.

    Raises:
        DeliveryRefused: The contract does not say what names the device.
    """
    options = contract.delivery.line_protocol
    device = _device(contract)
    lines.load(connection, members, "utf-8")
    connection.execute(
        f"""
        create temp view taken_apart as
        select _file, _row, is_unreadable, parts,
            regexp_extract(parts.series, {literal(_SERIES)}, ['measurement', 'tags']) as series
        from (
            select _file, _row, contains(_raw, '{lines.UNREADABLE}') as is_unreadable,
                regexp_extract(_raw, {literal(_LINE)},
                ['series', 'fields', 'time']) as parts
            from lines where {_IS_POINT}
        );

        create temp table points as
        select *, {_RULE} as rule, {device} as device
        from (
            select p._file, p._row, is_unreadable, {_plain("series.measurement")} as measurement,
                list_transform(regexp_extract_all(series.tags, {literal(_TAG)}, 1),
                    lambda tag: {_plain("tag")}) as tag_keys,
                list_transform(regexp_extract_all(series.tags, {literal(_TAG)}, 2),
                    lambda tag: {_plain("tag")}) as tag_values,
                regexp_extract_all(parts.fields || ',', {literal(_FIELD)}, 1) as keys,
                regexp_extract_all(parts.fields || ',', {literal(_FIELD)}, 2) as cells,
                parts.time as time_text,
                case when parts.time = '' then received_at
                    else {_instant(options)} end as t
            from taken_apart p join files using (_file)
        )
        """
    )
    return Reading(f"select _file, _row, _raw from lines where {_IS_POINT}", _offer(options))


_IS_POINT: Final = "not starts_with(ltrim(_raw), '#')"


def _plain(name: str) -> str:
    """SQL of a measurement, tag or key without the escapes of its commas, blanks and `=`."""
    return (
        f"case when contains({name}, '\\') "
        f"then regexp_replace({name}, '\\\\([,= ])', '\\1', 'g') else {name} end"
    )


def _instant(options: LineProtocol) -> str:
    number = "try_cast(parts.time as bigint)"
    if options.precision == "ns":
        # A double would lose the microseconds of nanoseconds.
        micros = f"{number} // 1000"
        return f"case when abs({number}) < 9e18 then make_timestamp({micros}) end"
    return clocks.from_epoch_ms(f"{number} / {_PER_MS[options.precision]!r}")


def _device(contract: SourceContract) -> str:
    """SQL of the device: a tag, the measurement, or always the same."""
    rule = contract.delivery.device
    if rule is not None and rule.constant is not None:
        return literal(rule.constant)
    if rule is not None and rule.column == MEASUREMENT:
        return "measurement"
    if rule is not None and rule.column is not None:
        return f"tag_values[list_position(tag_keys, {literal(rule.column)})]"
    raise DeliveryRefused(
        Problem(
            f"{contract.path}: customProperties.delivery.device",
            "line protocol needs a tag that names the device",
            f"Write column: <tag>, column: {MEASUREMENT}, or constant: <name>.",
        )
    )


_RULE: Final = """case
    when is_unreadable then 'encoding'
    when measurement = '' or len(keys) = 0 then 'layout'
    when len(list_distinct(tag_keys)) < len(tag_keys) then 'layout'
    when len(list_distinct(keys)) < len(keys) then 'layout'
    when t is null then 'time_unreadable' end"""


_REASON: Final = """case
    when rule = 'encoding' then 'bytes that are not utf-8'
    when measurement = '' or len(keys) = 0 then 'this is no point of line protocol'
    when rule = 'layout' then 'a tag or a field stands twice'
    else format('the time ''{}'' cannot be read', time_text) end"""

_TRUE: Final = "('t', 'T', 'true', 'True', 'TRUE')"
_FALSE: Final = "('f', 'F', 'false', 'False', 'FALSE')"
_NUMBER: Final = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_VALUE: Final = f"""case
    when cell in {_TRUE} then 1.0 when cell in {_FALSE} then 0.0
    when regexp_full_match(cell, '-?[0-9]+[iu]') then try_cast(cell[:-2] as double)
    when regexp_full_match(cell, '{_NUMBER}') then try_cast(cell as double) end"""
_TEXT: Final = """case when starts_with(cell, '"')
    then regexp_replace(cell[2:-2], '\\\\(["\\\\])', '\\1', 'g') end"""


def _offer(options: LineProtocol) -> str:
    channel = "key" if options.channel == "field" else "measurement || '.' || key"
    return f"""
        with fields as (
            select * replace ({_plain("key")} as key), {_VALUE} as value, {_TEXT} as text
            from (
                select _file, _row, device, t, measurement,
                    to_json({{'measurement': measurement,
                        'tags': map_from_entries(list_zip(tag_keys, tag_values)),
                        'time_source': case when time_text = '' then 'received_at'
                            else 'timestamp' end}})::varchar as attributes,
                    unnest(keys) as key, unnest(cells) as cell
                from points where rule is null
            )
        )
        select _file, _row, device, {channel} as channel, t, coalesce(text, cell) as cell, value,
            text, attributes,
            case when value is null and text is null then 'value_unreadable' end as rule,
            case when value is null and text is null
                then format('{{}} is ''{{}}'', which is no value of line protocol', key, cell)
                end as reason
        from fields
        union all by name
        select _file, _row, device, t, 'bad' as quality,
            rule, {_REASON} as reason
        from points where rule is not null"""
