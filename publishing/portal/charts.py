"""A small chart for a dataset's page: the daily mean of its first measured column.

Drawn as SVG while the site is built, so that it needs no script. A day without values is a gap in
the line: nothing is drawn where nothing was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import duckdb

from lakehouse import duck
from publishing.releases.manifest import Column, Release

WIDTH: Final = 720
HEIGHT: Final = 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 30
_DAYS: Final = 366
_POSITION: Final = "deg"

Point = tuple[date, float]


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the scale: how high it lies and what it says."""

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything a template needs to draw the chart.

    Attributes:
        column: The column that is drawn.
        path: SVG path of the line, with a gap for each day without values.
        ticks: Lines of the scale.
        first: First day.
        last: Last day.
        low: Lowest daily mean.
        high: Highest daily mean.
    """

    column: Column
    path: str
    ticks: tuple[Tick, ...]
    first: date
    last: date
    low: float
    high: float


def chart(release: Release) -> Chart | None:
    """The chart of a release; None when it measures nothing or for fewer than two days."""
    column = _measured(release)
    points = _daily_means(release, column) if column else []
    if column is None or len(points) < 2:
        return None
    values = [value for _, value in points]
    bottom, step = _scale(min(values), max(values))
    top = bottom + 4 * step
    return Chart(
        column=column,
        path=" ".join(_path(points, bottom, top)),
        ticks=tuple(
            Tick(_y(bottom + index * step, bottom, top), f"{bottom + index * step:g}")
            for index in range(5)
        ),
        first=points[0][0],
        last=points[-1][0],
        low=min(values),
        high=max(values),
    )


def _measured(release: Release) -> Column | None:
    return next(
        (
            column
            for column in release.columns
            if column.type == "number" and column.unit and column.unit != _POSITION
        ),
        None,
    )


def _daily_means(release: Release, column: Column) -> list[Point]:
    parquet = release.folder / release.file(".parquet").name
    name, time = duck.identifier(column.name), release.publication.time_column
    kinds = {one.name: one.type for one in release.columns}
    if kinds[time] not in ("timestamp", "date"):
        return []
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.execute(
            f"select {duck.identifier(time)}::date as day, avg({name}) as mean "
            f"from read_parquet({duck.literal(parquet)}) where isfinite({name}) "
            f"group by day order by day desc limit {_DAYS}"
        ).fetchall()
    return [(day, float(mean)) for day, mean in reversed(rows)]


def _scale(low: float, high: float) -> tuple[float, float]:
    """Where the scale begins and how far apart its four steps are, in round numbers."""
    start = 0.0 if low >= 0 else low
    raw = max(high - start, 1e-9) / 4
    size = 10 ** math.floor(math.log10(raw))
    step = next(
        size * factor for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 20) if size * factor >= raw
    )
    bottom = math.floor(start / step) * step
    if bottom + 4 * step < high:  # rounding the beginning down took too much
        step *= 2
        bottom = math.floor(start / step) * step
    return bottom, step


def _path(points: Sequence[Point], bottom: float, top: float) -> Iterator[str]:
    first, last = points[0][0], points[-1][0]
    before: date | None = None
    for day, value in points:
        is_joined = before is not None and day - before == timedelta(days=1)
        x = _LEFT + (WIDTH - _LEFT - _RIGHT) * ((day - first).days / (last - first).days)
        # A line of no length with round ends shows a day that stands alone as a dot.
        lone = "" if is_joined else "h0"
        yield f"{'L' if is_joined else 'M'}{x:.1f} {_y(value, bottom, top):.1f}{lone}"
        before = day


def _y(value: float, bottom: float, top: float) -> float:
    height = HEIGHT - _TOP - _BOTTOM
    return round(_TOP + height * (1 - (value - bottom) / (top - bottom)), 1)
