"""Trafikkontoret's deliveries of the lions on Drottninggatan: where their trackers say they stand.

Each lion of concrete carries a tracker that wakes every other hour. Between houses a fix wanders by
a few metres, and now and then by many: no lion has moved for that. One lion is moved by a lorry,
one tracker runs out of battery, and one loses sight of the sky.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final

from lakehouse.ledger import Ledger
from sample_city.chance import seeded
from sample_city.period import Period, Slot
from sample_city.summary import Delivered
from sample_city.things_stack import stored_uplink

LIONS: Final = (
    ("lejon-01", "70B3D57ED006A101", 18.06512, 59.32968),
    ("lejon-02", "70B3D57ED006A102", 18.06431, 59.33052),
    ("lejon-03", "70B3D57ED006A103", 18.06349, 59.33137),
    ("lejon-04", "70B3D57ED006A104", 18.06262, 59.33226),
    ("lejon-05", "70B3D57ED006A105", 18.06178, 59.33313),
    ("lejon-06", "70B3D57ED006A106", 18.06093, 59.33401),
)
"""Id, EUI, longitude and latitude of the lions that the contract knows."""

MOVED_M: Final = 44.0

_EVERY: Final = 8  # slots between two uplinks: two hours
_METRES_A_DEGREE: Final = 111_320.0
_JITTER_M: Final = 2.5
_STRAY_CHANCE, _STRAY_M = 0.02, 32.0
_NO_FIX_CHANCE: Final = 0.03


@dataclass(frozen=True, slots=True)
class _Plan:
    """From which slot on something is wrong with a lion; None for nothing."""

    moved: int | None = None
    silent: int | None = None
    covered: int | None = None


@dataclass(frozen=True, slots=True)
class _Uplink:
    time: datetime
    line: str
    rows: int
    fault: str | None


def deliveries(period: Period, seed: int, scale: float) -> Iterator[tuple[Delivered, bytes]]:
    """The files of the period, one a UTC day, in the order of their names.

    Args:
        period: When.
        seed: The city's seed.
        scale: Lions, as a multiple of those in the contract.
    """
    heard = [
        uplink
        for number, lion in enumerate(_lions_of(scale))
        for uplink in _uplinks(lion, _plan(number, len(period.slots)), period, seed)
    ]
    heard.sort(key=attrgetter("time"))
    for day, found in groupby(heard, key=lambda uplink: uplink.time.date()):
        uplinks = list(found)
        rows = sum(uplink.rows for uplink in uplinks)
        ledger = Ledger(records=len(uplinks), rows_in=rows, landed=rows)
        content = "".join(f"{uplink.line}\n" for uplink in uplinks).encode()
        yield Delivered(f"lejon_{day}.json", ledger, faults=_faults(uplinks)), content


def _lions_of(scale: float) -> tuple[tuple[str, str, float, float], ...]:
    count = max(1, round(len(LIONS) * scale))
    unknown = (
        (f"lejon-ny-{number}", f"70B3D57ED006A2{number:02X}", 18.0600, 59.3350)
        for number in range(1, count - len(LIONS) + 1)
    )
    return (*LIONS[:count], *unknown)


def _plan(number: int, slots: int) -> _Plan:
    return {
        2: _Plan(moved=slots * 6 // 10),
        3: _Plan(covered=slots * 8 // 10),
        4: _Plan(silent=slots * 7 // 10),
    }.get(number, _Plan())


def _uplinks(
    lion: tuple[str, str, float, float], plan: _Plan, period: Period, seed: int
) -> Iterator[_Uplink]:
    device_id, eui, *place = lion
    rng = seeded(seed, "drottninggatan_lejon", eui)
    frame, phase, battery = rng.randint(200, 9000), rng.uniform(20, 860), rng.uniform(3.5, 3.65)
    wakes: Sequence[tuple[int, Slot]] = list(enumerate(period.slots))[::_EVERY]
    for index, slot in wakes:
        if plan.silent is not None and index >= plan.silent:
            return
        is_moved = plan.moved is not None and index >= plan.moved
        is_covered = plan.covered is not None and index >= plan.covered
        reading: dict[str, float] = {"battery": round(battery - index * 0.0001, 3)}
        fault = "moved" if is_moved else None
        if is_covered or rng.random() < _NO_FIX_CHANCE:
            fault = "no_fix"
        else:
            is_stray = not is_moved and rng.random() < _STRAY_CHANCE
            fault = "stray_fix" if is_stray else fault
            reading |= _fix(place, is_moved, is_stray, rng)
        time = slot.start + timedelta(seconds=round(phase + rng.uniform(-6, 6), 3))
        line = stored_uplink((device_id, eui), time=time, frame=frame, reading=reading, rng=rng)
        yield _Uplink(time, line, len(reading), fault)
        frame += 1


def _fix(
    place: Sequence[float], is_moved: bool, is_stray: bool, rng: random.Random
) -> dict[str, float]:
    """A position near the place, and how exact the tracker thinks that it is, in metres."""
    longitude, latitude = place
    # A reflected signal: the tracker does not notice, and thinks that it is as exact as ever.
    off_m = MOVED_M if is_moved else _STRAY_M if is_stray else 0.0
    east, north = rng.gauss(off_m * 0.8, _JITTER_M), rng.gauss(off_m * 0.6, _JITTER_M)
    return {
        "latitude": round(latitude + north / _METRES_A_DEGREE, 6),
        "longitude": round(
            longitude + east / (_METRES_A_DEGREE * math.cos(math.radians(latitude))), 6
        ),
        "accuracy": rng.randint(3, 9),
    }


def _faults(uplinks: Sequence[_Uplink]) -> dict[str, int]:
    kinds = sorted({uplink.fault for uplink in uplinks if uplink.fault})
    return {kind: sum(uplink.fault == kind for uplink in uplinks) for kind in kinds}
