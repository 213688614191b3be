"""Which days a product has: what is lost, what is missing between, what cannot be yet.

Days are UTC days of the product's time column. What has not changed since the last passed verdict
is told by the statistics of its files, where they tell of one day; the rest is asked in SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.verdicts import Check
from quality.audit.scope import PARTITION, Part, Scope
from quality.audit.times import Time, day_of

LOST: Final = "no_day_is_lost"
GAP: Final = "no_gap_in_days"
TIMED: Final = "every_row_has_a_time"
AHEAD: Final = "no_row_is_ahead_of_time"

_DENSE: Final = 0.95
"""Share of the days between the first and the last from which on a missing one stops a release."""
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Periods:
    """The days of a version.

    Attributes:
        days: Rows of each day.
        touched: The days of the partitions that were looked at.
        elsewhere: Days that other partitions have too.
        without_time: Rows without a time.
        newest: The last time; None if there is none.
    """

    days: Mapping[date, int]
    touched: frozenset[date]
    elsewhere: frozenset[date]
    without_time: int
    newest: datetime | None

    @property
    def last(self) -> date | None:
        """The last day."""
        return max(self.days, default=None)


def periods_of(connection: duckdb.DuckDBPyConnection, scope: Scope, time: Time) -> Periods:
    """Count the rows of each day of a version."""
    looked_at = scope.looked_at
    chosen = {part.value for part in looked_at}
    others = [part for part in scope.parts if part.value not in chosen]
    told = _told(connection, scope, time, others)
    read = _counted(connection, scope, time, looked_at)
    rest = _counted(connection, scope, time, [one for one in others if one.value not in told])
    days: Counter[date] = Counter()
    elsewhere: set[date] = set()
    newest = []
    without = 0
    for is_looked_at, rows in ((True, read), (False, rest), (False, told.values())):
        for number, count, last in rows:
            if number is None:
                without += count
                continue
            days[day_of(number)] += count
            newest.append(last)
            if not is_looked_at:
                elsewhere.add(day_of(number))
    touched = frozenset(day_of(number) for number, _, _ in read if number is not None)
    return Periods(days, touched, frozenset(elsewhere), without, max(newest, default=None))


Count = tuple[int | None, int, datetime]


def _counted(
    connection: duckdb.DuckDBPyConnection, scope: Scope, time: Time, parts: Collection[Part]
) -> list[Count]:
    if not parts:
        return []
    query = f"""select {time.day} as day, count(*), max({time.instant}) from {scope.relation}
        where {scope.among([*parts])} group by day"""
    return connection.execute(query).fetchall()


def _told(
    connection: duckdb.DuckDBPyConnection, scope: Scope, time: Time, parts: Collection[Part]
) -> dict[str, Count]:
    """What file statistics tell of partitions whose rows are all of one day."""
    least, most, nulls = (f"{kind}.{time.column}" for kind in ("min", "max", "null_count"))
    if not parts or time.is_text or not {least, most, nulls} <= set(scope.files.column_names):
        return {}
    days = pa.array([part.value for part in parts])
    named = pc.fill_null(pc.cast(scope.files[f"partition.{PARTITION}"], pa.string()), "")
    files = pa.table(
        {
            "part": named,
            "rows": scope.files["num_records"],
            "least": scope.files[least],
            "most": scope.files[most],
            "nulls": scope.files[nulls],
        }
    ).filter(pc.is_in(named, value_set=days))
    first, last = time.day_in("least"), time.day_in("most")
    connection.register("files_of_the_log", files)
    found = connection.execute(
        f"""select part, min({first}), sum(rows)::bigint, max({time.instant_in("most")})
        from files_of_the_log group by part
        having bool_and(nulls = 0 and least is not null and most is not null)
            and min({first}) = max({last})"""
    ).fetchall()
    connection.unregister("files_of_the_log")
    return {part: (day, rows, newest) for part, day, rows, newest in found}


def check_periods(
    periods: Periods,
    before: Collection[date],
    today: date,
    *,
    kept_from: date | None = None,
    exceptions: Collection[date] = (),
    is_history: bool = True,
) -> tuple[Check, ...]:
    """Hold the days of a version against those of the versions that were audited before.

    Args:
        periods: The days of the version.
        before: The days that audited versions had.
        today: The day of the audit, UTC.
        kept_from: First day of the time for which rows are kept; earlier ones may go.
        exceptions: Days of which the contract says that they are out of the ordinary.
        is_history: Whether the rows stay what they were. A table of the present is only asked for
            rows of the future: where nothing was heard yet, there is no time.
    """
    present = set(periods.days)
    first, last = min(present, default=None), max(present, default=None)
    missing = _between(first, last) - present - set(exceptions)
    span = (last - first).days + 1 if first and last else 0
    is_dense = bool(span) and len(present | set(exceptions)) / span >= _DENSE
    lost = {
        day
        for day in set(before) - present - set(exceptions)
        if kept_from is None or day >= kept_from
    }
    known = _between(min(before, default=None), max(before, default=None)) - set(before)
    # Who has never been audited has no history: a day without rows may be how it was.
    gaps = missing - known - lost
    ahead = {day: rows for day, rows in periods.days.items() if day > today + _ONE_DAY}
    of_the_future = Check(
        AHEAD, None, "critical", not ahead, f"no row after {today + _ONE_DAY}",
        f"{sum(ahead.values()):,} rows{_named(ahead)}", sum(ahead.values()),
    )  # fmt: skip
    if not is_history:
        return (of_the_future,)
    return (
        Check(
            TIMED, None, "critical", not periods.without_time, "every row has a time",
            f"{periods.without_time:,} rows without", periods.without_time,
        ),
        of_the_future,
        Check(
            LOST, None, "critical", not lost, "every day that was there before",
            f"{len(lost):,} days lost{_named(lost)}",
        ),
        Check(
            GAP, None, "critical" if is_dense and before else "warning", not gaps,
            "no new day without rows between the first and the last",
            f"{len(gaps):,} days without rows{_named(gaps)}",
        ),
    )  # fmt: skip


def _between(first: date | None, last: date | None) -> set[date]:
    if first is None or last is None:
        return set()
    return {first + timedelta(days=number) for number in range((last - first).days + 1)}


def _named(days: Collection[date]) -> str:
    """The first few of some days."""
    shown = ", ".join(day.isoformat() for day in sorted(days)[:5])
    return (f": {shown}" + (" …" if len(days) > 5 else "")) if days else ""
