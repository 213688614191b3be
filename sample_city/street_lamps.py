"""The street lamps: when they burn, what they draw, and what is wrong with them.

A photocell switches them in the dusk and the dawn. Each tells of a change when it happens, and of
its state every six hours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sample_city.chance import seeded
from sample_city.context_broker import attribute
from sample_city.period import Period
from sample_city.weather import Weather

LAMPS: Final = tuple(
    f"{street}-{number:03d}" for street in ("GOT", "FLE") for number in (12, 14, 16, 18)
)
"""Lamps that the contract knows."""

IMPOSSIBLE_W: Final = 65_535

_DUSK_LX: Final = 50.0
_REPORT_EVERY: Final = 24  # slots: six hours


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wrong with a lamp, by the number of the slot; None for nothing.

    Attributes:
        stuck: Slots in which its relay hangs, so that it burns.
        defective: From when on it gives no light.
        silent: From when on nothing is heard of it.
        impossible: When a report tells a power that no lamp draws.
    """

    stuck: range = range(0)
    defective: int | None = None
    silent: int | None = None
    impossible: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What one lamp tells at one moment.

    Attributes:
        time: The moment, in UTC.
        entity: The lamp as an NGSIv2 entity.
        readings: How many of its attributes measure.
        is_impossible: Whether one of them is out of range.
    """

    time: datetime
    entity: dict[str, object]
    readings: int
    is_impossible: bool


def lamps_of(scale: float) -> tuple[str, ...]:
    """The lamps of a city of this scale; at least one."""
    count = max(1, round(len(LAMPS) * scale))
    unknown = (f"NY-{number:03d}" for number in range(1, count - len(LAMPS) + 1))
    return (*LAMPS[:count], *unknown)


def reports(
    lamp: str, period: Period, weather: Sequence[Weather], plan: Plan, seed: int
) -> Iterator[Report]:
    """What a lamp tells, in order.

    Args:
        lamp: Its name.
        period: When.
        weather: The weather of each slot.
        plan: What is wrong with it.
        seed: The city's seed.
    """
    rng = seeded(seed, "belysning", lamp)
    phase, rated_w, was_on = rng.uniform(20, 860), rng.uniform(38, 46), None
    for index, slot in enumerate(period.slots):
        if plan.silent is not None and index >= plan.silent:
            return
        is_defective = plan.defective is not None and index >= plan.defective
        is_dark = weather[index].illuminance_lx < _DUSK_LX
        is_on = (is_dark or index in plan.stuck) and not is_defective
        is_report = index % _REPORT_EVERY == 0
        if not is_report and is_on == was_on:
            continue
        was_on = is_on
        time = slot.start + timedelta(seconds=round(phase, 3))
        told = {"powerState": attribute("on" if is_on else "off", "Text", time)}
        is_impossible = plan.impossible == index and is_report
        if is_report:
            drawn = IMPOSSIBLE_W if is_impossible else round(is_on * rng.gauss(rated_w, 0.4), 1)
            told["status"] = attribute("defectiveLamp" if is_defective else "ok", "Text", time)
            told["powerConsumption"] = attribute(drawn, "Number", time, "WTT")
        entity: dict[str, object] = {"id": f"streetlight:stockholm:{lamp}", "type": "Streetlight"}
        entity |= told
        yield Report(time, entity, len(told), is_impossible)
