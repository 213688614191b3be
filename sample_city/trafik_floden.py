"""Trafikkontoret's deliveries of traffic: notifications of its context broker, a UTC day a file.

Every five minutes the broker tells of the intervals that have just ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from lakehouse.ledger import Ledger
from sample_city.chance import seeded
from sample_city.context_broker import linked_notification
from sample_city.detectors import IMPOSSIBLE_INTENSITY, Interval, detectors_of, intervals
from sample_city.period import Period
from sample_city.summary import Delivered

_SUBSCRIPTION: Final = "trafikfloden-15"
_SILENCE: Final = timedelta(hours=2, minutes=25)  # not a whole number of quarters
_DELAY: Final = timedelta(seconds=8)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What goes wrong, and when."""

    silent_from: datetime
    impossible: datetime
    resent: datetime
    cut: datetime


@dataclass(frozen=True, slots=True)
class _Message:
    """One line of a file, and what becomes of its rows."""

    time: datetime
    line: str
    ledger: Ledger
    faults: Mapping[str, int] = field(default_factory=dict)


def deliveries(period: Period, seed: int, scale: float) -> Iterator[tuple[Delivered, bytes]]:
    """The files of the period, in the order of their names.

    Args:
        period: When.
        seed: The city's seed.
        scale: Detectors, as a multiple of those in the contract.
    """
    slots = period.slots
    plan = _Plan(
        silent_from=slots[len(slots) * 35 // 100].start,
        impossible=slots[len(slots) * 55 // 100].start,
        resent=slots[len(slots) * 65 // 100].start,
        cut=slots[len(slots) * 75 // 100].start,
    )
    messages = _messages(period, seed, scale, plan)
    for day, found in groupby(messages, key=lambda message: message.time.date()):
        heard = list(found)
        faults: dict[str, int] = {}
        for message in heard:
            for fault, count in message.faults.items():
                faults[fault] = faults.get(fault, 0) + count
        ledger = sum((message.ledger for message in heard), Ledger())
        content = "".join(f"{message.line}\n" for message in heard if message.line).encode()
        yield Delivered(f"trafikfloden_{day}.ndjson", ledger, faults=faults), content


def _messages(period: Period, seed: int, scale: float, plan: _Plan) -> Iterator[_Message]:
    rng = seeded(seed, "trafik_floden", "notifications")
    for ended, told in _by_end(period, seed, scale, plan):
        lost = sum(_is_lost(interval, plan) for interval in told)
        kept = [interval for interval in told if not _is_lost(interval, plan)]
        faults = {"lost_interval": lost} if lost else {}
        notified = ended + _DELAY
        if not kept:
            yield _Message(notified, "", Ledger(), faults)
            continue
        line = linked_notification(
            [interval.entity() for interval in kept], _SUBSCRIPTION, notified, rng
        )
        if ended == plan.cut:  # the collector was restarted while it wrote
            cut = Ledger(records=1, rows_in=1, quarantined=1)
            yield _Message(notified, line[: len(line) // 2], cut, faults | {"cut_line": 1})
            continue
        impossible = sum(interval.vehicles == IMPOSSIBLE_INTENSITY for interval in kept)
        faults |= {"out_of_range": impossible} if impossible else {}
        yield _Message(notified, line, _ledger(kept, quarantined=impossible), faults)
        if ended == plan.resent:  # the broker had no answer in time, and sends it once more
            again = _ledger(kept, duplicates=sum(interval.readings for interval in kept))
            yield _Message(notified, line, again, {"resent_notification": 1})


def _by_end(
    period: Period, seed: int, scale: float, plan: _Plan
) -> Iterator[tuple[datetime, list[Interval]]]:
    """The intervals of all detectors, by when they ended."""
    ended: dict[datetime, list[Interval]] = {}
    for number, (detector, parts) in enumerate(detectors_of(scale)):
        for interval in intervals(detector, parts, period, seed):
            is_impossible = number == 0 and interval.start == plan.impossible
            told = replace(interval, vehicles=IMPOSSIBLE_INTENSITY) if is_impossible else interval
            ended.setdefault(interval.end, []).append(told)
    yield from sorted(ended.items())


def _is_lost(interval: Interval, plan: _Plan) -> bool:
    """Whether the first detector's radio was down when it ended."""
    first, _ = detectors_of(1)[0]
    since = interval.end - plan.silent_from
    return interval.detector == first and timedelta() < since <= _SILENCE


def _ledger(kept: list[Interval], *, quarantined: int = 0, duplicates: int = 0) -> Ledger:
    rows = sum(interval.readings for interval in kept)
    return Ledger(
        records=1,
        rows_in=rows,
        landed=rows - quarantined - duplicates,
        quarantined=quarantined,
        duplicates=duplicates,
    )
