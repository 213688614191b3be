"""Clean days of made-up products, with the weeks, years and holidays that real ones have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

import numpy as np

from quality.audit.profile import Day, Figures
from quality.audit.usual import kind_of

Rows = Mapping[str, np.ndarray]
"""The columns of one day."""


def yearly(day: date, warmest: int = 200) -> float:
    """From -1 in the depth of winter to 1 in the middle of summer."""
    return math.cos(2 * math.pi * (day.timetuple().tm_yday - warmest) / 365.25)


def activity(day: date) -> float:
    """How much people do: less on days off, between the holidays and in July."""
    level = {"weekday": 1.0, "saturday": 0.7, "sunday": 0.55}[kind_of(day)]
    if day.month == 7:
        level *= 0.75
    if (day.month, day.day) >= (12, 22) or (day.month, day.day) <= (1, 6):
        level *= 0.75
    return level


class Weather:
    """What is alike from one day to the next: a slow noise for each name."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self._slow: dict[str, float] = {}

    def slow(self, name: str, memory: float = 0.7) -> float:
        before = self._slow.get(name, 0.0)
        noise = self.random.normal() * math.sqrt(1 - memory**2)
        self._slow[name] = memory * before + noise
        return self._slow[name]

    def holes(self, values: np.ndarray, share: float) -> np.ndarray:
        return np.where(self.random.random(len(values)) < share, np.nan, values)

    def lost(self, rows: Rows, share: float) -> Rows:
        """Without the few rows that never come."""
        kept = self.random.random(len(next(iter(rows.values())))) >= share
        return {name: values[kept] for name, values in rows.items()}


def _hours(things: int, per_day: int = 24) -> tuple[np.ndarray, np.ndarray]:
    thing = np.repeat(np.arange(things), per_day)
    return thing, np.tile(np.arange(per_day) * (24 / per_day), things)


def air(weather: Weather, day: date) -> Rows:
    thing, hour = _hours(4)
    rush = 1 + activity(day) * (np.exp(-((hour - 8) ** 2) / 4) + np.exp(-((hour - 17) ** 2) / 6))
    dust = 12 * math.exp(0.45 * weather.slow("dust") + 0.3 * max(0.0, math.cos(
        2 * math.pi * (day.timetuple().tm_yday - 95) / 365.25)))  # fmt: skip
    noise = weather.random.lognormal(0, 0.35, len(hour))
    return weather.lost(
        {
            "station": np.char.add("station-", thing.astype(str)),
            "pm10": weather.holes(dust * noise * (0.8 + 0.1 * thing), 0.01),
            "no2": weather.holes(15 * rush * math.exp(0.3 * weather.slow("no2"))
                                 * weather.random.lognormal(0, 0.25, len(hour)), 0.01),
            "longitude": np.full(len(hour), 18.05),
            "readings": weather.random.binomial(12, 0.985, len(hour)).astype(float),
        },
        0.005,
    )  # fmt: skip


def energy(weather: Weather, day: date) -> Rows:
    thing, hour = _hours(10)
    use = (
        (1.6 - 0.6 * yearly(day)) * (0.6 + 0.4 * activity(day)) * (1 + 0.05 * weather.slow("cold"))
    )
    daily = 1 + 0.5 * np.sin((hour - 6) / 24 * 2 * math.pi)
    noise = weather.random.lognormal(0, 0.15, len(hour))
    return weather.lost(
        {
            "meter": np.char.add("m", thing.astype(str)),
            "kwh": 20 * use * daily * noise * (1 + thing),
        },
        0.002,
    )


def traffic(weather: Weather, day: date) -> Rows:
    thing, hour = _hours(6, 96)
    wave = np.exp(-((hour - 8) ** 2) / 5) + np.exp(-((hour - 16.5) ** 2) / 8) + 0.15
    vehicles = weather.random.poisson(
        120 * activity(day) * wave * (1 + 0.04 * weather.slow("flow"))
    )
    speed = 48 - 12 * wave * activity(day) + weather.random.normal(0, 3, len(hour))
    return weather.lost(
        {"detector": np.char.add("d", thing.astype(str)), "vehicles": vehicles.astype(float),
         "speed": weather.holes(speed, 0.02)}, 0.01,
    )  # fmt: skip


def indoor(weather: Weather, day: date) -> Rows:
    thing, hour = _hours(8)
    there = activity(day) > 0.9
    people = np.where((hour >= 8) & (hour <= 17) & there, 1.0, 0.05)
    return weather.lost(
        {
            "building": np.char.add("b", thing.astype(str)),
            "co2": 420 + 400 * people * weather.random.lognormal(0, 0.25, len(hour)),
            "temperature": 21 + 1.5 * yearly(day) + weather.random.normal(0, 0.7, len(hour)),
        },
        0.01,
    )


def rain(weather: Weather, day: date) -> Rows:
    thing, hour = _hours(3)
    wet = weather.slow("front", 0.5) > 0.6
    showers = weather.random.gamma(0.6, 1.5, len(hour)) * (weather.random.random(len(hour)) < 0.4)
    mean = 7 + 11 * yearly(day) + 3.5 * weather.slow("warmth", 0.8)
    return weather.lost(
        {
            "place": np.char.add("p", thing.astype(str)),
            "rain": np.round(showers, 1) if wet else np.zeros(len(hour)),
            "temperature": mean
            + 3 * np.sin((hour - 9) / 24 * 2 * math.pi)
            + weather.random.normal(0, 0.5, len(hour)),
            "wind": weather.random.weibull(2, len(hour)) * (4 + abs(weather.slow("wind"))),
        },
        0.005,
    )


def events(weather: Weather, day: date) -> Rows:
    count = 1 + weather.random.poisson(
        400 * activity(day) * math.exp(0.08 * weather.slow("doings"))
    )
    return {
        "district": np.char.add("district-", weather.random.integers(0, 14, count).astype(str)),
        "minutes": weather.random.lognormal(2.5, 0.8, count),
        "faults": (weather.random.random(count) < 0.002).astype(float),
    }


def lamps(weather: Weather, day: date) -> Rows:
    count = 40
    dark = 12 - 5.7 * yearly(day, 172)
    return {
        "lamp": np.char.add("l", np.arange(count).astype(str)),
        "burning_h": dark + weather.random.normal(0, 0.15, count),
        "by_day": (weather.random.random(count) < 0.01).astype(float),
        "battery_v": 3.6 - 0.01 * np.arange(count) + 0.02 * yearly(day)
        + weather.random.normal(0, 0.005, count),
    }  # fmt: skip


PRODUCTS: Mapping[str, Callable[[Weather, date], Rows]] = {
    one.__name__: one for one in (air, energy, traffic, indoor, rain, events, lamps)
}


def day_of(rows: Rows, day: date) -> Day:
    """The profile of a day, as the SQL makes it."""
    count = len(next(iter(rows.values())))
    newest = datetime(day.year, day.month, day.day, 23, tzinfo=UTC)
    return Day(day, count, newest, {name: _figures(values) for name, values in rows.items()})


def _figures(values: np.ndarray) -> Figures:
    if values.dtype.kind == "U":
        marks = [(31 * ord(one[0]) + 7 * len(one.encode())) % 97 for one in values]
        return Figures(0.0, float(np.mean(marks)), None, None, len(set(values)))
    there = values[~np.isnan(values)]
    return Figures(1 - len(there) / len(values), float(there.mean()), float(there.min()),
                   float(there.max()))  # fmt: skip


def season(product: str, first: date, days: int, seed: int) -> dict[date, Day]:
    """Days of a product, one after the other."""
    weather = Weather(seed)
    dates = [first + timedelta(days=number) for number in range(days)]
    return {day: day_of(PRODUCTS[product](weather, day), day) for day in dates}
