"""Stadsledningskontoret's deliveries of portal usage: one CSV a local day, counted by dataset.

The web server's log has IP addresses, which are personal data. It stays with the one who runs the
server; what leaves it are these counts. A dataset that nobody asked for stands there with zeros.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

from lakehouse.ledger import Ledger
from sample_city.chance import seeded
from sample_city.period import ZONE, Period, midnight
from sample_city.summary import Delivered

HEADER: Final = "Från;Till;Datamängd;Visningar;Nedladdningar;Byte"
DATASETS: Final = (
    ("luftkvalitet_timme", 60),
    ("trafikflode_kvart", 25),
    ("badplatser", 9),
    ("parkeringsplatser", 31),
    ("portal_anvandning_dygn", 0),
)
"""Datasets that the contract knows, and how often they are looked at on a working day."""

_CHANNELS: Final = 3
_LOST_DAY, _RESENT_DAY = 8, 2
_FILE_BYTES: Final = 180_000


def deliveries(period: Period, seed: int, scale: float) -> Iterator[tuple[Delivered, bytes]]:
    """The files of the period, in the order of their names.

    Args:
        period: When.
        seed: The city's seed.
        scale: Datasets, as a multiple of those in the contract.
    """
    datasets = _datasets_of(scale)
    generators = [seeded(seed, "dataportal_loggar", name) for name, _ in datasets]
    for number, day in enumerate(period.days):
        lines = [
            _line(day, name, _counts(day, usual, rng))
            for (name, usual), rng in zip(datasets, generators, strict=True)
        ]
        if number == _LOST_DAY:  # the log was rotated away before it was counted
            continue
        content = "".join(f"{line}\r\n" for line in (HEADER, *lines)).encode()
        rows = _CHANNELS * len(lines)
        ledger = Ledger(records=len(lines), rows_in=rows, landed=rows)
        lost = {"lost_day": 1} if number == _LOST_DAY + 1 else {}
        yield Delivered(f"portal_{day}.csv", ledger, faults=lost), content
        if number == _RESENT_DAY:
            again = {"resent_file": 1, "resent_record": len(lines)}
            yield Delivered(f"portal_{day}_igen.csv", Ledger(), resent=True, faults=again), content


def _datasets_of(scale: float) -> tuple[tuple[str, int], ...]:
    count = max(1, round(len(DATASETS) * scale))
    unknown = ((f"ny_{number}", 4) for number in range(1, count - len(DATASETS) + 1))
    return (*DATASETS[:count], *unknown)


def _counts(day: date, usual: int, rng: random.Random) -> tuple[int, int, int]:
    """Views, downloads and bytes of a dataset on a day."""
    expected = usual * (0.4 if day.weekday() >= 5 else 1.0)
    views = max(0, round(rng.gauss(expected, expected**0.5)))
    downloads = round(views * rng.uniform(0.1, 0.4))
    return views, downloads, downloads * _FILE_BYTES + views * rng.randrange(20_000, 40_000)


def _line(day: date, dataset: str, counts: tuple[int, int, int]) -> str:
    bounds = (_told(midnight(day)), _told(midnight(day + timedelta(days=1))))
    return ";".join((*bounds, dataset, *map(str, counts)))


def _told(instant: datetime) -> str:
    """An instant with Stockholm's offset: a day on which clocks change has two."""
    return instant.astimezone(ZONE).isoformat()
