"""The checks that hold a product's days, and its age, against its own history."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from math import isclose
from typing import Final

from lakehouse.verdicts import Check
from quality.audit.history import History
from quality.audit.profile import Day, Figures
from quality.audit.usual import LEAST_DAYS, Unusual, is_late, unusual

ROWS: Final = "rows_as_usual"
VALUES: Final = "values_as_usual"
FRESHNESS: Final = "as_fresh_as_usual"


def to_judge(days: Mapping[date, Day], history: History) -> dict[date, Day]:
    """Complete days that are others than the history has them."""
    return {
        day: one
        for day, one in days.items()
        if one.complete and not _is_known(one, history.days.get(day))
    }


def check_days(
    judged: Mapping[date, Day],
    history: History,
    exceptions: Collection[date],
) -> tuple[Check, ...]:
    """Hold days against the history.

    Returns:
        One check of how many rows they have, and one of each column whose values are unusual, or
        one that says that there is none.
    """
    found = unusual(judged.values(), history.days, exceptions)
    held = f"{len(judged):,} days" if len(history.days) >= LEAST_DAYS else "too few days to compare"
    odd = {one.column for one in found if one.column}
    return (
        _check(None, ROWS, [one for one in found if one.column is None], held),
        *(
            _check(name, VALUES, [one for one in found if one.column == name], held)
            for name in sorted(odd)
        ),
        *(() if odd else (_check(None, VALUES, (), held),)),
    )


def _check(column: str | None, name: str, found: Sequence[Unusual], held: str) -> Check:
    is_far = any(one.severity == "critical" for one in found)
    told = "; ".join(f"{one.day}: {one.told}" for one in found[:3])
    return Check(
        expectation=name,
        column=column,
        severity="critical" if is_far else "warning",
        passed=not found,
        expected="days like those before them",
        observed=(told + (" …" if len(found) > 3 else "")) if found else held,
        unexpected=sum({one.day: one.rows for one in found}.values()),
    )


def check_freshness(newest: datetime | None, lags: Sequence[float], now: datetime) -> Check:
    """How old the newest row is, against how old it was at earlier audits."""
    age = (now - newest).total_seconds() if newest else 0.0
    usual = f", usually up to {_hours(max(lags))}" if lags else ""
    return Check(
        expectation=FRESHNESS,
        column=None,
        severity="warning",
        passed=not is_late(age, lags),
        expected="as new as it usually is",
        observed=f"the newest row is {_hours(age)} old{usual}",
    )


def _hours(seconds: float) -> str:
    hours = timedelta(seconds=seconds) / timedelta(hours=1)
    return f"{hours:.1f} h" if hours < 72 else f"{hours / 24:.0f} days"


def _is_known(one: Day, before: Day | None) -> bool:
    return (
        before is not None
        and before.complete
        and before.rows == one.rows
        and before.columns.keys() == one.columns.keys()
        and all(_is_same(figures, before.columns[name]) for name, figures in one.columns.items())
    )


def _is_same(one: Figures, other: Figures) -> bool:
    # Sums of numbers depend on the order of their rows in the last digits.
    pairs = ((one.missing, other.missing), (one.mean, other.mean), (one.minimum, other.minimum),
             (one.maximum, other.maximum), (one.distinct, other.distinct))  # fmt: skip
    return all(
        a == b or (a is not None and b is not None and isclose(a, b, rel_tol=1e-9, abs_tol=1e-12))
        for a, b in pairs
    )
