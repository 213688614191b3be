"""What withheld numbers can be, given what is told beside them: exactly, by integer programming.

A table is cells, of which some are withheld, and sums: that some cells together are as much as
others. A reader who knows them all knows of each withheld cell that it lies between the least and
the greatest whole number with which every sum can still hold. If both are the same, withholding it
has kept nothing back.

Bounds are first drawn together sum by sum, which settles most cells; what hangs together is then
solved on its own, so the cost follows what is withheld beside totals. Each solution that is found
shows two things at once, of every cell in it, that it can be so: only what no solution has shown
yet is asked for by itself.

Source: Fischetti & Salazar, "Solving the Cell Suppression Problem on Tabular Data with Linear
Constraints" (2001), for the attacker's two programs; Huangfu & Hall, "Parallelizing the dual
revised simplex method" (2018), for HiGHS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, eye_array, hstack
from scipy.sparse.csgraph import connected_components

Numbers = NDArray[np.float64]

_ROUNDS: Final = 50
"""Times that bounds are drawn together; what more would give, the solver finds as well."""
_TRIES: Final = 8
"""Solutions in directions by chance, before cells are asked for one by one."""
_PATIENCE_S: Final = 60.0
"""Seconds for one program: what takes longer is not known, and that stops a release."""
_NEAR: Final = 1e-4
"""How far a whole number of the solver's may be from one: it works with 1e-6."""


class Unsolved(Exception):
    """The solver gave no answer, or one that is none."""


class Sum(NamedTuple):
    """That some cells together are as much as others: a total, or the same total told twice."""

    parts: tuple[int, ...]
    wholes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Whole numbers from 0 up, some of them withheld, and what is known of them.

    Attributes:
        told: Each cell; None if it is withheld.
        greatest: What each cell can be at most if it is withheld; None for no bound.
        sums: Which cells add up to which.
        pairs: Cells of which the first is at most the second, as locks that were opened and the
            openings of them.
    """

    told: Sequence[int | None]
    greatest: Sequence[int | None]
    sums: Sequence[Sum]
    pairs: Sequence[tuple[int, int]] = ()


class Range(NamedTuple):
    """The least and the greatest that a withheld cell can be; None for no bound."""

    least: int
    greatest: int | None

    def has_fewer_than(self, values: int) -> bool:
        """Whether fewer whole numbers are left than that."""
        return self.greatest is not None and self.greatest - self.least + 1 < values


@dataclass(frozen=True, slots=True)
class Recovered:
    """What can be worked out from a table.

    Attributes:
        ranges: What each withheld cell can be that stands in some sum or pair.
        contradicted: Numbers of the sums, and after them of the pairs, that do not hold with each
            other, whatever the withheld cells are. Of the cells in them nothing is said.
    """

    ranges: Mapping[int, Range]
    contradicted: frozenset[int]


def recover(table: Table, enough: int | None = None) -> Recovered:
    """Work out what the withheld cells of a table can be.

    Args:
        table: The table.
        enough: As soon as a cell is known to have so many values left, no more is asked of it:
            its range is then at least as wide as the one that is given. None asks for all of it.

    Raises:
        Unsolved: The solver failed.
    """
    rows = [*_rows(table)]
    low = np.array([one or 0 for one in table.told], dtype=float)
    high = np.array(
        [
            np.inf if told is None and most is None else most if told is None else told
            for told, most in zip(table.told, table.greatest, strict=True)
        ],
        dtype=float,
    )
    for _ in range(_ROUNDS):
        moved = [_draw_together(row, low, high) for row in rows]
        if not any(moved):
            break
    ranges: dict[int, Range] = {}
    contradicted: set[int] = set()
    for group in _groups(rows, len(low)):
        cells = np.unique(np.concatenate([row.cells for row in group]))
        found = _solve(cells, group, low, high, enough)
        if found is None:
            contradicted.update(row.number for row in group)
        else:
            ranges.update(found)
    return Recovered(ranges, frozenset(contradicted))


def differences(table: Table) -> Iterator[tuple[int, int]]:
    """What two told totals say of withheld cells together, each group of cells once.

    Yields:
        The number of a sum in which several cells are withheld, all of them on one side, and how
        much they are together.
    """
    seen: set[frozenset[int]] = set()
    for number, one in enumerate(table.sums):
        sides = [[cell for cell in side if table.told[cell] is None] for side in one]
        withheld = frozenset(sides[0] + sides[1])
        if len(withheld) > 1 and not (sides[0] and sides[1]) and withheld not in seen:
            seen.add(withheld)
            parts, wholes = (sum(table.told[cell] or 0 for cell in side) for side in one)
            yield number, abs(wholes - parts)


@dataclass(frozen=True, slots=True)
class _Row:
    """Withheld cells, each once and with a sign, whose sum lies between two numbers."""

    number: int
    cells: NDArray[np.intp]
    signs: Numbers
    low: float
    high: float


def _rows(table: Table) -> Iterator[_Row]:
    for number, one in enumerate(table.sums):
        signed = [(cell, 1) for cell in one.parts] + [(cell, -1) for cell in one.wholes]
        yield _row(table, number, signed, is_equal=True)
    for number, (units, events) in enumerate(table.pairs, len(table.sums)):
        if table.told[units] is None or table.told[events] is None:
            yield _row(table, number, [(events, 1), (units, -1)], is_equal=False)


def _row(table: Table, number: int, signed: Sequence[tuple[int, int]], *, is_equal: bool) -> _Row:
    """Cells that come to nothing together, or to nothing less."""
    rest = -sum(sign * (table.told[cell] or 0) for cell, sign in signed)
    withheld = [(cell, sign) for cell, sign in signed if table.told[cell] is None]
    return _Row(
        number,
        np.array([cell for cell, _ in withheld], dtype=np.intp),
        np.array([sign for _, sign in withheld], dtype=float),
        float(rest),
        float(rest) if is_equal else np.inf,
    )


def _draw_together(row: _Row, low: Numbers, high: Numbers) -> bool:
    """Draw the bounds of a row's cells together; whether any has moved."""
    if not len(row.cells):
        return False
    up = row.signs > 0
    least = np.where(up, low[row.cells], -high[row.cells])
    most = np.where(up, high[row.cells], -low[row.cells])
    at_most = np.minimum(most, row.high - _others(least))
    at_least = np.maximum(least, row.low - _others(most))
    moved = bool((at_most < most).any() or (at_least > least).any())
    low[row.cells] = np.where(up, at_least, -at_most)
    high[row.cells] = np.where(up, at_most, -at_least)
    return moved


def _others(values: Numbers) -> Numbers:
    """For each value the sum of the others, of which some may be endless, all to one side."""
    endless = ~np.isfinite(values)
    total = values[~endless].sum()
    own = np.where(endless, 0.0, values)
    side = values[endless][0] if endless.any() else 0.0
    return np.where(endless.sum() - endless > 0, side, total - own)


def _groups(rows: Sequence[_Row], size: int) -> Iterator[list[_Row]]:
    """Rows that hang together by cells; a row without a withheld cell is a group of its own."""
    joined = [row for row in rows if len(row.cells)]
    groups: dict[int, list[_Row]] = {}
    if joined:
        first = np.concatenate([np.repeat(row.cells[:1], len(row.cells)) for row in joined])
        second = np.concatenate([row.cells for row in joined])
        edges = coo_array((np.ones(len(first)), (first, second)), shape=(size, size))
        _, labels = connected_components(edges, directed=False)
        for row in joined:
            groups.setdefault(int(labels[row.cells[0]]), []).append(row)
    yield from groups.values()
    yield from ([row] for row in rows if not len(row.cells))


def _solve(
    cells: NDArray[np.intp], rows: Sequence[_Row], low: Numbers, high: Numbers, enough: int | None
) -> dict[int, Range] | None:
    """The ranges of the cells of one group; None if nothing fits all its rows."""
    if not len(cells):
        return {} if all(row.low <= 0 <= row.high for row in rows) else None
    if (low[cells] > high[cells]).any():
        return None
    program = _Program(cells, rows, low[cells], high[cells])
    if len(rows) == 1:  # bounds that were drawn together by one sum are attained
        least, most = program.low, program.high
    else:
        found = _witnessed(program, enough)
        if found is None:
            return None
        least, most = found
    return {
        int(cell): Range(round(one), round(other) if np.isfinite(other) else None)
        for cell, one, other in zip(cells, least, most, strict=True)
    }


class _Program:
    """The integer program of one group of cells."""

    def __init__(
        self, cells: NDArray[np.intp], rows: Sequence[_Row], low: Numbers, high: Numbers
    ) -> None:
        self.low, self.high = low, high
        lengths = [len(row.cells) for row in rows]
        where = np.searchsorted(cells, np.concatenate([row.cells for row in rows]))
        signs = np.concatenate([row.signs for row in rows])
        at = np.repeat(np.arange(len(rows)), lengths)
        shape = (len(rows), len(cells))
        self.matrix = csr_array(coo_array((signs, (at, where)), shape=shape))
        self.least = np.array([row.low for row in rows])
        self.most = np.array([row.high for row in rows])

    def minimum(self, objective: Numbers) -> Numbers | None:
        """A solution with the least value of an objective; None if there is no solution."""
        done = milp(
            objective,
            constraints=LinearConstraint(self.matrix, self.least, self.most),
            bounds=Bounds(self.low, self.high),
            integrality=np.ones(len(objective)),
            options={"mip_rel_gap": 0, "time_limit": _PATIENCE_S},
        )
        if done.status == 2:
            return None
        if done.status != 0:
            raise Unsolved(f"the integer program was not solved: {done.message}")
        solution: Numbers = np.rint(done.x)
        # In whole numbers a solution can be checked, whatever the solver's tolerances are.
        sums = self.matrix @ solution
        is_one = (
            (abs(solution - done.x) < _NEAR).all()
            and (self.low <= solution).all()
            and (solution <= self.high).all()
            and (self.least <= sums).all()
            and (sums <= self.most).all()
        )
        if not is_one:
            raise Unsolved("the solver's answer does not fit the sums")
        return solution

    def endless(self) -> NDArray[np.bool_]:
        """Which cells can grow without end; there is a solution.

        They are those that some direction has in which every sum stays what it is. As such
        directions add up and stretch, one has them all, and a linear program finds it.
        """
        size = len(self.low)
        free = ~np.isfinite(self.high)
        if not free.any():
            return free
        keeps = LinearConstraint(
            hstack([self.matrix, coo_array(self.matrix.shape)]),
            np.where(np.isfinite(self.least), 0, -np.inf),
            np.where(np.isfinite(self.most), 0, np.inf),
        )
        grows = LinearConstraint(hstack([eye_array(size), -eye_array(size)]), 0, np.inf)
        bounds = Bounds(0, np.concatenate([np.where(free, np.inf, 0), np.ones(size)]))
        objective = np.concatenate([np.zeros(size), -np.ones(size)])
        done = milp(objective, constraints=[keeps, grows], bounds=bounds)
        if done.status != 0:
            raise Unsolved(f"the linear program was not solved: {done.message}")
        grown: NDArray[np.bool_] = done.x[size:] > 0.5
        return grown


def _witnessed(program: _Program, enough: int | None) -> tuple[Numbers, Numbers] | None:
    """The least and greatest of each cell, shown by solutions; None if there is none."""
    first = program.minimum(np.zeros(len(program.low)))
    if first is None:
        return None
    seen = _Seen(program, first, enough)
    for sign in (1, -1):
        while (open_cells := seen.open(sign)).any():
            before = open_cells.sum()
            seen.look(np.where(open_cells, float(sign), 0.0))
            if seen.open(sign).sum() == before:
                break
    random = np.random.default_rng(1)
    for _ in range(_TRIES):
        open_cells = seen.open(1) | seen.open(-1)
        if not open_cells.any():
            break
        drawn = random.normal(size=len(first))
        seen.look(np.where(open_cells, np.where(seen.endless, abs(drawn), drawn), 0.0))
    for cell in range(len(first)):
        for sign in (1, -1):
            if seen.open(sign)[cell]:
                objective = np.zeros(len(first))
                objective[cell] = sign
                seen.look(objective)
                seen.settle(cell, sign)
    return seen.least, seen.most


class _Seen:
    """What solutions have shown so far: the least and the greatest that each cell was in one."""

    def __init__(self, program: _Program, first: Numbers, enough: int | None) -> None:
        self.program = program
        self.enough = enough
        self.endless = program.endless()
        self.least = first.copy()
        self.most = np.where(self.endless, np.inf, first)
        self.settled = {1: first == program.low, -1: self.endless | (first == program.high)}

    def open(self, sign: int) -> NDArray[np.bool_]:
        """Cells of which the least (1) or the greatest (-1) is still to be shown."""
        asked: NDArray[np.bool_] = ~self.settled[sign]
        if self.enough is not None:
            asked &= self.most - self.least + 1 < self.enough
        return asked

    def look(self, objective: Numbers) -> None:
        """Find one more solution, and remember what it shows."""
        found = self.program.minimum(objective)
        if found is None:
            raise Unsolved("the solver found a solution, and then none")
        self.least = np.minimum(self.least, found)
        self.most = np.maximum(self.most, found)
        self.settled[1] |= self.least == self.program.low
        self.settled[-1] |= self.most == self.program.high

    def settle(self, cell: int, sign: int) -> None:
        """Note that a cell was asked for by itself: what was found is the end of its range."""
        self.settled[sign][cell] = True
