"""The electricity meters at the quays: ships come and go, and the registers count."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from sample_city.chance import seeded
from sample_city.period import STEP, Period

QUAYS: Final = (
    "vartahamnen/kaj1",
    "vartahamnen/kaj2",
    "vartahamnen/kaj3",
    "frihamnen/kaj634",
    "frihamnen/kaj638",
    "stadsgarden/kaj160",
    "stadsgarden/kaj165",
    "masthamnen/kaj167",
)

_STEP_H = STEP.total_seconds() / 3600
_RESOLUTION_W = 20  # so that a quarter of an hour at any power is a whole number of Wh


@dataclass(frozen=True, slots=True)
class Reading:
    """What one meter shows at one moment.

    Attributes:
        time: The moment, in UTC.
        power_w: Power from this moment until the next reading.
        energy_kwh: Register: the energy until this moment.
    """

    time: datetime
    power_w: int
    energy_kwh: float


def quays_of(scale: float) -> tuple[str, ...]:
    """The meters of a city of this scale; at least one."""
    count = max(1, round(len(QUAYS) * scale))
    unknown = (f"ovriga/kaj{number}" for number in range(1, count - len(QUAYS) + 1))
    return (*QUAYS[:count], *unknown)


def meter_readings(quay: str, period: Period, seed: int, swapped_at: int | None) -> list[Reading]:
    """The readings of one meter, one for each slot.

    Args:
        quay: The quay.
        period: When.
        seed: The city's seed.
        swapped_at: Number of the slot in which a new meter counts from zero; None for never.
    """
    rng = seeded(seed, "hamnar_elmatare", quay)
    register_wh = rng.randrange(2_000_000_000, 9_000_000_000)
    powers = islice(_powers(rng), len(period.slots))
    readings = []
    for index, (slot, power) in enumerate(zip(period.slots, powers, strict=True)):
        if index == swapped_at:
            register_wh = 0
        # Counted in whole Wh: a sum of fractions would drift away from the power.
        readings.append(Reading(slot.start, power, register_wh / 1000))
        register_wh += round(power * _STEP_H)
    return readings


def _powers(rng: random.Random) -> Iterator[int]:
    """Power for ever: a free quay draws nothing, a ship its hotel load."""
    yield from [0] * rng.randrange(40)
    while True:
        load_w = rng.uniform(700_000, 3_200_000)
        stay = rng.randrange(24, 60)
        for quarter in range(stay):
            # Plugging in and out happens under way in the quarter.
            share = 0.35 if quarter in {0, stay - 1} else 1.0
            wanted = load_w * share * (1 + rng.gauss(0, 0.05))
            yield max(0, round(wanted / _RESOLUTION_W) * _RESOLUTION_W)
        yield from [0] * rng.randrange(10, 70)
