"""Stockholm Vatten och Avfall's delivery: the reporting database of its historian.

It is copied one way out of the control network. Times are those of the control system, which runs
on standard time all year round; rows have numbers in the order in which they were stored, so a
value that a lost link held back has a high number and an old time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Final

from lakehouse.ledger import Ledger
from sample_city.chance import seeded
from sample_city.period import STEP, Period, midnight
from sample_city.summary import Delivered
from sample_city.water_zones import LEAK_METER, Flows, flows_of

FLOW, VOLUME = "FLODE", "VOLYM"
GOOD, COMM_FAIL = 192, 24
STANDARD_TIME: Final = timezone(timedelta(hours=1))

BAD_SAMPLES: Final = 5

_BESIDE = "/"  # between the name of a meter and the number of one beside it
_M3_H_PER_L_S = 3.6
_PER_HOUR = timedelta(hours=1) // STEP
# Days, counted from the first, of what goes wrong with one meter, and the quarters of that night.
_LOST_METER, _LOST_DAY, _LOST_QUARTERS = "BRO-02", 7, range(4, 14)
_LATE_METER, _LATE_DAY, _LATE_QUARTERS = "ENS-01", 3, range(40, 52)

_SCHEMA = """
CREATE TABLE driftdata (
    id INTEGER PRIMARY KEY, matare TEXT, signal TEXT, tid TEXT, varde REAL, enhet TEXT,
    kvalitet INTEGER
);
CREATE INDEX driftdata_tid ON driftdata (tid);
"""


@dataclass(frozen=True, slots=True)
class _Sample:
    """One value, and when the historian got it."""

    stored: datetime
    meter: str
    signal: str
    time: datetime
    value: float
    quality: int = GOOD


def deliveries(period: Period, seed: int, scale: float) -> Iterator[tuple[Delivered, bytes]]:
    """The reporting database, one file.

    Args:
        period: When.
        seed: The city's seed.
        scale: Meters, as a multiple of those in the contract. The additional ones stand beside
            known ones and see the same water.
    """
    flows = flows_of(period, seed)
    meters = _meters_of(flows, scale)
    stored = [sample for meter in meters for sample in _samples(meter, flows, period, seed)]
    samples = [
        one for one in stored if not _is_hit(one, period, _LOST_METER, _LOST_DAY, _LOST_QUARTERS)
    ]
    late = _hold_back(samples, period)
    bad = _spoil(samples, seed)
    ledger = Ledger(records=len(samples), rows_in=len(samples), landed=len(samples))
    faults = {
        "bad_quality": bad,
        "late_sample": late,
        "leaking_quarter": len(flows.leaking) if LEAK_METER in meters else 0,
        "lost_sample": len(stored) - len(samples),
    }
    told = {fault: count for fault, count in faults.items() if count}
    yield Delivered("driftdata.sqlite", ledger, faults=told), _database(samples)


def _meters_of(flows: Flows, scale: float) -> tuple[str, ...]:
    known = (*sorted(flows.flow_m3_h), *sorted(flows.used_m3))
    count = max(1, round(len(known) * scale))
    beside = (
        f"{known[number % len(known)]}{_BESIDE}{1 + number // len(known)}"
        for number in range(len(known), count)
    )
    return (*known[:count], *beside)


def _samples(meter: str, flows: Flows, period: Period, seed: int) -> Iterator[_Sample]:
    """A flow meter tells each quarter how it flows, a register each hour where it stands."""
    known = meter.split(_BESIDE, maxsplit=1)[0]
    if known in flows.flow_m3_h:
        for slot, value in zip(period.slots, flows.flow_m3_h[known], strict=True):
            rounded = round(value / _M3_H_PER_L_S, 3)
            yield _Sample(slot.start, meter, FLOW, slot.start, rounded)
        return
    used = flows.used_m3[known]
    register = float(seeded(seed, "svoa_vatten", meter).randrange(200_000, 900_000))
    for index, slot in enumerate(period.slots):
        if index % _PER_HOUR == 0:
            yield _Sample(slot.start, meter, VOLUME, slot.start, round(register, 3))
        register += used[index]


def _is_hit(one: _Sample, period: Period, meter: str, day: int, quarters: range) -> bool:
    if one.meter != meter or day >= len(period.days):
        return False
    return (one.time - midnight(period.days[day])) // STEP in quarters


def _hold_back(samples: list[_Sample], period: Period) -> int:
    """A link is down for three hours; what was measured then is stored when it is back."""
    late = [
        index
        for index, one in enumerate(samples)
        if _is_hit(one, period, _LATE_METER, _LATE_DAY, _LATE_QUARTERS)
    ]
    for index in late:
        back = samples[late[-1]].time + STEP
        samples[index] = replace(samples[index], stored=back)
    return len(late)


def _spoil(samples: list[_Sample], seed: int) -> int:
    """A few daytime values are what the gateway knew last, and say so."""
    rng = seeded(seed, "svoa_vatten", "bad")
    daytime = [
        index
        for index, one in enumerate(samples)
        if one.signal == FLOW and 8 <= one.time.hour < 20 and one.stored == one.time
    ]
    chosen = rng.sample(daytime, min(BAD_SAMPLES, len(daytime)))
    for index in chosen:
        samples[index] = replace(samples[index], quality=COMM_FAIL)
    return len(chosen)


def _database(samples: Sequence[_Sample]) -> bytes:
    # A link that is back sends what it has now, and then what it had kept.
    ordered = sorted(
        samples, key=lambda one: (one.stored, one.stored > one.time, one.time, one.meter)
    )
    units = {FLOW: "l/s", VOLUME: "m3"}
    rows = [
        (
            number,
            one.meter,
            one.signal,
            f"{one.time.astimezone(STANDARD_TIME):%Y-%m-%d %H:%M:%S}",
            one.value,
            units[one.signal],
            one.quality,
        )
        for number, one in enumerate(ordered, start=1)
    ]
    # Built in memory: a file that is never written to again needs no journal and no clean-up.
    with closing(sqlite3.connect(":memory:")) as connection, connection:
        connection.executescript(_SCHEMA)
        connection.executemany("INSERT INTO driftdata VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.commit()
        return connection.serialize()
