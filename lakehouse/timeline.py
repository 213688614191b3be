"""Local wall clocks laid against UTC: which local times exist, which exist twice.

A zone's wall clock falls into stretches. In most of them a local time means one instant; in
spring a stretch does not exist, in autumn one exists twice. Readers join naive local times to
these stretches, so no local time is ever guessed.

Source: IANA time zone database, through `zoneinfo`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pyarrow as pa

_FIRST, _LAST = datetime(1850, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a wall clock.

    Attributes:
        local_from: First local time of the stretch (naive).
        earlier_s: Offset from UTC in seconds of the only or the earlier reading; None when the
            local times of this stretch do not exist.
        later_s: Offset of the later reading; None unless the local times exist twice.
    """

    local_from: datetime
    earlier_s: int | None
    later_s: int | None


@cache
def stretches(zone: str) -> tuple[Stretch, ...]:
    """The wall clock of a zone from 1850 to 2100, in order and without gaps.

    Args:
        zone: IANA name such as `Europe/Stockholm`.
    """
    changes = _changes(ZoneInfo(zone))
    found = [Stretch(_FIRST.replace(tzinfo=None), changes[0][1], None)]
    for (_, before), (instant, after) in pairwise(changes):
        wall = instant.replace(tzinfo=None)
        was, now = wall + timedelta(seconds=before), wall + timedelta(seconds=after)
        if after > before:
            found += [Stretch(was, None, None), Stretch(now, after, None)]
        else:
            found += [Stretch(now, before, after), Stretch(was, after, None)]
    return tuple(found)


def stretch_table(zone: str) -> pa.Table:
    """The stretches of a zone as a table: local_from (naive), earlier_s, later_s (seconds)."""
    found = stretches(zone)
    return pa.table(
        {
            "local_from": pa.array([s.local_from for s in found], pa.timestamp("us")),
            "earlier_s": pa.array([s.earlier_s for s in found], pa.int32()),
            "later_s": pa.array([s.later_s for s in found], pa.int32()),
        }
    )


def city_today() -> date:
    """The date in Stockholm, by which decisions begin and end."""
    return datetime.now(ZoneInfo("Europe/Stockholm")).date()


def partition_date(day: date, daily_from: date) -> date:
    """The partition of a UTC day: itself from go-live on, before that 1 January of its year."""
    return day if day >= daily_from else date(day.year, 1, 1)


def _changes(zone: ZoneInfo) -> list[tuple[datetime, int]]:
    """The instants at which a zone's offset changes, with the offset from then on."""
    found = [(_FIRST, _offset(zone, _FIRST))]
    step = timedelta(days=7)
    instant = _FIRST
    while instant < _LAST:
        following = instant + step
        if _offset(zone, following) != found[-1][1]:
            found.append(_first_change(zone, instant, following))
        instant = following
    return found


def _first_change(zone: ZoneInfo, low: datetime, high: datetime) -> tuple[datetime, int]:
    before = _offset(zone, low)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        middle = middle.replace(microsecond=0)
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high, _offset(zone, high)


def _offset(zone: ZoneInfo, instant: datetime) -> int:
    offset = instant.astimezone(zone).utcoffset() or timedelta()
    return int(offset.total_seconds())
