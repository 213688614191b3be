"""The weather and the traffic that all of the city's sensors share.

Shared, because neighbouring sensors that do not agree are what quality rules look for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sample_city.chance import drift, seeded
from sample_city.period import Period, Slot

_LATITUDE = math.radians(59.33)
_LONGITUDE_H = 18.06 / 15
_EQUATION_OF_TIME_H = 16 / 60  # late October, when the sun is a quarter of an hour early


@dataclass(frozen=True, slots=True)
class Weather:
    """The state of the air over the city during one quarter of an hour.

    Attributes:
        temperature_c: Outdoor temperature.
        humidity_pct: Relative humidity.
        illuminance_lx: Daylight on a level surface.
        wind_m_s: Speed of the wind.
        stagnation: How badly the air is exchanged; 1 is usual, 2 a still day.
        dryness: How much dust lies loose, 0 on a wet street to 1.
    """

    temperature_c: float
    humidity_pct: float
    illuminance_lx: float
    wind_m_s: float
    stagnation: float
    dryness: float


def weather_of(period: Period, seed: int) -> tuple[Weather, ...]:
    """The weather of each slot of a period, in order."""
    count = len(period.slots)

    def wander(name: str, spread: float) -> list[float]:
        return drift(seeded(seed, "weather", name), count, memory=0.995, spread=spread)

    warmth, wind, cloud, rain = (
        wander("warmth", 1.6),
        wander("wind", 0.35),
        wander("cloud", 0.8),
        wander("rain", 1.0),
    )
    return tuple(
        _at(slot, index / 96, warmth[index], wind[index], cloud[index], rain[index])
        for index, slot in enumerate(period.slots)
    )


def traffic(slot: Slot) -> float:
    """How busy the streets are, from about 0.05 at night to about 1 in the rush hours."""
    if slot.is_weekend:
        return 0.08 + 0.5 * _peak(slot.hour, 14.5, 4.5) + 0.1 * _peak(slot.hour, 0.5, 2)
    rush = 0.8 * _peak(slot.hour, 7.9, 1.4) + 0.75 * _peak(slot.hour, 16.7, 1.9)
    return 0.05 + rush + 0.4 * _peak(slot.hour, 12.3, 3.2)


def _at(slot: Slot, day: float, warmth: float, wind: float, cloud: float, rain: float) -> Weather:
    sun = _sun_height(slot)
    # Autumn: a little colder every day, coldest just before sunrise.
    degrees = 8.0 - 0.4 * min(day, 60) + 2.4 * math.cos((slot.hour - 14.5) * math.pi / 12) + warmth
    clear = 1 / (1 + math.exp(cloud))
    return Weather(
        temperature_c=degrees,
        humidity_pct=min(99.0, max(45.0, 84 - 2.2 * (degrees - 6) + 4 * rain)),
        illuminance_lx=90_000 * max(0.0, sun) ** 1.2 * (0.15 + 0.85 * clear),
        wind_m_s=3.4 * math.exp(-1.2 * wind),
        stagnation=math.exp(wind),
        dryness=1 / (1 + math.exp(1.5 * rain)),
    )


def _sun_height(slot: Slot) -> float:
    """Sine of the sun's height over the horizon."""
    day = slot.start.timetuple().tm_yday
    declination = math.radians(-23.44) * math.cos(2 * math.pi * (day + 10) / 365)
    clock = slot.start.hour + slot.start.minute / 60 + _LONGITUDE_H + _EQUATION_OF_TIME_H
    hour_angle = math.radians(15 * (clock - 12))
    return math.sin(_LATITUDE) * math.sin(declination) + math.cos(_LATITUDE) * math.cos(
        declination
    ) * math.cos(hour_angle)


def _peak(hour: float, at: float, width: float) -> float:
    return math.exp(-(((hour - at) / width) ** 2))
