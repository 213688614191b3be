"""What a day of a product is like: how many rows, and how the values of each column lie.

One query over the days that an audit looks at. Different texts are estimated (HyperLogLog), which
takes the same memory however many there are, and gives the same for the same texts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import duckdb

from lakehouse.duck import identifier
from quality.audit.periods import Periods
from quality.audit.scope import Scope
from quality.audit.times import Time, day_of, number_of

RECENT: Final = timedelta(days=120)
"""Of days further before the last one only the number of rows is kept: none is held against them"""

FINGERPRINT: Final = "(31 * unicode({0}) + 7 * strlen({0})) % 97"
"""A number of a text that tells names from ids and one list of names from another: by the first
letter and the bytes. No hash, which another version of DuckDB may compute in another way."""

_NUMBERS: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
                   "UINTEGER", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figures:
    """How the values of one column lie on one day.

    Attributes:
        missing: Share of rows without a value.
        mean: Mean of the numbers, or of the fingerprints of texts; None if there are none.
        minimum: Least number; None for texts.
        maximum: Greatest number; None for texts.
        distinct: Different texts; None for numbers.
    """

    missing: float
    mean: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    distinct: int | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day of a product.

    Attributes:
        day: Which.
        rows: Its rows.
        newest: Its last time.
        columns: Its columns; none if it is long past.
        complete: Whether there was a later day.
    """

    day: date
    rows: int
    newest: datetime
    columns: Mapping[str, Figures]
    complete: bool = True


def profile(
    connection: duckdb.DuckDBPyConnection,
    scope: Scope,
    time: Time,
    columns: Sequence[str],
    periods: Periods,
    pending: Collection[date] = (),
) -> dict[date, Day]:
    """What the days are like that an audit looks at.

    Args:
        connection: What can read the table.
        scope: What the audit looks at.
        time: The time column.
        columns: The columns that are promised.
        periods: The days of the version.
        pending: Days that were the last ones when they were looked at, and are to be so again.
    """
    last = periods.last
    if last is None:
        return {}
    chosen = {*periods.touched, *pending} & set(periods.days)
    chosen -= {last} - periods.touched  # it is still the last one, and as it was
    recent = {day for day in chosen if day > last - RECENT}
    found = {day: Day(day, periods.days[day], _end(day), {}, day < last) for day in chosen - recent}
    if not recent:
        return found
    kinds = _kinds(connection, scope, [name for name in columns if name != time.column])
    figures = ", ".join(sql for name, kind in kinds.items() for sql in _sql(name, kind))
    query = f"""select {time.day} as day, count(*) as rows, max({time.instant}) as newest
        {"," if figures else ""} {figures}
        from {scope.relation} where {_where(scope, time, periods, recent)} group by day"""
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or ()]
    for values in cursor.fetchall():
        told = dict(zip(names, values, strict=True))
        day = day_of(told["day"])
        found[day] = Day(day, told["rows"], told["newest"], dict(_figures(kinds, told)), day < last)
    return found


def _where(scope: Scope, time: Time, periods: Periods, days: set[date]) -> str:
    """The condition of the rows of some days; of their partitions only, if no other has any."""
    conditions = [f"{time.instant} is not null"]
    if days <= periods.touched and not days & periods.elsewhere:
        conditions.append(scope.among(scope.looked_at))
    elif not time.is_text and time.type != "DATE":
        first, last = min(days), max(days) + timedelta(days=1)
        column = identifier(time.column)
        conditions.append(f"{column} >= '{first} 00:00:00+00' and {column} < '{last} 00:00:00+00'")
    if set(days) != set(periods.days):
        numbers = ", ".join(str(number_of(day)) for day in sorted(days))
        conditions.append(f"{time.day} in ({numbers})")
    return " and ".join(conditions)


def _kinds(
    connection: duckdb.DuckDBPyConnection, scope: Scope, columns: Sequence[str]
) -> dict[str, str]:
    """Columns as `number`, `text` or `other`."""
    if not columns:
        return {}
    chosen = ", ".join(map(identifier, columns))
    described = connection.execute(f"describe select {chosen} from {scope.relation}").fetchall()
    return {
        row[0]: "text" if row[1] == "VARCHAR"
        else "number" if row[1].startswith(_NUMBERS) and not row[1].endswith("]")
        else "other"
        for row in described
    }  # fmt: skip


def _sql(name: str, kind: str) -> Iterator[str]:
    column = identifier(name)

    def named(figure: str) -> str:
        return identifier(f"{figure} of {name}")

    yield f"count({column}) as {named('count')}"
    if kind == "text":
        yield f"avg({FINGERPRINT.format(column)}) as {named('mean')}"
        yield f"approx_count_distinct({column}) as {named('distinct')}"
    if kind == "number":
        number = f"({column})::double"
        # An endless number would hide all others; contracts have bounds against them.
        finite = f"filter (where isfinite({number}))"
        yield f"avg({number}) {finite} as {named('mean')}"
        yield f"min({number}) {finite} as {named('minimum')}"
        yield f"max({number}) {finite} as {named('maximum')}"


def _figures(kinds: Mapping[str, str], told: Mapping[str, Any]) -> Iterator[tuple[str, Figures]]:
    for name in kinds:
        yield (
            name,
            Figures(
                missing=1 - told[f"count of {name}"] / told["rows"],
                mean=told.get(f"mean of {name}"),
                minimum=told.get(f"minimum of {name}"),
                maximum=told.get(f"maximum of {name}"),
                distinct=told.get(f"distinct of {name}"),
            ),
        )


def _end(day: date) -> datetime:
    return datetime.fromisoformat(f"{day}T23:59:59+00:00")
