"""Pulls an AVEVA (Wonderware) Historian: the extension table `History`, window by window.

What the historian gives by default is not what it has stored, and its times are the server's
local ones, so every statement says what is wanted. Its answer may begin with a value from before
the window, moved to its first instant; so each window is asked from a moment before it, and what
lies before it is left out.

Source: AVEVA Historian, "Retrieval Modes" and "History table" (docs.aveva.com, sp-historian).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from operator import eq, ge, lt
from typing import Any, Final

import sqlalchemy as sa

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from ingestion.protocols import sql_days
from ingestion.protocols.sql_link import Link, linked, patiently, receive
from ingestion.protocols.sql_pull import Bound, Feed, pages
from lakehouse.contracts import SourceContract
from lakehouse.errors import Problem, SourceUnavailable

HISTORY: Final = "Runtime.dbo.History"
"""Where `History` and `Tag` stand unless `pull.table` says otherwise."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the column's clock is UTC without saying so
_LEAD: Final = timedelta(seconds=1)
"""How long before a window it is asked for, so that no moved value lies in it."""
_WINDOW: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_VALUES: Final = (
    ("TagName", sa.Unicode),
    ("DateTime", sa.DateTime),
    ("Value", sa.Double),
    ("vValue", sa.Unicode),
    ("Quality", sa.Integer),
    ("QualityDetail", sa.Integer),
    ("OPCQuality", sa.Integer),
)


def offers(fetch: Fetch) -> Iterator[Offer]:
    """The values past the cursor, and the overlap before it, up to now, in pages by time.

    Args:
        fetch: Its contract says with `pull.start` where the first pull begins. The cursor is the
            newest DateTime taken, microseconds since 1970.

    Yields:
        One offer for each page, with the cursor it reaches.

    Raises:
        SourceUnavailable: The historian did not answer within the contract's attempts.
    """
    with linked(fetch) as link:
        low = _low(fetch)
        tags = patiently(link, partial(_tags, link))
        if not tags:
            return
        yield from pages(fetch, link, _feed(fetch.contract, tags), _windows(low))


def _feed(contract: SourceContract, tags: Sequence[str]) -> Feed:
    return Feed(
        ask=partial(_ask, contract, tags),
        order=("DateTime",),
        label=lambda at: f"{at.isoformat()}Z",
        mark=lambda newest: (newest - _EPOCH) // _MICROSECOND,
        is_plain=False,
        surplus=len(tags),
    )


@contextmanager
def days(fetch: Fetch) -> Iterator[sql_days.Days]:
    """Its values by UTC day.

    They are counted here: a condition or a count around a retrieval would change what the
    historian retrieves.

    Raises:
        SourceUnavailable: As `offers`.
    """
    with linked(fetch) as link:
        tags = patiently(link, partial(_tags, link))
        feed = _feed(fetch.contract, tags)

        def window(day: date) -> list[Bound]:
            low, high = sql_days.spans(day)
            return [Bound("DateTime", ge, low), Bound("DateTime", lt, high)]

        def count(day: date) -> sql_days.Counts:
            sql_days.require_open(fetch)
            if not tags:
                return sql_days.Counts()
            asked = _ask(fetch.contract, tags, window(day), None)
            patiently(link, partial(receive, link, asked, feed.order, "day"))
            found = link.local.execute(_COUNT, list(sql_days.spans(day))).fetchall()[0]
            return sql_days.Counts(*found)

        yield sql_days.Days(
            zone="UTC",
            has_channel=True,
            page_day=sql_days.written_day('"DateTime"'),
            page_key=('"TagName"', '"DateTime"'),
            count=count,
            offers=lambda day: (
                sql_days.offers(fetch, link, feed, window(day)) if tags else iter(())
            ),
        )


_COUNT: Final = """
select count(distinct (TagName, DateTime)), count(distinct d) from day d
where DateTime >= ? and DateTime < ?
    and (Value is not null or vValue is not null or QualityDetail = 248 or Quality = 1
        or OPCQuality & 255 <= 35 or Quality is null and OPCQuality is null)"""
"""Values that are not left out: they have one, or their quality is bad and they mark a gap."""


def _windows(low: datetime) -> Iterator[list[Bound]]:
    now = datetime.now(UTC).replace(tzinfo=None)
    while low < now:
        high = min(low + _WINDOW, now)
        yield [Bound("DateTime", ge, low), Bound("DateTime", lt, high)]
        low = high


def _low(fetch: Fetch) -> datetime:
    pull = fetch.contract.delivery.pull
    if pull.start is None:
        raise SourceUnavailable(
            Problem(
                f"{fetch.contract.path}: customProperties.delivery.pull",
                "a historian must not be asked for all of its time",
                "Add 'start', the day that the first pull begins with.",
            )
        )
    begin = pull.start.astimezone(UTC).replace(tzinfo=None)
    if not fetch.cursor:
        return begin
    return max(begin, _EPOCH + fetch.cursor * _MICROSECOND - timedelta(hours=pull.overlap_h))


def _place(contract: SourceContract, table: str | None = None) -> tuple[str, str | None]:
    """Name and schema of `History`, or of the table beside it."""
    schema, _, name = (contract.delivery.pull.table or HISTORY).rpartition(".")
    return table or name, schema or None


def _tags(link: Link) -> list[str]:
    """The names of the contract's tags; History is only to be asked for names."""
    name, schema = _place(link.contract, "Tag")
    tag = sa.table(name, sa.column("TagName", sa.Unicode), schema=schema)
    asked = sa.select(tag.c.TagName).where(tag.c.TagName.ilike(link.contract.delivery.pull.tags))
    with link.engine.connect() as connection:
        return sorted(set(connection.execute(asked).scalars()))


def _ask(
    contract: SourceContract, tags: Sequence[str], bounds: Sequence[Bound], limit: int | None
) -> sa.Select[Any]:
    """The retrieval statement of a window; nothing in it is left to the server's defaults.

    `Full` gives every stored value, `Delta` only those that differ from the one before.
    """
    name, schema = _place(contract)
    told = {"wwRetrievalMode": "Full", "wwTimeZone": "UTC", "wwVersion": "Latest"}
    history = sa.table(
        name,
        *(sa.column(column, kind()) for column, kind in _VALUES),
        *(sa.column(column, sa.Unicode()) for column in told),
        schema=schema,
    ).alias("history")
    names = sa.bindparam("tags", list(tags), sa.Unicode(), expanding=True, literal_execute=True)
    return (
        sa.select(
            *(
                sa.cast(history.c[column], sa.Unicode(4000)).label(column)
                if column == "vValue"
                else history.c[column]
                for column, _ in _VALUES
            )
        )
        .where(
            history.c.TagName.in_(names),
            *_window(history.c.DateTime, bounds),
            *(
                history.c[column] == sa.literal(value, sa.Unicode(), literal_execute=True)
                for column, value in told.items()
            ),
        )
        .order_by(history.c.DateTime, history.c.TagName)
        .limit(limit)
    )


def _window(
    column: sa.ColumnElement[Any], bounds: Sequence[Bound]
) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """The half-open window of some bounds, from a moment before it, in whole milliseconds.

    It may be wider than the bounds: what came of them is cut to the microsecond afterwards.
    """
    low = max(bound.value for bound in bounds if bound.compare is not lt)
    ends = [bound.value for bound in bounds if bound.compare is lt]
    ends += [bound.value + _MICROSECOND for bound in bounds if bound.compare is eq]
    return column >= _literal(low - _LEAD), column < _literal(min(ends) + 999 * _MICROSECOND)


def _literal(at: datetime) -> sa.ColumnElement[Any]:
    """A time as SQL Server reads it whatever its DATEFORMAT is; cut to milliseconds."""
    return sa.literal_column(f"'{at:%Y%m%d %H:%M:%S}.{at.microsecond // 1000:03d}'")
