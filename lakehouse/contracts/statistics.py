"""What a product's contract says of numbers about people: what stands behind each, what adds up.

The owner says it; the audit works out from the rows whether it keeps what it promises
(docs/decisions/0024-small-groups.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from pydantic import Field

from lakehouse.contracts.odcs import Frozen
from lakehouse.contracts.texts import Text
from lakehouse.errors import Problem


class Number(Frozen):
    """What is known of a number about people.

    Attributes:
        units: The column that counts the units behind it; its own name if it counts them itself.
        units_untold: Whether no column of the product counts them.
        additive_over: Columns of the key over which it may be added up, so that a total is the
            sum of what it is a total of. For counts: of units, or of what they did, each of them
            once at least. A count of different units is not additive over time.
    """

    units: str | None = None
    units_untold: bool = False
    additive_over: tuple[str, ...] = ()


class Statistics(Frozen):
    """What keeps the numbers of a product about people from telling of one of them.

    Attributes:
        least: Persons, homes or the like that stand behind each number at least.
        counted: What is counted, such as `hem` or `personer`.
        totals_withheld: Whether no sum is told from which a withheld number could be worked out,
            here or anywhere else; the owner's word.
        numbers: The numbers about people, by column.
        totals: The value by which a column of the key says that a row is the total of the others.
        larger_withheld: Whether numbers that are not small are withheld as well, so that small
            ones cannot be worked out. Else a reader knows that what is withheld is small.
    """

    least: int = Field(ge=1)
    counted: Text
    totals_withheld: bool
    numbers: Mapping[str, Number] = Field(default_factory=dict)
    totals: Mapping[str, str] = Field(default_factory=dict)
    larger_withheld: bool = False


class Column(Protocol):
    """What is asked of a column of a product here."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def logical_type(self) -> str:
        """Its ODCS type."""

    @property
    def is_key(self) -> bool:
        """Whether it is part of the key."""


def statistics_problems(
    statistics: Statistics, columns: Collection[Column], place: str
) -> Iterator[Problem]:
    """What is wrong with what a contract says of its numbers.

    Args:
        statistics: What it says.
        columns: All columns of the product.
        place: Where it says so, for the problems.
    """
    key = {column.name for column in columns if column.is_key}
    kinds = {
        column.name: column.logical_type
        for column in columns
        if not column.is_key and column.logical_type in ("integer", "number")
    }
    for name in kinds.keys() - statistics.numbers.keys():
        yield Problem(
            f"{place}.numbers",
            f"nothing is said of the number '{name}'",
            "Name the column that counts the units behind it.",
        )
    for name, number in statistics.numbers.items():
        where = f"{place}.numbers.{name}"
        if name not in kinds:
            yield Problem(where, "this is no column of numbers", f"Known: {_listed(kinds)}.")
            continue
        yield from _number_problems(name, number, statistics, kinds, where)
        for over in number.additive_over:
            if over not in key:
                yield Problem(
                    f"{where}.additiveOver",
                    f"'{over}' is no column of the key",
                    f"Known: {_listed(key)}.",
                )
    for name in statistics.totals.keys() - key:
        yield Problem(
            f"{place}.totals.{name}", "this is no column of the key", f"Known: {_listed(key)}."
        )


def _number_problems(
    name: str, number: Number, statistics: Statistics, kinds: Mapping[str, str], where: str
) -> Iterator[Problem]:
    if (number.units is None) is not number.units_untold:
        yield Problem(
            where,
            "it does not say which column counts the units behind it"
            if number.units is None
            else "it names the column that counts the units, and says that there is none",
            "Write 'units' with a column, or 'unitsUntold: true'.",
        )
    counting = statistics.numbers.get(number.units) if number.units else None
    if number.units and (counting is None or counting.units != number.units):
        yield Problem(
            f"{where}.units",
            f"'{number.units}' is not said to count units",
            f"Name a number whose 'units' is itself: {_listed(_counting(statistics))}.",
        )
    is_whole = kinds[name] == "integer"
    if not is_whole and (number.additive_over or number.units == name):
        yield Problem(
            where,
            "only whole numbers count units or add up exactly",
            "Make the column an integer, or leave 'additiveOver' out.",
        )


def _counting(statistics: Statistics) -> Iterator[str]:
    return (name for name, number in statistics.numbers.items() if number.units == name)


def _listed(names: Collection[str] | Iterator[str]) -> str:
    return ", ".join(sorted(names)) or "none"
