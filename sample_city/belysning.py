"""Trafikkontoret's deliveries of street lighting: NGSIv2 notifications, a UTC day a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from lakehouse.ledger import Ledger
from sample_city.context_broker import notification
from sample_city.period import Period
from sample_city.street_lamps import Plan, Report, lamps_of, reports
from sample_city.summary import Delivered
from sample_city.weather import weather_of

_SUBSCRIPTION: Final = "5fd0fa684eb81930c97005f3"


def deliveries(period: Period, seed: int, scale: float) -> Iterator[tuple[Delivered, bytes]]:
    """The files of the period, in the order of their names.

    Args:
        period: When.
        seed: The city's seed.
        scale: Lamps, as a multiple of those in the contract.
    """
    weather, plans = weather_of(period, seed), _plans(len(period.slots))
    heard = [
        report
        for number, lamp in enumerate(lamps_of(scale))
        for report in reports(lamp, period, weather, plans.get(number, Plan()), seed)
    ]
    heard.sort(key=attrgetter("time"))
    for day, found in groupby(heard, key=lambda report: report.time.date()):
        told = list(found)
        lines = (notification([report.entity], _SUBSCRIPTION) for report in told)
        content = "".join(f"{line}\n" for line in lines).encode()
        yield Delivered(f"belysning_{day}.ndjson", _ledger(told), faults=_faults(told)), content


def _plans(slots: int) -> dict[int, Plan]:
    """Which lamps go wrong, and when."""
    return {
        0: Plan(impossible=slots * 3 // 10 // 24 * 24),
        1: Plan(stuck=range(slots * 4 // 10, slots * 6 // 10)),
        3: Plan(defective=slots // 2),
        5: Plan(silent=slots * 65 // 100),
    }


def _ledger(told: Sequence[Report]) -> Ledger:
    rows = sum(report.readings for report in told)
    impossible = sum(report.is_impossible for report in told)
    return Ledger(records=len(told), rows_in=rows, landed=rows - impossible, quarantined=impossible)


def _faults(told: Sequence[Report]) -> dict[str, int]:
    impossible = sum(report.is_impossible for report in told)
    defective = sum("defectiveLamp" in str(report.entity) for report in told)
    counts = {"out_of_range": impossible, "defective_lamp": defective}
    return {fault: count for fault, count in counts.items() if count}
