"""The checks of what a reader can work out of the numbers that a product withholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from lakehouse.contracts.statistics import Statistics
from lakehouse.verdicts import Check
from quality.audit.small_groups.sums import Gathered, Place, Told, gather
from quality.disclosure.recovering import Recovered, Unsolved, differences, recover

RECOVERED: Final = "nothing_worked_out"
DIFFERENCE: Final = "no_small_difference"
SUMS: Final = "totals_add_up"
LEFT: Final = "enough_values_left"


def check_withheld(product: str, statistics: Statistics, told: Sequence[Told]) -> Iterator[Check]:
    """Work out what can be worked out from all totals that products tell.

    Args:
        product: The product that is audited.
        statistics: What its contract says of its numbers.
        told: What it tells, and what others tell that are made from the same.
    """
    gathered = gather(told)
    nothing = "nothing withheld can be worked out"
    try:
        found = recover(gathered.table, enough=statistics.least)
    except Unsolved as error:
        yield Check(RECOVERED, None, "critical", False, nothing, f"nobody knows: {error}")
        return
    few = f"{statistics.least} {statistics.counted.en}"
    held = f"none by {len(gathered.sums):,} totals"
    yield from _checks(
        product, RECOVERED, "critical", nothing, "{:,} cells can", held,
        _with_fewer(gathered, found, 2),
    )  # fmt: skip
    yield from _checks(
        product, DIFFERENCE, "critical", f"no difference of totals of fewer than {few}",
        "{:,} such differences", held, _differences(gathered, statistics.least),
    )  # fmt: skip
    yield from _checks(
        product, SUMS, "critical", "totals are the sums of what they are told beside",
        "{:,} cannot be, whatever is withheld", held, _contradicted(gathered, found),
    )  # fmt: skip
    narrow = _with_fewer(gathered, found, statistics.least) - _with_fewer(gathered, found, 2)
    yield from _checks(
        product, LEFT, "warning", f"{statistics.least} values left for what is withheld",
        "fewer for {:,} cells", held, narrow,
    )  # fmt: skip


def _with_fewer(gathered: Gathered, found: Recovered, values: int) -> Counter[Place]:
    """Withheld cells for which fewer values are left."""
    return Counter(
        gathered.places[cell] for cell, one in found.ranges.items() if one.has_fewer_than(values)
    )


def _differences(gathered: Gathered, least: int) -> Counter[Place]:
    """Differences of totals that are a number of few: of several withheld cells together."""
    return Counter(
        gathered.of_sums[number] for number, much in differences(gathered.table) if 0 < much < least
    )


def _contradicted(gathered: Gathered, found: Recovered) -> Counter[Place]:
    """Totals that are not the sum of what they are told to be."""
    sums = [number for number in found.contradicted if number < len(gathered.sums)]
    return Counter(gathered.of_sums[number] for number in sums)


def _checks(
    product: str,
    expectation: str,
    severity: Literal["critical", "warning"],
    expected: str,
    observed: str,
    held: str,
    found: Mapping[Place, int],
) -> Iterator[Check]:
    """A check for each column that something was found in, or one that says that there is none."""
    for (of, column), count in sorted(found.items()):
        name = column if of == product else f"{of}.{column}"
        yield Check(expectation, name, severity, False, expected, observed.format(count), count)
    if not found:
        yield Check(expectation, None, severity, True, expected, held)
