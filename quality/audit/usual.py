"""Holding a day of a product against the days before it, of the same kind.

Traffic on a Sunday is no Monday's, so weekdays, Saturdays, and Sundays with public holidays are
three kinds. What is usual is the median of the days of a kind in the eight weeks before; how far
a day is from it is told in a scale that is the median absolute deviation, a quarter of the range
or a floor, whichever is greatest. The range keeps series that are mostly zero, as rain is, from
alarming; the floors those that are constant; few days make the scale wider.

Source: Rousseeuw & Croux, "Alternatives to the Median Absolute Deviation" (1993), for the factor
1.4826; public holidays in Sweden by the package `holidays` (lag 1989:253), with the eves on which
everything is closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from math import isclose, log
from statistics import median
from typing import Final, Literal

from holidays.countries.sweden import Sweden

from quality.audit.profile import Day, Figures

BACK: Final = timedelta(weeks=8)
LEAST_DAYS: Final = 10
"""Days of history, of any kind, below which nothing is usual."""
LEAST_OF_KIND: Final = 5
"""Days of the same kind: there are eight Saturdays in eight weeks."""
OUTSIDE: Final = 5.0
FAR: Final = 8.0

_MANY: Final = 10
"""Values from which on it is no chance that they are all the same."""
_STEADY: Final = 0.03
_EVENTFUL: Final = 0.1
"""Floors of the logarithm of rows: for a steady pace, and for what follows people's doings."""
_OTHER_TEXTS: Final = 1.0
"""Floor of the mean fingerprint of texts, which is from 0 to 97."""
_STILL: Final = 0.02
_FIXED: Final = 0.05
_CHANGING: Final = 0.25
"""Floors of logarithms, of a number of texts that stays the same and of means of what changes; by
`_STILL` the two are told apart."""
_EXTREME: Final = 0.3
"""Floor of extremes, of which one value decides, as a share or of their logarithm."""


@dataclass(frozen=True, slots=True)
class Unusual:
    """A day that is not as the days before it.

    Attributes:
        day: Which.
        column: Column; None for the day's rows.
        rows: Rows of the day.
        severity: `critical` if it is far from what is usual.
        told: What was found and what is usual, in words.
    """

    day: date
    column: str | None
    rows: int
    severity: Literal["critical", "warning"]
    told: str


def kind_of(day: date) -> str:
    """`weekday`, `saturday`, or `sunday` with public holidays and their eves."""
    if day.weekday() == 6 or day in _holidays(day.year):
        return "sunday"
    return "saturday" if day.weekday() == 5 else "weekday"


@lru_cache(maxsize=64)
def _holidays(year: int) -> frozenset[date]:
    return frozenset(Sweden(years=year, categories=("public", "de_facto")))


def unusual(
    days: Collection[Day], history: Mapping[date, Day], exceptions: Collection[date] = ()
) -> list[Unusual]:
    """Hold complete days against those before them.

    Args:
        days: The days to judge.
        history: Days of versions that passed, by date; those before a day are held against it.
        exceptions: Days that are out of the ordinary, as the contract says: not judged, and no
            history of others.
    """
    usable = {day: one for day, one in history.items() if day not in exceptions and one.rows}
    found: list[Unusual] = []
    for one in sorted(days, key=lambda day: day.day):
        if one.day in exceptions or not one.rows:
            continue
        before = [past for day, past in usable.items() if one.day - BACK <= day < one.day]
        alike = [past for past in before if kind_of(past.day) == kind_of(one.day)]
        if len(before) < LEAST_DAYS:
            continue
        found += _all_the_same(one, before)
        found += _copied(one, before, days)
        if len(alike) >= LEAST_OF_KIND:
            found += _rows(one, alike)
            found += _values(one, alike)
    return found


def score(value: float, usual: Sequence[float], floor: float) -> float:
    """How far a value is from what is usual, in the scale of what is usual."""
    middle = median(usual)
    apart = sorted((abs(one - middle), one) for one in usual)
    # Without the one that is furthest away, which may itself have been an error.
    near = [one for _, one in apart[: len(apart) - 1 if len(apart) >= LEAST_DAYS else None]]
    scale = max(_spread(usual), (max(near) - min(near)) / 4, floor, 1e-9) * (1 + 4 / len(usual))
    return (value - middle) / scale


def _spread(usual: Sequence[float]) -> float:
    """The median absolute deviation, as the standard deviation of normal values."""
    middle = median(usual)
    return 1.4826 * median(abs(one - middle) for one in usual)


def _by_ratio(value: float, usual: Sequence[float], *, is_extreme: bool) -> float:
    """How far a positive figure is from usual ones by its ratio to them.

    A day of dust may have four times as much of it as any before: for what changes from day to
    day the floor is high. What hardly ever does, as a coordinate, has a low one.
    """
    logs = [log(past) for past in usual]
    floor = _CHANGING if _spread(logs) > _STILL else _EVENTFUL
    return score(log(value), logs, _EXTREME if is_extreme else floor)


def _rows(one: Day, alike: Sequence[Day]) -> Iterator[Unusual]:
    counts = [past.rows for past in alike]
    usual = [log(count) for count in counts]
    floor = _STEADY if _spread(usual) <= _STEADY else _EVENTFUL
    severity = _severity(abs(score(log(one.rows), usual, floor)))
    if severity:
        yield Unusual(one.day, None, one.rows, severity,
                      f"{one.rows:,} rows, usual {min(counts):,} to {max(counts):,}")  # fmt: skip


def _values(one: Day, alike: Sequence[Day]) -> Iterator[Unusual]:
    """The figure of each column that is furthest from what is usual, if it is outside."""
    for name, figures in one.columns.items():
        before = [past.columns[name] for past in alike if name in past.columns]
        if len(before) < LEAST_OF_KIND:
            continue
        furthest, told = max(_scores(figures, before))
        severity = _severity(furthest)
        if severity:
            yield Unusual(one.day, name, one.rows, severity, told)


def _scores(figures: Figures, before: Sequence[Figures]) -> Iterator[tuple[float, str]]:
    missing = [past.missing for past in before]
    yield (
        score(figures.missing, missing, 0.03),
        f"{figures.missing:.1%} missing, usual up to {max(missing):.1%}",
    )
    means = [past.mean for past in before if past.mean is not None]
    if figures.distinct is None:
        yield from _score("mean", figures.mean, [past.mean for past in before], 0)
    elif figures.mean is not None and len(means) >= LEAST_OF_KIND:
        yield abs(score(figures.mean, means, _OTHER_TEXTS)), "other texts than usual"
    yield from _score("least", figures.minimum, [past.minimum for past in before], -1)
    yield from _score("greatest", figures.maximum, [past.maximum for past in before], 1)
    yield from _different(figures.distinct, [past.distinct for past in before if past.distinct])


def _different(value: int | None, usual: Sequence[int]) -> Iterator[tuple[float, str]]:
    """How far the number of different texts is from a usual one; a fixed list has a low floor."""
    if value and len(usual) >= LEAST_OF_KIND:
        logs = [log(past) for past in usual]
        floor = _EVENTFUL if _spread(logs) > _STILL else _FIXED
        told = f"{value:,} different texts, usual {min(usual):,} to {max(usual):,}"
        yield abs(score(log(value), logs, floor)), told


def _score(
    name: str, value: float | None, before: Sequence[float | None], direction: int
) -> Iterator[tuple[float, str]]:
    """How far a figure is outside; of extremes only the outward direction counts."""
    usual = [past for past in before if past is not None]
    if value is None or len(usual) < LEAST_OF_KIND or max(map(abs, usual)) == 0:
        return
    told = f"{name} {value:.4g}, usual {min(usual):.4g} to {max(usual):.4g}"
    if not median(usual):
        far = _beyond(value, usual)
    elif min(usual) > 0 and value > 0 and direction >= 0:
        far = _by_ratio(value, usual, is_extreme=bool(direction))
    else:
        floor = _EXTREME if direction else _FIXED
        far = score(value, usual, floor * median(map(abs, usual)))
    yield (far * direction if direction else abs(far)), told


def _beyond(value: float, usual: Sequence[float]) -> float:
    """How far a figure that is mostly zero, as of rain or faults, is beyond all there were.

    Eight times as much is outside, thirty times far outside.
    """
    most = max(map(abs, usual))
    return 2 * log(abs(value) / most, 2) if abs(value) > most else 0.0


def _all_the_same(one: Day, before: Sequence[Day]) -> Iterator[Unusual]:
    """Columns that have one value all day, and never had before."""
    for name, figures in one.columns.items():
        past = [day.columns[name] for day in before if name in day.columns]
        present = one.rows * (1 - figures.missing)
        if len(past) < LEAST_DAYS or present < _MANY or not _is_constant(figures):
            continue
        if not any(_is_constant(other) for other in past):
            yield Unusual(one.day, name, one.rows, "critical", "one value all day, never before")


def _is_constant(figures: Figures) -> bool:
    if figures.distinct is not None:
        return figures.distinct <= 1
    return figures.minimum == figures.maximum


def _copied(one: Day, before: Sequence[Day], days: Collection[Day]) -> Iterator[Unusual]:
    """A day whose figures are those of another: sent again under a new date.

    Only where that has not happened before: counters that stand still are alike every day.
    """
    others = {past.day: past for past in (*before, *days) if past.day < one.day}
    twin = next((past for past in others.values() if _is_copy(one, past)), None)
    if twin is None:
        return
    ordered = sorted(before, key=lambda past: past.day)
    if not any(_is_copy(later, earlier) for earlier, later in pairwise(ordered)):
        yield Unusual(one.day, None, one.rows, "critical", f"the same values as {twin.day}")


def _is_copy(one: Day, other: Day) -> bool:
    """Whether two days have the same figures, and enough of them that it is no chance."""
    pairs = [
        (mine, other.columns[name])
        for name, mine in one.columns.items()
        if name in other.columns and mine.distinct is None and mine.mean is not None
    ]
    telling = [mine for mine, _ in pairs if mine.minimum != mine.maximum]
    return (
        one.rows == other.rows
        and one.rows >= _MANY
        and bool(telling)
        and all(_same(mine, yours) for mine, yours in pairs)
    )


def _same(mine: Figures, yours: Figures) -> bool:
    figures = ((mine.mean, yours.mean), (mine.minimum, yours.minimum),
               (mine.maximum, yours.maximum), (mine.missing, yours.missing))  # fmt: skip
    return all(
        a is not None and b is not None and isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
        for a, b in figures
    )


def _severity(far: float) -> Literal["critical", "warning"] | None:
    return "critical" if far >= FAR else "warning" if far >= OUTSIDE else None


def is_late(lag_s: float, usual: Sequence[float]) -> bool:
    """Whether the newest row is older than it usually is when the product is audited.

    Args:
        lag_s: Its age in seconds.
        usual: Its age at earlier audits.
    """
    if len(usual) < LEAST_DAYS:
        return False
    an_hour = 3600.0
    floor = max(an_hour, median(usual) / 4)
    return lag_s > max(usual) and score(lag_s, usual, floor) >= OUTSIDE / 2
