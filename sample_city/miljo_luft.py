"""Miljöförvaltningen's deliveries: one CSV a local day, and what goes wrong with them.

Format: ISO-8859-1, semicolons, decimal comma, CRLF, wall-clock times without an offset. When
clocks go back, the hour from 02:00 is written twice, summer time first.

Names sort in the order of delivery, so that a correction is read after what it corrects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from lakehouse.ledger import Ledger
from sample_city.air import EMPTY, Row, decimal_comma, station_rows, stations_of
from sample_city.chance import seeded
from sample_city.period import Period
from sample_city.summary import Delivered
from sample_city.weather import weather_of

HEADER: Final = "Mätstation;Tid;PM10;PM2,5;NO2;Status"
CORRECTIONS: Final = 8

# Days, counted from the first, on which faults are planted. They keep clear of each other, so
# that each can be counted alone; the resent file and the overlap must not repeat a bad row.
_RESENT_DAY = 1
_OVERLAP_DAY = 3
_LATE_DAY, _LATE_BY = 4, 2
_BAD_DAY = 5

Parcel = tuple[Delivered, bytes]


def deliveries(period: Period, seed: int, scale: float) -> Iterator[Parcel]:
    """The files of the period, in the order of their names.

    Args:
        period: When.
        seed: The city's seed.
        scale: Stations, as a multiple of those in the contract.
    """
    stations = stations_of(scale)
    days = _rows_by_day(period, stations, seed)
    # Only withheld when the file that brings them later is in the period.
    late = [] if len(days) <= _LATE_DAY + _LATE_BY else _withhold(days, stations[3 % len(stations)])
    for number, (day, rows) in enumerate(zip(period.days, days, strict=True)):
        name = f"luft_{day}"
        regular = _bad_day(name, rows, seed) if number == _BAD_DAY else _parcel(name, rows)
        yield regular
        if number == _RESENT_DAY:
            yield _resent(f"{name}_igen", regular)
        if number == _OVERLAP_DAY:
            yield _overlap(f"{name}_rattad", days[number - 1], rows, seed)
        if number == _LATE_DAY + _LATE_BY:
            yield _parcel(f"{name}_{late[0].station}", late, faults={"late_record": len(late)})


def _rows_by_day(period: Period, stations: Sequence[str], seed: int) -> list[list[Row]]:
    """Rows of each local day, ordered by time and then station."""
    weather = weather_of(period, seed)
    series = [
        station_rows(station, number, period, weather, seed)
        for number, station in enumerate(stations)
    ]
    days: dict[str, list[Row]] = {str(day): [] for day in period.days}
    for row in chain.from_iterable(zip(*series, strict=True)):
        days[row.time[:10]].append(row)
    return list(days.values())


def _withhold(days: list[list[Row]], station: str) -> list[Row]:
    """Take a station's rows out of the day on which its modem was silent."""
    late = [row for row in days[_LATE_DAY] if row.station == station]
    days[_LATE_DAY] = [row for row in days[_LATE_DAY] if row.station != station]
    return late


def _resent(name: str, first: Parcel) -> Parcel:
    delivered, content = first
    faults = {"resent_file": 1, "resent_record": delivered.ledger.records}
    return Delivered(f"{name}.csv", Ledger(), resent=True, faults=faults), content


def _overlap(name: str, before: Sequence[Row], after: Sequence[Row], seed: int) -> Parcel:
    """Six hours on either side of midnight once more, some values revised by hand."""
    evening = [row for row in before if row.time[11:] >= "18:00"]
    morning = [row for row in after if row.time[11:] < "06:00"]
    rows = evening + morning
    for index in _pick(rows, CORRECTIONS, seed, "corrections"):
        old = float(rows[index].pm10.replace(",", "."))
        rows[index] = rows[index]._replace(pm10=decimal_comma(old * 1.2 + 0.5))
    repeated = sum(len(row.cells) - row.empty for row in rows) - CORRECTIONS
    faults = {"correction": CORRECTIONS, "repeated_row": repeated}
    return _parcel(name, rows, duplicates=repeated, faults=faults)


def _bad_day(name: str, rows: Sequence[Row], seed: int) -> Parcel:
    """A day with one text for a number, one impossible value and one broken time."""
    rows = list(rows)
    text, impossible, broken = _pick(rows, 3, seed, "bad")
    rows[text] = rows[text]._replace(pm10="fel")
    rows[impossible] = rows[impossible]._replace(pm10="4500,0")
    rows[broken] = rows[broken]._replace(time=rows[broken].time.replace(" ", " kl "))
    faults = {"text_value": 1, "out_of_range": 1, "malformed_time": 1}
    # Without its time none of a row's values can be placed.
    return _parcel(name, rows, quarantined=2 + len(rows[broken].cells), faults=faults)


def _pick(rows: Sequence[Row], count: int, seed: int, what: str) -> list[int]:
    """Positions of ordinary rows: all cells filled and in order."""
    ordinary = [
        index for index, row in enumerate(rows) if row.status == "OK" and EMPTY not in row.cells
    ]
    return sorted(seeded(seed, "miljo_luft", what).sample(ordinary, count))


def _parcel(
    name: str,
    rows: Sequence[Row],
    *,
    quarantined: int = 0,
    duplicates: int = 0,
    faults: Mapping[str, int] | None = None,
) -> Parcel:
    offered = sum(len(row.cells) for row in rows)
    empty = sum(row.empty for row in rows)
    ledger = Ledger(
        records=len(rows),
        rows_in=offered,
        landed=offered - empty - quarantined - duplicates,
        quarantined=quarantined,
        duplicates=duplicates,
        filtered={"empty_value": empty} if empty else {},
    )
    lines = [HEADER, *(";".join(row) for row in rows), ""]
    content = "\r\n".join(lines).encode("iso-8859-1")
    return Delivered(f"{name}.csv", ledger, faults=faults or {}), content
