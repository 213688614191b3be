"""The district metering zones of the water network: what flows in, on and out of taps, and a leak.

What meters at the borders of a zone let in is what its consumers use and what its pipes lose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sample_city.chance import drift, seeded
from sample_city.period import STEP, Period, Slot

LEAK_ZONE, LEAK_METER = "Årsta", "ENS-ARS"
LEAK_M3_H: Final = 9.0
LEAK_FROM_DAY: Final = 9
"""The leak opens at 23:00 on this day of the period, counted from 0, and stays."""

_STEP_H = STEP.total_seconds() / 3600
_LEAK_HOUR = 23


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone: its meters and how much it uses.

    Attributes:
        inlets: Meters that let water in, with their share of it.
        consumption: The sum of its consumers' meters.
        usual_m3_h: About what its consumers use by day.
        loss_m3_h: What its pipes have always lost.
        passes_on: The meter that lets water on into another zone.
    """

    name: str
    inlets: Mapping[str, float]
    consumption: str
    usual_m3_h: float
    loss_m3_h: float
    passes_on: str | None = None


ZONES: Final = (
    Zone("Årsta", MappingProxyType({"ENS-ARS": 1.0}), "ARS-F", 52.0, 5.0),
    Zone("Enskede", MappingProxyType({"ENS-01": 1.0}), "ENS-F", 88.0, 9.0, passes_on="ENS-ARS"),
    Zone("Bromma", MappingProxyType({"BRO-01": 0.6, "BRO-02": 0.4}), "BRO-F", 120.0, 14.0),
)
"""A zone that is fed by another stands before it."""


@dataclass(frozen=True, slots=True)
class Flows:
    """What the meters of a city see.

    Attributes:
        flow_m3_h: For each meter of flow, the flow in each slot.
        used_m3: For each sum of consumers' meters, what was used in each slot.
        leaking: Slots in which the leak is open.
    """

    flow_m3_h: Mapping[str, Sequence[float]]
    used_m3: Mapping[str, Sequence[float]]
    leaking: range


def flows_of(period: Period, seed: int) -> Flows:
    """The flows of a period.

    Args:
        period: When.
        seed: The city's seed.
    """
    flow: dict[str, list[float]] = {}
    used: dict[str, list[float]] = {}
    leaking = _leaking(period)
    for zone in ZONES:
        drawn, lost = _needed(zone, period, seed)
        used[zone.consumption] = [amount * _STEP_H for amount in drawn]
        total = [one + more for one, more in zip(drawn, lost, strict=True)]
        if zone.name == LEAK_ZONE:
            total = [one + LEAK_M3_H * (at in leaking) for at, one in enumerate(total)]
        if zone.passes_on:
            total = [one + on for one, on in zip(total, flow[zone.passes_on], strict=True)]
        for meter, share in zone.inlets.items():
            flow[meter] = [one * share for one in total]
    return Flows(flow, used, leaking)


def _needed(zone: Zone, period: Period, seed: int) -> tuple[list[float], list[float]]:
    """What is drawn from taps and what is lost in each slot, in m3/h."""
    rng = seeded(seed, "svoa_vatten", zone.name)
    count = len(period.slots)
    whim = drift(rng, count, memory=0.8, spread=0.05)
    pressure = drift(rng, count, memory=0.95, spread=0.02)
    drawn = [
        zone.usual_m3_h * _habit(slot) * max(0.5, 1 + whim[at])
        for at, slot in enumerate(period.slots)
    ]
    return drawn, [zone.loss_m3_h * (1 + swing) for swing in pressure]


def _habit(slot: Slot) -> float:
    """How much is drawn, as a share of the mean: people live by the clock on the wall."""
    late = 1.5 if slot.is_weekend else 0.0
    morning = math.exp(-(((slot.hour - 7.3 - late) / 1.5) ** 2))
    evening = math.exp(-(((slot.hour - 19.0) / 2.4) ** 2))
    day = 0.62 / (1 + math.exp(-2 * (slot.hour - 6.2))) / (1 + math.exp(2 * (slot.hour - 22.3)))
    return 0.16 + day + 1.1 * morning + 0.8 * evening


def _leaking(period: Period) -> range:
    count = len(period.slots)
    if len(period.days) <= LEAK_FROM_DAY:
        return range(0)
    day = period.days[LEAK_FROM_DAY]
    begins = next(
        at
        for at, slot in enumerate(period.slots)
        if slot.local.date() == day and slot.local.hour == _LEAK_HOUR
    )
    return range(begins, count)
