"""What a format hands over, and the pieces of SQL that formats share to make it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import duckdb
import numpy as np
import numpy.typing as npt

from lakehouse.contracts.delivery import QualityRule
from lakehouse.duck import literal

OFFERED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "_file": "integer",  # member number
        "_row": "bigint",  # line or record number in the member, from 1
        "device": "varchar",  # as the source calls it
        "channel": "varchar",  # as the source calls it; null when the record has none
        "t": "timestamp",  # UTC
        "t_end": "timestamp",  # UTC, end of the interval
        "cell": "varchar",  # the value as delivered
        "value": "double",  # the value as a number, in the unit of the source
        "text": "varchar",  # the value when it is no number
        "unit": "varchar",  # the unit as delivered, by any of its names; null when not told
        "quality": "varchar",  # good | uncertain | bad; null is good
        "quality_code": "varchar",  # the source's own code
        "result_time": "timestamp",  # UTC, when the source made or last changed the value
        "longitude": "double",  # degrees, WGS 84
        "latitude": "double",
        "attributes": "varchar",  # JSON
        "rule": "varchar",  # why the row cannot be taken, if the reader found that out
        "reason": "varchar",
    }
)
"""The columns of offered rows, with their DuckDB types."""


Lines = Mapping[int, npt.NDArray[np.int64]]
"""Line numbers by member number."""


@dataclass(frozen=True, slots=True)
class InOrder:
    """What is to be known of rows that have no `_row`, because they keep the order of the lines.

    Attributes:
        given: The columns that are offered.
        skip: Lines above a file's first record.
        width: Rows that every line gives.
        lines: Counts the records of each file; None if another reader must read them. It is told
            whether a number was exactly 0 or 1, which a quick reader may have made of a word.
        otherwise: Reads some lines, or with None all of them, by a reader that knows the line of
            every row.
    """

    given: frozenset[str]
    skip: int
    width: int
    lines: Callable[[bool], Sequence[int] | None]
    otherwise: Callable[[Lines | None], Reading]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a format found in the files of a batch, as SQL over what it has loaded.

    Attributes:
        records: Query of every record as the supplier delivered it: `_file, _row, _raw`.
        offered: Query of one row for each record and channel, with those columns of `OFFERED`
            that the format knows. A record that cannot be taken apart gives one row with `rule`
            and `reason`.
        raw: Makes the query of `_file, _row, _raw` of some lines, where making it for every one
            would cost too much; then `_raw` of `records` is null.
        may_be_silent: Whether a record may give no row at all; such ones are looked for.
        in_order: Says how the rows find their lines if they have no `_row`; `records` is then
            made from it.
    """

    records: str
    offered: str
    raw: Callable[[Lines], str] | None = None
    may_be_silent: bool = True
    in_order: InOrder | None = None


def show(connection: duckdb.DuckDBPyConnection, reading: Reading) -> frozenset[str]:
    """Make the views `records` and `offered`, the latter with all columns of `OFFERED`.

    Returns:
        The columns that the format gives; the others are null in every row.
    """
    given = {row[0] for row in connection.execute(f"describe ({reading.offered})").fetchall()}
    unknown = given - OFFERED.keys()
    if unknown:
        raise AssertionError(f"a format offers columns there are not: {sorted(unknown)}")
    connection.execute(f"create or replace temp view records as {reading.records}")
    connection.execute(f"create or replace temp view offered as {whole(reading.offered, given)}")
    return frozenset(given)


def whole(offered: str, given: Container[str]) -> str:
    """SQL of offered rows with all columns of `OFFERED`, of which some are given."""
    columns = ", ".join(
        f"{name}::{kind} as {name}" if name in given else f"null::{kind} as {name}"
        for name, kind in OFFERED.items()
    )
    return f"select {columns} from ({offered})"


def lines_of(connection: duckdb.DuckDBPyConnection, table: str) -> Lines:
    """The lines that a table of `_file` and `_row` names, in order, each once."""
    files = connection.execute(f"select distinct _file from {table} order by _file").fetchall()
    return {
        file: connection.execute(
            f"select distinct _row from {table} where _file = ? order by _row", [file]
        ).fetchnumpy()["_row"]
        for (file,) in files
    }


def numbered(reading: Reading) -> Reading:
    """The reading that knows the line of every row."""
    while reading.in_order is not None:
        reading = reading.in_order.otherwise(None)
    return reading


def together(readings: list[Reading]) -> Reading:
    """Several readings as one, if they know the lines of their rows."""
    if len(readings) == 1:
        return readings[0]

    def raw(wanted: Lines) -> str:
        return _all(one.raw(wanted) if one.raw else one.records for one in readings)

    return Reading(
        _all(one.records for one in readings),
        _all(one.offered for one in readings),
        raw if any(one.raw for one in readings) else None,
        any(one.may_be_silent for one in readings),
    )


def _all(queries: Iterable[str]) -> str:
    return " union all by name ".join(f"({query})" for query in queries)


def number(cell: str, decimal: str = ".") -> str:
    """SQL that reads a delivered text as a number; null when it is none.

    DuckDB takes `1_000` for a number, and `1.000,5` must not become 1.0005.
    """
    if decimal == ",":
        plain = f"case when contains({cell}, '.') then null else replace({cell}, ',', '.') end"
    else:
        plain = cell
    return f"case when not contains({cell}, '_') then try_cast({plain} as double) end"


def quality(rule: QualityRule | None, code: str) -> str:
    """SQL that maps a source's quality code to good, uncertain or bad."""
    if rule is None:
        return "'good'"
    whens = [
        f"when {code} in ({', '.join(literal(word) for word in words)}) then '{meaning}'"
        for meaning, words in (
            ("good", rule.good),
            ("uncertain", rule.uncertain),
            ("bad", rule.bad),
        )
        if words
    ]
    return f"case when coalesce({code}, '') = '' then 'good' {' '.join(whens)} else 'uncertain' end"


def geojson_point(geometry: str) -> str:
    """SQL of the position of a GeoJSON Point, or of a Feature with one, as `{lon, lat}`.

    It is null for every other geometry. Degrees, WGS 84.

    Source: RFC 7946, section 3.1.1: longitude first.
    """
    point = f"coalesce(json_extract({geometry}, '$.geometry'), {geometry})"

    def told(path: str) -> str:
        return f"json_extract_string({point}, '{path}')"

    return f"""case when {geometry} is not null and {told("$.type")} = 'Point' then {{
        'lon': try_cast({told("$.coordinates[0]")} as double),
        'lat': try_cast({told("$.coordinates[1]")} as double)}} end"""
