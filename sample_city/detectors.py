"""The vehicle detectors in the streets: what they count, and in which intervals.

Radars report every five minutes, the loops in the road every fifteen. An interval in which nobody
passed has an intensity of 0 and no speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sample_city.chance import seeded
from sample_city.context_broker import linked_property, linked_time
from sample_city.period import STEP, Period
from sample_city.weather import traffic

DETECTORS: Final = (
    ("SVEA-N1", 3),
    ("SVEA-S1", 3),
    ("HORN-V1", 1),
    ("HORN-O1", 1),
    ("VALHALLA-O1", 1),
)
"""Detectors that the contract knows, and into how many intervals each parts a quarter."""

ATTRIBUTES: Final = ("intensity", "averageVehicleSpeed", "occupancy")
IMPOSSIBLE_INTENSITY: Final = 65_535

_VEHICLES_A_QUARTER = 210
_SPEED_KMH = 46.0
_LENGTH_KM = 0.0065  # what a detector's field and a car are long together


@dataclass(frozen=True, slots=True)
class Interval:
    """What one detector counted in one interval.

    Attributes:
        detector: The detector.
        start: When it began, in UTC.
        end: When it ended.
        vehicles: Vehicles that passed.
        speed_kmh: Their mean speed; None when nobody passed.
        occupancy: Share of the time in which something stood over the detector.
    """

    detector: str
    start: datetime
    end: datetime
    vehicles: int
    speed_kmh: float | None
    occupancy: float

    @property
    def readings(self) -> int:
        """How many values it tells."""
        return len(ATTRIBUTES) - (self.speed_kmh is None)

    def entity(self) -> dict[str, object]:
        """The interval as an NGSI-LD entity, TrafficFlowObserved."""
        told: dict[str, object] = {
            "id": f"urn:ngsi-ld:TrafficFlowObserved:Stockholm:{self.detector}",
            "type": "TrafficFlowObserved",
            "dateObservedFrom": linked_time(self.start),
            "dateObservedTo": linked_time(self.end),
            "intensity": linked_property(self.vehicles),
            "occupancy": linked_property(self.occupancy),
        }
        if self.speed_kmh is not None:
            told["averageVehicleSpeed"] = linked_property(self.speed_kmh, "KMH")
        return told


def detectors_of(scale: float) -> tuple[tuple[str, int], ...]:
    """The detectors of a city of this scale; at least one."""
    count = max(1, round(len(DETECTORS) * scale))
    unknown = (
        (f"NY-{number}", DETECTORS[(number - 1) % len(DETECTORS)][1])
        for number in range(1, count - len(DETECTORS) + 1)
    )
    return (*DETECTORS[:count], *unknown)


def intervals(detector: str, parts: int, period: Period, seed: int) -> Iterator[Interval]:
    """What a detector counted, interval by interval.

    Args:
        detector: Its name.
        parts: Into how many intervals it parts a quarter of an hour.
        period: When.
        seed: The city's seed.
    """
    rng = seeded(seed, "trafik_floden", detector)
    lane, length = rng.uniform(0.6, 1.3), STEP / parts
    for slot in period.slots:
        busy = traffic(slot)
        for part in range(parts):
            expected = _VEHICLES_A_QUARTER * lane * busy / parts
            vehicles = max(0, round(rng.gauss(expected, expected**0.5)))
            speed = max(8.0, rng.gauss(_SPEED_KMH * (1.08 - 0.35 * busy), 2.5))
            hours = length / timedelta(hours=1)
            start = slot.start + part * length
            yield Interval(
                detector,
                start,
                start + length,
                vehicles,
                round(speed, 1) if vehicles else None,
                round(min(1.0, vehicles * _LENGTH_KM / speed / hours), 3),
            )
