"""Äldreförvaltningen's deliveries of lock use: one CSV a local day, an event of a lock a line.

A lock is told by a pseudonym. It is opened for visits in the morning, at noon, in the evening and,
in some homes, at night; now and then it refuses once. Each night it reports its battery.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final

from lakehouse.ledger import Ledger
from sample_city.chance import seeded
from sample_city.period import ZONE, Period, midnight
from sample_city.summary import Delivered

HEADER: Final = "Tidpunkt;Lås;Område;Händelse;Batteri"
OPENED, REFUSED, STATUS = "öppnat", "nekat", "status"
AREAS: Final[Mapping[str, int]] = {
    "Södermalm": 23, "Kungsholmen": 16, "Östermalm": 12, "Norrmalm": 6, "Gamla stan": 3,
}  # fmt: skip
"""Care areas, and how many locks each has. The last is too small for any number of its own."""

LOW_PERCENT: Final = 20

_CHANNELS: Final = 3
_SELDOM: Final = "Norrmalm"  # of whose six locks some days fewer than five are used
_VISITS: Final = ((7.0, 2.5, 0.95), (11.0, 2.0, 0.55), (18.0, 3.0, 0.9))
"""Beginning and length of the hours of a visit on the wall clock, and how likely it is."""
_NIGHTLY: Final = 4  # every home of so many has visits at night
_REFUSES: Final = 0.02
# Days, counted from the first, of what goes wrong.
_NEW_LOCK_DAY, _MISSPELT_DAY, _OUTAGE_DAY, _CUT_DAY = 4, 6, 9, 11
_LARGEST: Final = "Södermalm"
_NEW_LOCK: Final = 30  # nobody has told its area yet on the day it is put up


@dataclass(frozen=True, slots=True)
class _Lock:
    """A lock: its pseudonym, where it is, and how often its home is visited."""

    name: str
    area: str
    number: int
    in_area: int

    @property
    def share(self) -> float:
        """On which share of the days somebody comes at all."""
        return 0.72 if self.area == _SELDOM else 0.97

    def battery(self, days: float) -> int:
        """Percent after so many days; some were put up with old batteries."""
        first = 19 + self.in_area if self.in_area < 7 else 40 + self.number * 7 % 60
        return max(1, round(first - 0.45 * days))


@dataclass(frozen=True, slots=True)
class _Event:
    time: datetime
    lock: str
    area: str
    kind: str
    battery: int

    @property
    def line(self) -> str:
        told = self.time.astimezone(ZONE).isoformat()
        return ";".join((told, self.lock, self.area, self.kind, str(self.battery)))


def deliveries(period: Period, seed: int, scale: float) -> Iterator[tuple[Delivered, bytes]]:
    """The files of the period, in the order of their names.

    Args:
        period: When.
        seed: The city's seed.
        scale: Locks, as a multiple of those of the city; the additional ones are in the same areas.
    """
    locks = _locks_of(scale, seed)
    generators = [seeded(seed, "smarta_las", lock.name) for lock in locks]
    for number, day in enumerate(period.days):
        events = [
            event
            for lock, rng in zip(locks, generators, strict=True)
            for event in _events(lock, number, day, rng)
        ]
        events.sort(key=lambda event: (event.time, event.lock))
        name = f"las_{day}"
        if number == _MISSPELT_DAY:
            yield from _misspelt(name, events)
        else:
            yield _parcel(name, events, is_cut=number == _CUT_DAY)


def _locks_of(scale: float, seed: int) -> tuple[_Lock, ...]:
    areas = [area for area, count in AREAS.items() for _ in range(count)]
    count = max(1, round(len(areas) * scale))
    found: list[_Lock] = []
    in_area = dict.fromkeys(AREAS, 0)
    for number in range(count):
        area = areas[number % len(areas)]
        pseudonym = seeded(seed, "smarta_las", "pseudonym", number).getrandbits(40)
        found.append(_Lock(f"LAS-{pseudonym:010x}", area, number, in_area[area]))
        in_area[area] += 1
    return tuple(found)


def _events(lock: _Lock, number: int, day: date, rng: random.Random) -> Iterator[_Event]:
    """What a lock tells of on a day."""
    start = midnight(day)
    is_new = lock.number == _NEW_LOCK and number <= _NEW_LOCK_DAY
    area = "" if is_new else lock.area
    told = _Event(start, lock.name, area, STATUS, lock.battery(number))
    wakes = timedelta(hours=rng.uniform(4.2, 5), seconds=rng.randrange(60))
    visits = list(_visits(lock, day, rng))
    if is_new and number < _NEW_LOCK_DAY:  # it is not put up yet
        return
    yield replace(told, time=_whole(start + wakes))
    for index, (at, refuses) in enumerate(visits):
        is_outage = number == _OUTAGE_DAY and lock.area == _LARGEST and index == 0
        battery = lock.battery(number + (at - start) / timedelta(days=1))
        if refuses or is_outage:
            before = at - timedelta(seconds=rng.randrange(25, 90))
            yield replace(told, time=before, kind=REFUSED, battery=battery)
        yield replace(told, time=at, kind=OPENED, battery=battery)


def _visits(lock: _Lock, day: date, rng: random.Random) -> Iterator[tuple[datetime, bool]]:
    """When a lock is opened on a day, and whether it refuses first."""
    is_used, at_night = rng.random() < lock.share, rng.uniform(0.4, 3.9)
    if lock.number % _NIGHTLY == 0 and is_used:
        # By elapsed hours, so that the hour that comes twice has visits both times.
        yield _whole(midnight(day) + timedelta(hours=at_night)), False
    for begins, hours, likelihood in _VISITS:
        hour = begins + rng.random() * hours
        comes, refuses = rng.random() < likelihood, rng.random() < _REFUSES
        if is_used and comes:
            at = datetime.combine(day, time(), ZONE) + timedelta(hours=hour)  # on the wall clock
            yield _whole(at), refuses


def _whole(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)


def _misspelt(name: str, events: Sequence[_Event]) -> Iterator[tuple[Delivered, bytes]]:
    """A day on which a lock's area was misspelt, and the file that puts it right."""
    lock = next(event.lock for event in events if event.area == _LARGEST)
    mine = [event for event in events if event.lock == lock]
    spelt = [
        replace(event, area=event.area.replace("ö", "o")) if event.lock == lock else event
        for event in events
    ]
    yield _parcel(name, spelt, faults={"misspelt_area": len(mine)})
    # The events and batteries are known; the areas are corrections.
    again = {"correction": len(mine), "repeated_row": 2 * len(mine)}
    yield _parcel(f"{name}_rattad", mine, duplicates=2 * len(mine), faults=again)


def _parcel(
    name: str,
    events: Sequence[_Event],
    *,
    duplicates: int = 0,
    is_cut: bool = False,
    faults: Mapping[str, int] | None = None,
) -> tuple[Delivered, bytes]:
    lines = [event.line for event in events]
    nowhere = sum(not event.area for event in events)
    rows, quarantined = _CHANNELS * len(lines), nowhere
    if is_cut:  # the export was interrupted while it wrote a line, of which no cell can be told
        cut = len(lines) * 2 // 3
        lines[cut] = lines[cut][: len(lines[cut]) // 2]
        rows, quarantined = rows - _CHANNELS + 1, quarantined + 1
    ledger = Ledger(
        records=len(lines),
        rows_in=rows,
        landed=rows - quarantined - duplicates,
        quarantined=quarantined,
        duplicates=duplicates,
    )
    planted = {"cut_line": int(is_cut), "unknown_area": nowhere} | dict(faults or {})
    told = {fault: count for fault, count in planted.items() if count}
    content = "".join(f"{line}\r\n" for line in (HEADER, *lines)).encode()
    return Delivered(f"{name}.csv", ledger, faults=told), content
