"""Tables of official statistics: figures in a cube of dimensions, into offered rows.

One dimension is the time, one may say what is counted (contents); the others together are the
device: `Region=0180;Kon=2`, by codes where the table has them, because two regions may share a
name. The channel is the contents, `t` and `t_end` are the period in the contract's zone. Labels
and the time of the last update stand in the attributes.

A figure that the source marks as missing is a gap: it lands without value, quality bad, with the
mark as its code. A dash is "nil", exactly zero.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import product
from typing import Any, Final

import duckdb
import pyarrow as pa

from ingestion.deliveries import Member
from ingestion.reading import columns
from ingestion.reading.lines import UNREADABLE
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract
from lakehouse.contracts.delivery import DeviceRule, NarrowRows, QualityRule, TimeRule
from lakehouse.errors import ContractError, DeliveryRefused, Problem

NIL: Final = "-"
_MAX_DEVICES: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension of a table: its name, and the code and label of each of its values."""

    name: str
    codes: Sequence[str]
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure's position in the cube (the last dimension runs fastest), its text and its mark."""

    position: int
    cell: str | None
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Cube:
    """A table.

    Attributes:
        member: The file it is from.
        dimensions: In the order that positions are counted by.
        time: Name of the time dimension, if the table tells.
        contents: Name of the dimension that says what is counted, if there is one.
        title: What is counted when no dimension says it.
        units: Unit of each of the contents' codes, or of `title`.
        figures: The figures that are delivered.
        updated: When the table was last changed, as told.
        faults: What of the file cannot be read though its figures can.
    """

    member: Member
    dimensions: Sequence[Dimension]
    time: str | None
    contents: str | None
    title: str
    units: Mapping[str, str]
    figures: Sequence[Figure]
    updated: str | None = None
    faults: Sequence[tuple[str, str]] = ()


def reading(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    contract: SourceContract,
    cubes: Iterable[Cube],
) -> Reading:
    """Offer the figures of tables.

    Raises:
        ContractError: The contract has no rule for the time.
        DeliveryRefused: A table has no time, or its texts are unreadable.
    """
    time = contract.delivery.time
    if time is None:
        raise ContractError(
            Problem(
                f"{contract.path}: customProperties.delivery.time",
                "a table of statistics needs its time dimension and zone",
                "Write 'time' with the dimension's name as columns, and zone.",
            )
        )
    connection.execute(
        """create temp table figures (_file integer, _row bigint, _raw varchar, device varchar,
            channel varchar, period varchar, ended varchar, cell varchar, unit varchar,
            mark varchar, labels varchar, layout_rule varchar, layout_problem varchar)"""
    )
    for cube in cubes:
        _insert(connection, cube, time)
    offered = columns.offer(
        connection, _as_narrow(contract, time), members, "figures", lambda name: name, header=0
    )
    return Reading(
        "select _file, _row, _raw from figures",
        f"""
        select o.* replace (
                case when o.cell is null and o.quality_code <> '' then 'bad' else o.quality end
                    as quality),
            f.labels as attributes
        from ({offered}) o join figures f using (_file, _row)
        """,
    )


def _as_narrow(contract: SourceContract, time: TimeRule) -> SourceContract:
    """The contract as it speaks of the table `figures`."""
    told = contract.delivery.quality or QualityRule(column="mark", good=(NIL,))
    rule = time.model_copy(
        update={
            "columns": ("period",),
            "end_columns": ("ended",),
            "format": "iso8601",
            "split": None,
            "interval_s": None,
        }
    )
    changed = {
        "narrow": NarrowRows(channel="channel", value="cell", unit="unit"),
        "time": rule,
        "device": DeviceRule(column="device"),
        "quality": told.model_copy(update={"column": "mark"}),
        "position": None,
    }
    return replace(contract, delivery=contract.delivery.model_copy(update=changed))


def _insert(connection: duckdb.DuckDBPyConnection, cube: Cube, rule: TimeRule) -> None:
    time = _time(cube, rule)
    contents = next((d for d in cube.dimensions if d.name == cube.contents), None)
    others = [d for d in cube.dimensions if d is not time and d is not contents]
    strides = _strides(cube.dimensions)

    def index(dimension: Dimension) -> str:
        return f"(position // {strides[dimension.name]} % {len(dimension.codes)})"

    inner = _strides(others)
    device = " + ".join(f"{index(d)} * {inner[d.name]}" for d in others) or "0"
    for name, table in (
        ("devices", _devices(cube, others)),
        ("channels", _channels(cube, contents)),
        ("periods", _periods(time)),
        ("found", _figures(cube.figures)),
    ):
        connection.register(name, table)
    count = len(cube.figures)
    connection.execute(
        f"""
        insert into figures
        select {cube.member.number}, f.number + 1,
            concat_ws(';', d.device, c.channel, p.code) || ': '
                || coalesce(f.mark, f.cell, ''),
            d.device, c.channel, p.started, p.ended, f.cell, c.unit, f.mark, d.labels, null, null
        from found f
            join devices d on d.number = {device}
            join channels c on c.number = {index(contents) if contents else "0"}
            join periods p on p.number = {index(time)}
        """
    )
    for name in ("devices", "channels", "periods", "found"):
        connection.unregister(name)
    for number, (text, reason) in enumerate(cube.faults, start=count + 1):
        connection.execute(
            """insert into figures (_file, _row, _raw, layout_rule, layout_problem)
            values (?, ?, ?, 'layout', ?)""",
            [cube.member.number, number, text, reason],
        )


def _time(cube: Cube, rule: TimeRule) -> Dimension:
    """The time dimension: the one the contract names, else the one the table tells."""
    for name in (*rule.columns, cube.time):
        for dimension in cube.dimensions:
            if dimension.name == name:
                return dimension
    names = ", ".join(dimension.name for dimension in cube.dimensions)
    raise DeliveryRefused(
        Problem(
            cube.member.label,
            "the table does not say which dimension is the time",
            f"Name it in delivery.time.columns; there are: {names}.",
        )
    )


def _strides(dimensions: Sequence[Dimension]) -> dict[str, int]:
    """How far apart neighbours in a dimension stand, when the last one runs fastest."""
    found: dict[str, int] = {}
    step = 1
    for dimension in reversed(dimensions):
        found[dimension.name] = step
        step *= len(dimension.codes)
    return found


def _devices(cube: Cube, others: Sequence[Dimension]) -> pa.Table:
    size = 1
    for dimension in others:
        size *= len(dimension.codes)
    if size > _MAX_DEVICES:
        raise refused(cube.member, f"the table has {size} combinations of values")
    texts, labels = [], []
    told = {"updated": cube.updated} if cube.updated else {}
    for codes in product(*(range(len(dimension.codes)) for dimension in others)):
        pairs = list(zip(others, codes, strict=True))
        texts.append(";".join(f"{d.name}={d.codes[code]}" for d, code in pairs) or cube.title)
        named: dict[str, Any] = {d.name: d.labels[code] for d, code in pairs}
        labels.append(json.dumps(named | told, ensure_ascii=False))
    if any(UNREADABLE in text for text in texts):
        raise refused(cube.member, "names of values hold characters that are no text")
    return pa.table({"number": range(len(texts)), "device": texts, "labels": labels})


def _channels(cube: Cube, contents: Dimension | None) -> pa.Table:
    names = list(contents.codes) if contents else [cube.title]
    return pa.table(
        {
            "number": range(len(names)),
            "channel": pa.array(names, pa.string()),
            "unit": pa.array([cube.units.get(name) or None for name in names], pa.string()),
        }
    )


def _periods(time: Dimension) -> pa.Table:
    found = [period(code) for code in time.codes]
    return pa.table(
        {
            "number": range(len(found)),
            "code": pa.array(time.codes, pa.string()),
            # What is no period stays as it is, so that the row rule can name it.
            "started": pa.array(
                [p[0].isoformat() if p else code for p, code in zip(found, time.codes, strict=True)]
            ),
            "ended": pa.array([p[1].isoformat() if p else None for p in found], pa.string()),
        }
    )


def _figures(figures: Sequence[Figure]) -> pa.Table:
    return pa.table(
        {
            "number": pa.array(range(len(figures)), pa.int64()),
            "position": pa.array([figure.position for figure in figures], pa.int64()),
            "cell": pa.array(
                ["0" if figure.mark == NIL else figure.cell for figure in figures], pa.string()
            ),
            "mark": pa.array([figure.mark for figure in figures], pa.string()),
        }
    )


_PERIOD: Final = re.compile(
    r"""(?P<year>\d{4})(?:
        -?(?:[Mm](?P<month>\d\d?))
        | -(?P<dash_month>\d\d)(?:-(?P<day>\d\d))?
        | -?(?:[KkQq](?P<quarter>[1-4]))
        | -?(?:[Hh](?P<half>[12]))
        | -?(?:[VvWwUu](?P<week>\d\d?))
        | [-–](?P<until>\d{4})
    )?""",
    re.VERBOSE,
)


def period(text: str) -> tuple[date, date] | None:
    """First day of a period and first day after it; None when the text names none.

    Understood are years (2024), spans of years (2018-2022), half-years (2024H1), quarters
    (2024K1, 2024Q1), months (2024M01, 2024-01), ISO weeks (2024V01, 2024W01) and days.
    """
    found = _PERIOD.fullmatch(text.strip())
    if not found:
        return None
    year = int(found["year"])
    try:
        if found["day"]:
            first, days = date(year, int(found["dash_month"]), int(found["day"])), 1
        elif found["week"]:
            first, days = date.fromisocalendar(year, int(found["week"]), 1), 7
        else:
            return _months(year, *_span(found))
    except ValueError:
        return None
    return first, first + timedelta(days=days)


def _span(found: re.Match[str]) -> tuple[int, int]:
    """First month of a period and how many it has."""
    if month := found["month"] or found["dash_month"]:
        return int(month), 1
    if found["quarter"]:
        return 3 * int(found["quarter"]) - 2, 3
    if found["half"]:
        return 6 * int(found["half"]) - 5, 6
    return 1, 12 * (int(found["until"] or found["year"]) - int(found["year"]) + 1)


def _months(year: int, month: int, count: int) -> tuple[date, date] | None:
    after = 12 * year + month - 1 + count
    first, last = date(year, month, 1), date(after // 12, after % 12 + 1, 1)
    return (first, last) if first < last else None


def refused(member: Member, what: str) -> DeliveryRefused:
    """The refusal of a table that cannot be read."""
    return DeliveryRefused(Problem(member.label, what, "Ask for the table again."))
