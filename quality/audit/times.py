"""Times and UTC days of a product's time column, as SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import duckdb

from lakehouse.duck import identifier

_DAY_US: Final = 86_400_000_000
_SHIFT: Final = 1_000_000
"""Days added before the division, which rounds towards zero, so that times before 1970 are right"""
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Time:
    """The time column of a product.

    Attributes:
        column: Its name.
        type: Its DuckDB type.
    """

    column: str
    type: str

    @property
    def is_text(self) -> bool:
        """Whether it is a text: file statistics are then no times."""
        return self.type == "VARCHAR"

    @property
    def instant(self) -> str:
        """The SQL of its instant; NULL where there is none."""
        return self.instant_in(identifier(self.column))

    @property
    def day(self) -> str:
        """The SQL of its UTC day, as a number that `day_of` reads.

        Arithmetic, because a date of a TIMESTAMPTZ asks the calendar of a time zone.
        """
        return self.day_in(identifier(self.column))

    def day_in(self, sql: str) -> str:
        """The same of other SQL that gives a value of its type."""
        shifted = f"epoch_us({self.instant_in(sql)}) + {_SHIFT * _DAY_US}"
        return f"(({shifted}) // {_DAY_US} - {_SHIFT})"

    def instant_in(self, sql: str) -> str:
        """The SQL of the instant in other SQL that gives a value of its type."""
        if self.is_text:
            return f"try_cast({sql} as timestamptz)"
        if self.type == "DATE":
            return f"({sql})::timestamp::timestamptz"
        return f"({sql})::timestamptz"


def time_of(connection: duckdb.DuckDBPyConnection, relation: str, column: str) -> Time:
    """The time column of a relation."""
    query = f"describe select {identifier(column)} from {relation}"
    return Time(column, str(connection.execute(query).fetchall()[0][1]))


def day_of(number: int) -> date:
    """The day of a number that `Time.day` gave."""
    return _EPOCH + timedelta(days=number)


def number_of(day: date) -> int:
    """The number that `Time.day` gives for a day."""
    return (day - _EPOCH).days
