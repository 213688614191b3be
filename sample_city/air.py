"""What the air quality stations of the city read: rows of the supplier's CSV, before any fault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from sample_city.chance import drift, seeded
from sample_city.period import FIRST_DAY, Period, Slot
from sample_city.weather import Weather, traffic

STATIONS: Final = (
    "HORN-01",
    "HORN-02",
    "HORN-03",
    "HORN-04",
    "HORN-05",
    "HORN-06",
    "SVEA-01",
    "TORK-01",
)
ROOF: Final = "TORK-01"
EMPTY: Final = "-"
BROKEN: Final = "FEL"

DUSTY_DAY: Final = FIRST_DAY + timedelta(days=10)
"""On a dry day the streets are swept: dust for more than a limit value."""
_SWEPT_UP: Final = 9

_EMPTY_CHANCE = 0.002
_FAULT_CHANCE = 0.0006


class Row(NamedTuple):
    """One row of the supplier's file, cell by cell as it is written."""

    station: str
    time: str
    pm10: str
    pm2_5: str
    no2: str
    status: str

    @property
    def cells(self) -> tuple[str, str, str]:
        """The measured values."""
        return (self.pm10, self.pm2_5, self.no2)

    @property
    def empty(self) -> int:
        """Cells that give no reading. In a row of a broken station an empty cell is one: a gap."""
        return 0 if self.status == BROKEN else self.cells.count(EMPTY)


def stations_of(scale: float) -> tuple[str, ...]:
    """The stations of a city of this scale; at least two, so that one can be late."""
    count = max(2, round(len(STATIONS) * scale))
    unknown = (f"NY-{number:03d}" for number in range(1, count - len(STATIONS) + 1))
    return (*STATIONS[:count], *unknown)


def station_rows(
    station: str, number: int, period: Period, weather: Sequence[Weather], seed: int
) -> Iterator[Row]:
    """The rows of one station, one for each slot.

    Args:
        station: Station id.
        number: Its number in the city; nightly calibrations go round by it.
        period: When.
        weather: The weather of each slot.
        seed: The city's seed.
    """
    rng = seeded(seed, "miljo_luft", station)
    count = len(period.slots)
    haze = drift(rng, count, memory=0.9, spread=0.10)
    exhaust = drift(rng, count, memory=0.6, spread=0.14)
    # A roof sees the traffic of the whole city, but little of it.
    street = 0.18 if station == ROOF else rng.uniform(0.8, 1.15)
    for index, slot in enumerate(period.slots):
        busy, air = traffic(slot) * street, weather[index]
        fine = (3.2 + 2.4 * air.stagnation + 3.6 * busy * air.stagnation) * (1 + haze[index])
        coarse = 2.0 + 26.0 * busy * air.dryness * (1 + haze[index])
        if slot.local.date() == DUSTY_DAY and station != ROOF:
            coarse *= _SWEPT_UP
        gas = (4.5 + 46.0 * busy * (1 + exhaust[index])) * air.stagnation
        status = _status(slot, number, rng.random())
        if status == "KAL":
            gas = 0.4 + rng.random() / 2  # zero gas runs through the instrument
        pm10, pm2_5, no2 = (_cell(value, rng.random()) for value in (fine + coarse, fine, gas))
        if status == BROKEN:
            pm10 = pm2_5 = EMPTY  # the optics failed; the gas cell works on
        yield Row(station, f"{slot.local:%Y-%m-%d %H:%M}", pm10, pm2_5, no2, status)


def decimal_comma(value: float) -> str:
    """A value as the supplier writes it: one decimal, after a comma."""
    return f"{max(0.1, value):.1f}".replace(".", ",")


def _cell(value: float, chance: float) -> str:
    return EMPTY if chance < _EMPTY_CHANCE else decimal_comma(value)


def _status(slot: Slot, number: int, chance: float) -> str:
    # At 03 and not at 02: a calibration does not fall into the hour that comes twice.
    if slot.local.hour == 3 and slot.local.minute == 15 * (number % 4):
        return "KAL"
    return BROKEN if chance < _FAULT_CHANCE else "OK"
