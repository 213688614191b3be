"""A database's rows day by day: counted there, and pulled once more where some are missing.

A pull goes on from its cursor and reads an overlap again. A row that is committed later than
the overlap reaches, with a time before it, is never asked for; only a count can tell. One day is
one statement over one range of the time column, with the link's own bounds on its duration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from ingestion.protocols.sql_link import Link, patiently
from ingestion.protocols.sql_pull import Bound, Feed, is_open, pages
from lakehouse.errors import Problem, SourceUnavailable


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of a day that carry a measurement.

    Attributes:
        keys: Different devices (and channels, where a row has one) and times; a correction adds
            none.
        rows: Different rows; an equal row adds none.
    """

    keys: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Days:
    """A database's days.

    Attributes:
        zone: Zone of the clock that its days are told by; UTC unless its times are local.
        has_channel: Whether a key has the channel besides device and time.
        page_day: SQL of the day of a row of a landed page.
        page_key: SQL of what makes its key.
        count: Counts a day's rows.
        offers: Pulls a day's rows; the cursor stays where it is.
    """

    zone: str
    has_channel: bool
    page_day: str
    page_key: Sequence[str]
    count: Callable[[date], Counts]
    offers: Callable[[date], Iterator[Offer]]


ByDay = Callable[[Fetch], AbstractContextManager[Days]]
"""Opens the days of a source."""


def require_open(fetch: Fetch) -> None:
    """Keep to the hours in which a source may be asked.

    Raises:
        SourceUnavailable: It may not be asked now.
    """
    pull = fetch.contract.delivery.pull
    if not is_open(pull, datetime.now(UTC)):
        raise SourceUnavailable(
            Problem(
                fetch.contract.id,
                f"it may be asked only at {pull.off_peak} ({pull.zone})",
                "Run it then, or for fewer days; what was taken so far is kept.",
            )
        )


def count(
    fetch: Fetch,
    link: Link,
    rows: Callable[[Sequence[Bound]], sa.Select[Any]],
    key: Sequence[str],
    bounds: Sequence[Bound],
) -> Counts:
    """Let the database count the different rows and keys of a statement.

    Args:
        fetch: Says in which hours.
        link: The database.
        rows: Composes the statement of the rows within bounds, as they would be pulled.
        key: Columns of it.
        bounds: The day.
    """
    require_open(fetch)
    different = rows(bounds).order_by(None).distinct().subquery("different")
    keyed = (
        sa.select(sa.func.count().label("rows"))
        .select_from(different)
        .group_by(*(different.c[name] for name in key))
        .subquery("keyed")
    )
    asked = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(keyed.c.rows), 0))

    def ask() -> Counts:
        with link.engine.connect() as connection:
            found: Any = connection.execute(asked).one()
            return Counts(*map(int, found))

    return patiently(link, ask)


def offers(fetch: Fetch, link: Link, feed: Feed, bounds: Sequence[Bound]) -> Iterator[Offer]:
    """The rows of a day in pages that leave the cursor alone: days after it were not pulled yet.

    Raises:
        SourceUnavailable: The database did not answer, or its hours were over before the end.
    """
    require_open(fetch)
    for offer in pages(fetch, link, feed, [bounds]):
        yield replace(offer, marks={})
    require_open(fetch)  # `pages` just ends when they are over


def spans(day: date) -> tuple[datetime, datetime]:
    """The first instants of a day and of the next, without zone."""
    first = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - on the clock of the column
    return first, first + timedelta(days=1)


def epoch_day(column: str, per_second: int) -> str:
    """SQL of the UTC day of a column of a page that counts since 1970."""
    return f"make_timestamp(try_cast({column} as bigint) * {1_000_000 // per_second})::date"


def written_day(column: str) -> str:
    """SQL of the day of a column of a page, as it is written on its own clock."""
    return f"try_cast(left({column}::varchar, 10) as date)"
