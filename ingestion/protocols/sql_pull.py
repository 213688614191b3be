"""One gentle pull for every SQL source: page by page, read-only, landed as Parquet.

A page never splits an instant, so its last one is where the next begins. If one instant fills a
page, it is paged further by the table's unique key; without one it is streamed whole. What is
read is everything from the cursor on, not past it, and an overlap before it: ties, late commits
and a run that was cut short lose nothing, and what is read twice is known by its content.
"""

from __future__ import annotations

import logging
import operator
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from ingestion.protocols.sql_link import Link, patiently, receive, receive_file
from lakehouse.contracts.delivery import Pull
from lakehouse.duck import identifier, literal
from lakehouse.errors import Problem, SourceUnavailable

MOST_OF_AN_INSTANT: Final = 10_000_000
"""Rows of one instant of a table without a unique key; they come in one statement."""

_FEW: Final = 10_000
"""Rows that are fetched one by one sooner than by reading a whole file."""

Value = Any
"""A value of the cursor column or of a key: int, text or datetime."""

_log = logging.getLogger(__name__)


class Ask(Protocol):
    """Composes the statement for some of the rows, in the order of the feed."""

    def __call__(self, bounds: Sequence[Bound], limit: int | None) -> sa.Select[Any]:
        """The rows within all bounds; the first `limit` of them if there is a limit."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A column and what its values may be.

    Attributes:
        column: Name as delivered.
        compare: `operator.ge`, `gt`, `lt` or `eq`.
        value: What they are compared with.
    """

    column: str
    compare: Callable[[Any, Any], Any]
    value: Value

    def of(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """The condition on a column of a statement."""
        condition: sa.ColumnElement[bool] = self.compare(column, self.value)
        return condition


@dataclass(frozen=True, slots=True)
class Feed:
    """What is pulled.

    Attributes:
        ask: Composes its statements.
        order: The cursor's column, then whole numbers that make a row of one instant unique, if
            the table has them.
        label: A value of the cursor column in words.
        mark: The cursor that a page reaches whose newest value is this.
        is_plain: Whether an SQLite table declares its columns as numbers and text only.
        surplus: Rows that a statement may give besides those asked for.
    """

    ask: Ask
    order: tuple[str, ...]
    label: Callable[[Value], str]
    mark: Callable[[Value], int]
    is_plain: bool = True
    surplus: int = 0


def pages(
    fetch: Fetch, link: Link, feed: Feed, windows: Iterable[Sequence[Bound]]
) -> Iterator[Offer]:
    """The rows of some windows, in pages.

    Args:
        fetch: Says how gently, and where the cursor stood.
        link: The database.
        feed: What is pulled.
        windows: The bounds of each, one after the other.

    Yields:
        One offer for each page, with the cursor it reaches. Outside the contract's off-peak
        hours nothing is yielded, and the log says so; the next run goes on from the cursor.

    Raises:
        SourceUnavailable: The database did not answer within the contract's attempts.
    """
    pull = fetch.contract.delivery.pull
    reached = fetch.cursor
    for bounds in windows:
        found = _pages(fetch, link, feed, tuple(bounds), 0)
        while True:
            if not is_open(pull, datetime.now(UTC)):
                _log.info(
                    "%s is asked only at %s (%s): the next run goes on from the cursor",
                    fetch.contract.id, pull.off_peak, pull.zone,
                )  # fmt: skip
                return
            page = next(found, None)
            if page is None:
                break
            offer = _offer(fetch, link, feed, page, reached)
            reached = offer.marks.get("cursor", reached)
            yield offer
            page.unlink(missing_ok=True)
            if pull.pause_s:
                time.sleep(pull.pause_s)


def is_open(pull: Pull, at: datetime) -> bool:
    """Whether a source may be asked at this instant; hours that end before they begin span night.

    Args:
        pull: Says in which hours.
        at: An instant with an offset.
    """
    if pull.off_peak is None:
        return True
    begin, end = pull.off_peak.split("-")
    clock = at.astimezone(ZoneInfo(pull.zone)).strftime("%H:%M")
    return begin <= clock < end if begin < end else clock >= begin or clock < end


def _pages(
    fetch: Fetch, link: Link, feed: Feed, bounds: tuple[Bound, ...], level: int
) -> Iterator[Path]:
    """Files of whole values of the order's column number `level`; see `pages`."""
    pull = fetch.contract.delivery.pull
    column = identifier(feed.order[level])
    low: tuple[Bound, ...] = ()
    if level == 0 and patiently(link, partial(_receive_file, link, feed, bounds, pull.page_rows)):
        yield from _slices(fetch, link, feed, _count(link))
        return
    while True:
        limit = pull.page_rows + 1 + feed.surplus
        if patiently(link, partial(_receive, link, feed, (*bounds, *low), limit)) < limit:
            yield from _slices(fetch, link, feed, _count(link))
            return
        last, before = link.local.execute(
            f"""select max({column}), count(*) filter ({column} < (select max({column}) from page))
            from page"""
        ).fetchall()[0]
        if before:
            yield from _slices(fetch, link, feed, before)
            low = (Bound(feed.order[level], operator.ge, last),)
            continue
        within = (*bounds, Bound(feed.order[level], operator.eq, last))
        if level + 1 < len(feed.order):
            yield from _pages(fetch, link, feed, within, level + 1)
        else:
            yield from _instant(fetch, link, feed, within, last)
        low = (Bound(feed.order[level], operator.gt, last),)


def _instant(
    fetch: Fetch, link: Link, feed: Feed, bounds: tuple[Bound, ...], value: Value
) -> Iterator[Path]:
    """All rows of one instant that nothing tells apart, by one statement."""
    rows = patiently(link, partial(_receive, link, feed, bounds, MOST_OF_AN_INSTANT + 1))
    if rows > MOST_OF_AN_INSTANT:
        raise SourceUnavailable(
            Problem(
                f"{fetch.contract.id}: {feed.order[-1]} = {feed.label(value)}",
                f"more than {MOST_OF_AN_INSTANT:,} rows share it and no unique key parts them",
                "Ask for a table with a primary key of whole numbers, or for a finer clock.",
            )
        )
    yield from _slices(fetch, link, feed, _count(link))


def _receive(link: Link, feed: Feed, bounds: Sequence[Bound], limit: int) -> int:
    """Make `page`, in the order of the feed; the number of rows that came.

    Of a feed with surplus rows, those out of bounds are counted but not kept.
    """
    receive(link, feed.ask(bounds, limit), feed.order, "page")
    rows = _count(link)
    if feed.surplus:
        signs = {operator.ge: ">=", operator.gt: ">", operator.lt: "<", operator.eq: "="}
        within = " and ".join(f"{identifier(b.column)} {signs[b.compare]} ?" for b in bounds)
        link.local.execute(
            f"create or replace temp table page as from page where {within}",
            [bound.value for bound in bounds],
        )
    return rows


def _receive_file(link: Link, feed: Feed, bounds: Sequence[Bound], page_rows: int) -> bool:
    """Make `page` of all rows of an SQLite file, unless an index finds them sooner.

    DuckDB reads a table from its first row to its last; few rows come by SQLAlchemy.
    """
    if link.dialect != "sqlite" or not feed.is_plain:
        return False
    few = min(page_rows, _FEW)
    some = feed.ask(bounds, few + 1).subquery()
    with link.engine.connect() as connection:
        rows = connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
    return rows > few and receive_file(link, feed.ask(bounds, None), "page")


def _count(link: Link) -> int:
    return int(link.local.execute("select count(*) from page").fetchall()[0][0])


def _slices(fetch: Fetch, link: Link, feed: Feed, rows: int) -> Iterator[Path]:
    """Write the first rows of `page` to files; only an instant that fills a file is cut."""
    size = fetch.contract.delivery.pull.page_rows
    column = identifier(feed.order[0])
    first = 0
    while first < rows:
        end = min(first + size, rows)
        if end < rows:
            (whole,) = link.local.execute(
                f"""select min(rowid) from page where rowid between {first} and {end}
                and {column} = (select {column} from page where rowid = {end})"""
            ).fetchall()[0]
            end = whole if whole > first else end
        path = fetch.scratch / f"page-{time.monotonic_ns()}.parquet"
        link.local.execute(
            f"""copy (from page where rowid between {first} and {end - 1})
            to {literal(path)} (format parquet, compression zstd, compression_level 1)"""
        )
        yield path
        first = end


def _offer(fetch: Fetch, link: Link, feed: Feed, path: Path, before: int) -> Offer:
    """A page; a cursor that it does not move is no mark of its commit."""
    column = identifier(feed.order[0])
    oldest, newest = link.local.execute(
        f"select min({column}), max({column}) from read_parquet({literal(path)})"
    ).fetchall()[0]
    reached = feed.mark(newest)
    return Offer(
        name=f"{fetch.contract.id} {feed.label(oldest)} to {feed.label(newest)}",
        path=path,
        received_at=datetime.now(UTC),
        marks={"cursor": reached} if reached > before else {},
        is_pulled=True,
    )
