"""The days of the sample city, as local days and as quarters of an hour in UTC.

The first day is fixed so that the default fortnight holds 2026-10-25, when clocks go back and
the local day has 25 hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Europe/Stockholm")
FIRST_DAY: Final = date(2026, 10, 19)
STEP: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Slot:
    """A quarter of an hour.

    Attributes:
        start: Its beginning in UTC.
        local: The same on the wall clock of Stockholm (naive; ambiguous once a year).
    """

    start: datetime
    local: datetime

    @property
    def hour(self) -> float:
        """Hour of the local day as a number, 7.75 for a quarter to eight."""
        return self.local.hour + self.local.minute / 60

    @property
    def is_weekend(self) -> bool:
        """Whether the local day is a Saturday or Sunday."""
        return self.local.weekday() >= 5


@dataclass(frozen=True, slots=True)
class Period:
    """The quarters of an hour of consecutive local days.

    Attributes:
        days: The local days.
        slots: Every quarter of an hour of these days, in order and without gaps.
    """

    days: tuple[date, ...]
    slots: tuple[Slot, ...]

    @classmethod
    def of_days(cls, count: int) -> Period:
        """The period of so many local days from the first day on.

        Raises:
            ValueError: There would be no day.
        """
        if count < 1:
            raise ValueError(f"expected at least one day, got {count}")
        start, end = midnight(FIRST_DAY), midnight(FIRST_DAY + timedelta(days=count))
        starts = (start + index * STEP for index in range((end - start) // STEP))
        return cls(
            days=tuple(FIRST_DAY + timedelta(days=index) for index in range(count)),
            slots=tuple(
                Slot(instant, instant.astimezone(ZONE).replace(tzinfo=None)) for instant in starts
            ),
        )

    @property
    def start(self) -> datetime:
        """The first instant, in UTC."""
        return self.slots[0].start

    @property
    def end(self) -> datetime:
        """The first instant after the period, in UTC."""
        return self.slots[-1].start + STEP


def midnight(day: date) -> datetime:
    """The instant in UTC at which a local day begins."""
    return datetime.combine(day, time(), ZONE).astimezone(UTC)


def epoch_ms(instant: datetime) -> int:
    """Milliseconds since 1970, exact for any whole millisecond."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
