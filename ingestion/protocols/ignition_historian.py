"""Pulls an Ignition SQL Tag Historian, read-only and page by page.

Partition tables are looked up in `sqlth_partitions`, never composed from a date; those of other
drivers and those that hold pre-processed values are left alone. Every page is landed like any
other delivery, so a replay needs no historian. Store-and-forward inserts old values late, so
each pull reads an overlap again.

Source: Inductive Automation, "Ignition Database Table Reference" (8.1, 8.3).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from operator import ge, lt
from typing import Any, Final

import sqlalchemy as sa

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from ingestion.protocols import sql_days
from ingestion.protocols.sql_link import Link, linked, patiently
from ingestion.protocols.sql_pull import Bound, Feed, pages

_VALUES: Final = (
    sa.column("tagid", sa.BigInteger),
    sa.column("intvalue", sa.BigInteger),
    sa.column("floatvalue", sa.Double),
    sa.column("stringvalue", sa.String),
    sa.column("datevalue", sa.String),
    sa.column("dataintegrity", sa.BigInteger),
    sa.column("t_stamp", sa.BigInteger),
)
_UNPARTITIONED: Final = re.compile(r"^sqlth_\d+_data$")
"""The one table of a driver whose history is not partitioned."""
_LAST_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A table of values.

    Attributes:
        table: Its name.
        end: Epoch ms at which it is over; None while it is written to.
    """

    table: str
    end: int | None


def offers(fetch: Fetch) -> Iterator[Offer]:
    """The values past the cursor, and the overlap before it, in pages by time.

    Args:
        fetch: Its cursor is the newest t_stamp taken, epoch ms.

    Yields:
        One offer for each page, with the cursor it reaches.

    Raises:
        SourceUnavailable: The historian did not answer within the contract's attempts.
    """
    pull = fetch.contract.delivery.pull
    begin = int(pull.start.timestamp() * 1000) if pull.start else 0
    low = max(begin, fetch.cursor - int(pull.overlap_h * 3_600_000))
    with linked(fetch) as link:
        partitions = patiently(link, partial(_partitions, link))
        if not any(_is_due(one, low) for one in partitions):
            return
        yield from pages(fetch, link, _feed(partitions, pull.tags), [[Bound("t_stamp", ge, low)]])


def _feed(partitions: Sequence[Partition], tags: str) -> Feed:
    return Feed(
        ask=partial(_ask, partitions, tags),
        order=("t_stamp", "tagid"),
        label=_instant,
        # A clock that runs ahead must not lead the cursor past what is still to come.
        mark=lambda newest: min(int(newest), int(time.time() * 1000)),
    )


@contextmanager
def days(fetch: Fetch) -> Iterator[sql_days.Days]:
    """Its values by UTC day.

    Raises:
        SourceUnavailable: As `offers`.
    """
    tags = fetch.contract.delivery.pull.tags
    with linked(fetch) as link:
        partitions = patiently(link, partial(_partitions, link))
        feed = _feed(partitions, tags)

        def window(day: date) -> list[Bound]:
            low, high = (int(at.replace(tzinfo=UTC).timestamp() * 1000)
                         for at in sql_days.spans(day))  # fmt: skip
            return [Bound("t_stamp", ge, low), Bound("t_stamp", lt, high)]

        def measured(bounds: Sequence[Bound]) -> sa.Select[Any]:
            return _measured(_ask(partitions, tags, bounds, None))

        def count(day: date) -> sql_days.Counts:
            if not partitions:
                return sql_days.Counts()
            return sql_days.count(fetch, link, measured, ("tagpath", "t_stamp"), window(day))

        yield sql_days.Days(
            zone="UTC",
            has_channel=True,
            page_day=sql_days.epoch_day("t_stamp", 1000),
            page_key=("tagpath", "t_stamp"),
            count=count,
            offers=lambda day: (
                sql_days.offers(fetch, link, feed, window(day)) if partitions else iter(())
            ),
        )


def _measured(values: sa.Select[Any]) -> sa.Select[Any]:
    """Values that are not left out: they have one, or their quality is bad and they mark a gap.

    Several ids of one tag path are one history, so the id is none of what tells them apart.
    """
    found = {column.key: column for column in values.selected_columns if column.key != "tagid"}
    code = sa.func.coalesce(found["dataintegrity"], 0)
    names = ("intvalue", "floatvalue", "stringvalue", "datevalue")
    return values.with_only_columns(*found.values()).where(
        sa.or_(
            *(found[name].is_not(None) for name in names),
            sa.not_(sa.or_(code.between(192, 255), code.between(64, 127))),
        )
    )


def _is_due(partition: Partition, low: int) -> bool:
    return partition.end is None or partition.end >= low


def _partitions(link: Link) -> list[Partition]:
    """The tables that hold raw values of the contract's tags, each once."""
    listed = sa.table(
        "sqlth_partitions",
        sa.column("pname", sa.String),
        sa.column("drvid", sa.Integer),
        sa.column("end_time", sa.BigInteger),
        sa.column("blocksize", sa.Integer),
    )
    asked = sa.select(listed.c.pname, listed.c.drvid, listed.c.end_time).where(
        sa.func.coalesce(listed.c.blocksize, 0) == 0
    )
    with link.engine.connect() as connection:
        drivers = set(
            connection.execute(_drivers(link.contract.delivery.pull.tags)).scalars().all()
        )
        there = set(sa.inspect(connection).get_table_names())
        rows: Sequence[Any] = connection.execute(asked).all()
    ends: dict[str, int | None] = {}
    for name, driver, end in rows:
        # A tag whose driver nobody knows may be in any table.
        if name in there and (driver in drivers or None in drivers):
            before = ends.get(name, 0)
            ends[name] = None if end is None or before is None else max(end, before)
    ends |= {name: None for name in there if _UNPARTITIONED.match(name)}
    return [Partition(name, ends[name]) for name in sorted(ends)]


def _drivers(tags: str) -> sa.Select[int]:
    """The drivers that have ever written the tags; null among them for a tag without one."""
    tag = sa.table("sqlth_te", sa.column("tagpath", sa.String), sa.column("scid", sa.Integer))
    scan = sa.table("sqlth_scinfo", sa.column("id"), sa.column("drvid", sa.Integer))
    return (
        sa.select(scan.c.drvid)
        .distinct()
        .select_from(tag.outerjoin(scan, tag.c.scid == scan.c.id))
        .where(tag.c.tagpath.ilike(tags))
    )


def _ask(
    partitions: Sequence[Partition], tags: str, bounds: Sequence[Bound], limit: int | None
) -> sa.Select[Any]:
    """Values of all partitions that can have some; each gives no more than the page needs."""
    low = min(int(bound.value) for bound in bounds if bound.column == "t_stamp")
    parts = [_values(one.table, tags, bounds, limit) for one in partitions if _is_due(one, low)]
    # The pages before have led past every partition that is over: one of them says "nothing".
    values = sa.union_all(*(parts or [_values(partitions[0].table, tags, bounds, limit)])).subquery(
        "history"
    )
    return sa.select(*values.c).order_by(values.c.t_stamp, values.c.tagid).limit(limit)


def _values(table: str, tags: str, bounds: Sequence[Bound], limit: int | None) -> sa.Select[Any]:
    data = sa.table(table, *(sa.column(column.name, column.type) for column in _VALUES))
    tag = sa.table("sqlth_te", sa.column("id"), sa.column("tagpath", sa.String))
    chosen: list[sa.ColumnElement[Any]] = [data.c.tagid, tag.c.tagpath.label("tagpath")]
    chosen += [
        sa.cast(column, sa.String).label(column.name) if column.name == "datevalue" else column
        for column in data.c
        if column.name != "tagid"
    ]
    every = (
        sa.select(*chosen)
        .join_from(data, tag, data.c.tagid == tag.c.id)
        .where(tag.c.tagpath.ilike(tags), *(bound.of(data.c[bound.column]) for bound in bounds))
    )
    if limit is None:
        return every
    some = every.order_by(data.c.t_stamp, data.c.tagid).limit(limit).subquery()
    return sa.select(*some.c)


def _instant(epoch_ms: int) -> str:
    if epoch_ms > _LAST_MS:
        return str(epoch_ms)  # no calendar has it; the row itself goes to quarantine
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
