"""SMHI's answers as the city's collector has kept them: one a line, a file a UTC day.

Each is the answer to a question for the latest hour of a station and parameter. `updated` says when
SMHI had published it, a few minutes after the hour; on one day hours later, and one value was
corrected afterwards.

Source: SMHI Open Data API, metobs 1.0, period latest-hour.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Final

from lakehouse.ledger import Ledger
from sample_city.chance import seeded
from sample_city.period import STEP, Period, epoch_ms
from sample_city.summary import Delivered
from sample_city.weather import Weather, weather_of

STATIONS: Final = (("98230", "Stockholm-Observatoriekullen A"), ("97200", "Stockholm-Bromma"))
"""Key and name of the stations that the contract knows."""

_PLACES = {"98230": (59.3417, 18.0549), "97200": (59.3537, 17.9482)}
_PARAMETERS = (
    ("1", "Lufttemperatur", "momentanvärde, 1 gång/tim", "celsius"),
    ("4", "Vindhastighet", "medelvärde 10 min, 1 gång/tim", "meter per sekund"),
)
_HOUR = timedelta(hours=1)
# Hours of the period: SMHI published nothing for seven of them until they were over, and
# corrected what it had said of another.
_SILENT, _SPOKE = range(80, 87), 87
_CORRECTED, _CORRECTED_AFTER = 60, 5


@dataclass(frozen=True, slots=True)
class _Answer:
    """One answer: what is told of an hour, and when it was published."""

    published: datetime
    at: datetime
    station: tuple[str, str]
    parameter: tuple[str, str, str, str]
    value: float
    is_correction: bool = False
    is_late: bool = False


def deliveries(period: Period, seed: int, scale: float) -> Iterator[tuple[Delivered, bytes]]:
    """The collector's files, in the order of their names.

    Args:
        period: When.
        seed: The city's seed.
        scale: Stations, as a multiple of those in the contract.
    """
    weather = weather_of(period, seed)
    answers = sorted(
        (
            answer
            for number, station in enumerate(_stations_of(scale))
            for answer in _answers(number, station, period, weather, seed)
        ),
        key=lambda one: (one.published, one.station, one.parameter, one.at),
    )
    for day, told in groupby(answers, key=lambda one: one.published.date()):
        yield _file(day, list(told))


def _stations_of(scale: float) -> tuple[tuple[str, str], ...]:
    count = max(1, round(len(STATIONS) * scale))
    unknown = ((f"{90000 + number}", f"Ny station {number}") for number in range(2, count))
    return (*STATIONS[:count], *unknown)


def _answers(
    number: int,
    station: tuple[str, str],
    period: Period,
    weather: Sequence[Weather],
    seed: int,
) -> Iterator[_Answer]:
    """All answers of a station; the first station is the one that is silent and corrected."""
    rng = seeded(seed, "smhi_vader", station[0])
    for hour, index in enumerate(range(0, len(period.slots), _HOUR // STEP)):
        at, air = period.slots[index].start, weather[index]
        is_late = number == 0 and hour in _SILENT
        heard = period.start + _SPOKE * _HOUR if is_late else at
        published = heard + timedelta(seconds=rng.randrange(240, 720))
        values = (air.temperature_c + rng.gauss(0, 0.15), air.wind_m_s * rng.uniform(0.85, 1.15))
        for parameter, value in zip(_PARAMETERS, values, strict=True):
            said = _Answer(published, at, station, parameter, round(value, 1), is_late=is_late)
            yield said
            if (number, hour, parameter[0]) == (0, _CORRECTED, "1"):
                yield _Answer(
                    published + _CORRECTED_AFTER * _HOUR,
                    at,
                    station,
                    parameter,
                    round(value + 1.4, 1),
                    is_correction=True,
                )


def _file(day: date, told: Sequence[_Answer]) -> tuple[Delivered, bytes]:
    content = "".join(f"{_line(one)}\n" for one in told).encode()
    faults = {
        "correction": sum(one.is_correction for one in told),
        "late_record": sum(one.is_late for one in told),
    }
    return Delivered(
        f"latest-hour_{day}.ndjson",
        Ledger(records=len(told), rows_in=len(told), landed=len(told)),
        faults={fault: count for fault, count in faults.items() if count},
    ), content


def _line(one: _Answer) -> str:
    key, name, summary, unit = one.parameter
    latitude, longitude = _PLACES.get(one.station[0], (59.30, 18.00))
    at, since = epoch_ms(one.at), epoch_ms(one.at - _HOUR) + 1
    quality = "G" if one.is_correction else "Y"
    answer = {
        "value": [{"date": at, "value": str(one.value), "quality": quality}],
        "updated": epoch_ms(one.published),
        "parameter": {"key": key, "name": name, "summary": summary, "unit": unit},
        "station": {
            "key": one.station[0],
            "name": one.station[1],
            "owner": "SMHI",
            "ownerCategory": "CLIMATE",
            "measuringStations": "CORE",
            "height": 2.0 if key == "1" else 10.0,
        },
        "period": {
            "key": "latest-hour",
            "from": since,
            "to": at,
            "summary": "Data från senaste timmen",
            "sampling": "60 minutes",
        },
        "position": [
            {"from": since, "to": at, "height": 43.1, "latitude": latitude, "longitude": longitude}
        ],
        "link": [],
    }
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
