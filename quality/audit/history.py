"""What is kept of audits in the lake: every check, and what the days of products were like.

Both tables only grow. A day is history once an audit has passed that looked at it: what failed
must not become what is usual.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import duckdb
import pyarrow as pa

from lakehouse import delta, tables
from lakehouse.contracts import ProductContract
from lakehouse.delta.appending import append_beside
from lakehouse.duck import delta_scan, literal
from lakehouse.settings import Settings
from lakehouse.verdicts import Verdict
from quality.audit.profile import RECENT, Day, Figures

_LAGS: Final = 40
"""Audits whose lags are remembered."""


@dataclass(frozen=True, slots=True)
class History:
    """What earlier audits that passed have kept of a product.

    Attributes:
        dates: The days that its versions had.
        days: What the recent ones were like.
        lags: Age of the newest row at each audit that found new ones, in seconds.
    """

    dates: frozenset[date]
    days: Mapping[date, Day]
    lags: tuple[float, ...]

    @property
    def pending(self) -> frozenset[date]:
        """Days that were the last ones when they were looked at."""
        return frozenset(day for day, one in self.days.items() if not one.complete)


NONE: Final = History(frozenset(), {}, ())


def history_of(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: ProductContract,
    version: int,
    first: date | None,
    now: datetime,
) -> History:
    """The history of a product, without what audits of this very version have kept.

    Args:
        connection: What can read the lake.
        settings: Where the lake is.
        contract: The product.
        version: The version that is audited.
        first: First day that is looked at.
        now: The time of the audit.
    """
    address = tables.quality_days(settings)
    if not delta.exists(address):
        return NONE
    kept = f"""(select * from {delta_scan(address)}
        where product = {literal(contract.id)} and model = {literal(contract.model)} and passed
            and delta_version <> {version} and audited_at < {_instant(now)})"""
    newest = f"""(select * from {kept}
        qualify rank() over (partition by day order by audited_at desc) = 1)"""
    dates = connection.execute(
        f'select day from {newest} where "column" is null and rows > 0'
    ).fetchall()
    since = (first or now.date()) - RECENT
    rows = connection.execute(
        f"""select day, "column", rows, newest, complete,
            missing, mean, minimum, maximum, "distinct"
        from {newest} where rows > 0 and day >= date '{since}'"""
    ).fetchall()
    lags = connection.execute(
        f"""select epoch(audited_at) - epoch(max(newest)) from {kept} where not complete
        group by audited_at order by audited_at desc limit {_LAGS}"""
    ).fetchall()
    return History(frozenset(day for (day,) in dates), _days(rows), tuple(lag for (lag,) in lags))


def _days(rows: Collection[tuple[Any, ...]]) -> dict[date, Day]:
    columns: dict[date, dict[str, Figures]] = {}
    for day, column, _, _, _, *figures in rows:
        if column is not None:
            columns.setdefault(day, {})[column] = Figures(*figures)
    return {
        day: Day(day, count, newest, columns.get(day, {}), complete)
        for day, column, count, newest, complete, *_ in rows
        if column is None
    }


def keep(
    settings: Settings,
    verdict: Verdict,
    days: Collection[Day],
    gone: Collection[date] = (),
) -> None:
    """Add an audit to the history; once for each version, contract and outcome.

    Args:
        settings: Where the lake is.
        verdict: What came of it.
        days: What the days were like that it looked at.
        gone: Days that earlier versions had and this one may lack.
    """
    about = {
        "product": verdict.product,
        "model": verdict.model,
        "delta_version": verdict.delta_version,
        "contract_version": verdict.contract_version,
        "audited_at": datetime.fromisoformat(verdict.audited_at),
    }
    mark = f"audit:{verdict.product}:{verdict.contract_digest[:12]}:{verdict.table_id}"
    mark = f"{mark}:{verdict.delta_version}"
    checks = [
        about
        | {"check": one.expectation, "column": one.column, "severity": one.severity}
        | {"passed": one.passed, "unexpected": one.unexpected, "rows": verdict.rows}
        for one in verdict.checks
    ]
    if checks:
        table = pa.Table.from_pylist(checks, tables.QUALITY)
        append_beside(tables.quality(settings), table, mark, "Checks of audits")
    about |= {"passed": verdict.passed}
    rows = [about | row for row in (*_rows(days), *_gone(gone))]
    if rows:
        mark = f"{mark}:{'passed' if verdict.passed else 'failed'}"
        table = pa.Table.from_pylist(rows, tables.QUALITY_DAYS)
        append_beside(tables.quality_days(settings), table, mark, "Days of products")


def _rows(days: Collection[Day]) -> Iterator[dict[str, Any]]:
    for one in days:
        of_day = {"day": one.day, "complete": one.complete, "newest": one.newest, "rows": one.rows}
        yield of_day
        for name, figures in one.columns.items():
            yield of_day | {"column": name} | asdict(figures)


def _gone(days: Collection[date]) -> Iterator[dict[str, Any]]:
    for day in days:
        newest = datetime(day.year, day.month, day.day, tzinfo=UTC)
        yield {"day": day, "complete": True, "newest": newest, "rows": 0}


def _instant(moment: datetime) -> str:
    return f"timestamptz {literal(moment.isoformat())}"


def kept_from(seconds: int | None, newest: date | None) -> date | None:
    """First day of the time for which rows are kept; None if they are kept for good."""
    if seconds is None or newest is None:
        return None
    return newest - timedelta(seconds=seconds)
