"""What withheld numbers can be, in tables with totals in two directions: time, and what is found.

A table of counts of which those under five are withheld, one by one, beside the totals of its rows
and columns and of the whole. *audited* asks what the audit asks: which have one value left, and
which fewer than five. *exactly* asks for the least and the greatest of each.

Run: python -m benchmarks.withheld [100]
"""

from __future__ import annotations

import sys
import time

import numpy as np

from benchmarks.rounds import peak_mib
from quality.disclosure.recovering import Sum, Table, recover

LEAST = 5
MEANS = (3, 6, 9)


def table(size: int, mean: float) -> Table:
    """Counts in rows and columns with their totals; what is under five is withheld."""
    counts = np.random.default_rng(1).poisson(mean, (size, size))
    whole = np.block([[counts, counts.sum(1, keepdims=True)],
                      [counts.sum(0, keepdims=True), counts.sum()]])  # fmt: skip
    cells = np.arange(whole.size).reshape(whole.shape)
    told = [None if count < LEAST else int(count) for count in whole.flat]
    sums = [Sum(tuple(map(int, row[:-1])), (int(row[-1]),)) for row in (*cells, *cells.T)]
    return Table(told, [LEAST - 1] * whole.size, sums)


def main(size: int) -> None:
    """Work out tables of which more and more is withheld."""
    for mean in MEANS:
        made = table(size, mean)
        withheld = sum(one is None for one in made.told)
        print(f"{size * size:,} cells of {mean} on average, {withheld:,} withheld")
        for name, enough in (("audited", LEAST), ("exactly", None)):
            began = time.perf_counter()
            ranges = recover(made, enough).ranges.values()
            taken = time.perf_counter() - began
            one, few = (sum(each.has_fewer_than(most) for each in ranges) for most in (2, LEAST))
            print(f"  {name}: {taken:.2f} s, {one:,} recovered, {few - one:,} with fewer values")
    print(f"peak memory of this process {peak_mib():.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
