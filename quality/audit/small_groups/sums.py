"""What the numbers of products about people add up to: as cells and sums, for `recovering`.

Three things tie withheld numbers to told ones: a row that a product says is the total of others;
another product that is made from the same sources and tells the same number by other columns of
the key, so that both come to the same where they have columns in common; and that whoever stands
behind a number is counted in it once at least.

A row that is not there counts as nothing. That is the strictest reading: if it was left out
because it is small, the sums do not hold, and that is told as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeAlias

import duckdb

from lakehouse.contracts import ProductContract
from lakehouse.contracts.statistics import Statistics
from lakehouse.duck import identifier
from quality.disclosure.recovering import Sum, Table

Key: TypeAlias = tuple[str | None, ...]
Place: TypeAlias = tuple[str, str]
"""A product and a column of it."""


@dataclass(frozen=True, slots=True)
class Told:
    """The whole numbers about people that one product tells.

    Attributes:
        product: Its id.
        statistics: What its contract says of them.
        key: The columns of its key.
        columns: The numbers.
        rows: By the values of the key, as texts: the numbers in the order of the columns, None
            where they are withheld.
    """

    product: str
    statistics: Statistics
    key: tuple[str, ...]
    columns: tuple[str, ...]
    rows: Mapping[Key, tuple[int | None, ...]]

    def is_total(self, key: Key) -> bool:
        """Whether a row is the total of others."""
        totals = self.statistics.totals
        return any(
            totals.get(name) == value for name, value in zip(self.key, key, strict=True) if value
        )

    def adds_up(self, column: str, over: Collection[str]) -> bool:
        """Whether a number may be added up over some columns of the key."""
        return set(over) <= set(self.statistics.numbers[column].additive_over)


@dataclass(slots=True)
class Gathered:
    """Cells of several products, those that stand in some sum.

    Attributes:
        places: What each cell is a number of.
        told: Each cell; None if it is withheld.
        greatest: What each can be at most if it is withheld.
        sums: Which come to the same.
        of_sums: What each sum is about.
        pairs: Units, and the number that they stand behind.
    """

    places: list[Place] = field(default_factory=list)
    told: list[int | None] = field(default_factory=list)
    greatest: list[int | None] = field(default_factory=list)
    sums: list[Sum] = field(default_factory=list)
    of_sums: list[Place] = field(default_factory=list)
    pairs: dict[tuple[int, int], None] = field(default_factory=dict)
    _cells: dict[tuple[str, str, Key], int] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """What can be asked what the withheld cells can be."""
        return Table(self.told, self.greatest, self.sums, [*self.pairs])

    def cell(self, told: Told, column: str, key: Key) -> int:
        """The number of a cell; it gets one if it has none."""
        name = (told.product, column, key)
        if name not in self._cells:
            self._cells[name] = len(self.told)
            is_small = told.statistics.numbers[column].units == column
            is_small &= not told.statistics.larger_withheld
            self.places.append((told.product, column))
            self.told.append(told.rows[key][told.columns.index(column)])
            self.greatest.append(told.statistics.least - 1 if is_small else None)
        return self._cells[name]

    def add(self, about: Place, parts: Collection[int], wholes: Collection[int]) -> None:
        """Note that some cells come to as much as others."""
        self.sums.append(Sum(tuple(parts), tuple(wholes)))
        self.of_sums.append(about)

    def cells(self) -> Iterator[tuple[str, str, Key]]:
        """The product, the column and the key of each cell so far."""
        yield from list(self._cells)


def read(
    connection: duckdb.DuckDBPyConnection,
    contract: ProductContract,
    statistics: Statistics,
    relation: str,
) -> Told:
    """The whole numbers about people in a version of a product.

    Args:
        connection: What can read it.
        contract: The product.
        statistics: What it says of its numbers.
        relation: The SQL of the version.
    """
    columns = tuple(
        column.name
        for column in contract.columns
        if column.name in statistics.numbers and column.logical_type == "integer"
    )
    chosen = [f"{identifier(name)}::varchar" for name in contract.key]
    chosen += [f"{identifier(name)}::bigint" for name in columns]
    size = len(contract.key)
    found = connection.execute(f"select {', '.join(chosen)} from {relation}").fetchall()
    rows = {tuple(row[:size]): tuple(row[size:]) for row in found}
    return Told(contract.id, statistics, contract.key, columns, rows)


def gather(products: Sequence[Told]) -> Gathered:
    """The cells of products that stand in some sum, and the sums."""
    gathered = Gathered()
    for told in products:
        _add_totals(gathered, told)
    for one, other in combinations(products, 2):
        _add_common(gathered, one, other)
    _add_pairs(gathered, {told.product: told for told in products})
    return gathered


def _add_totals(gathered: Gathered, told: Told) -> None:
    """Rows that are the total of those beside them."""
    for at, name in enumerate(told.key):
        total = told.statistics.totals.get(name)
        columns = [column for column in told.columns if told.adds_up(column, [name])]
        if total is None or not columns:
            continue
        parts: dict[Key, list[Key]] = defaultdict(list)
        wholes: dict[Key, Key] = {}
        for key in told.rows:
            rest = key[:at] + key[at + 1 :]
            if key[at] == total:
                wholes[rest] = key
            else:
                parts[rest].append(key)
        for rest in wholes.keys() & parts.keys():
            for column in columns:
                cells = [gathered.cell(told, column, key) for key in parts[rest]]
                whole = gathered.cell(told, column, wholes[rest])
                gathered.add((told.product, column), cells, [whole])


def _add_common(gathered: Gathered, one: Told, other: Told) -> None:
    """What two products tell of the same, added up to what their keys have in common.

    Without a column in common, nothing says that they tell of the same time.
    """
    common = [name for name in one.key if name in other.key]
    if not common:
        return
    for column in one.columns:
        if column not in other.columns or not all(
            told.adds_up(column, set(told.key) - set(common)) for told in (one, other)
        ):
            continue
        mine, theirs = (_by(told, common) for told in (one, other))
        for values in mine.keys() & theirs.keys():
            gathered.add(
                (one.product, column),
                [gathered.cell(one, column, key) for key in mine[values]],
                [gathered.cell(other, column, key) for key in theirs[values]],
            )


def _by(told: Told, common: Sequence[str]) -> Mapping[Key, list[Key]]:
    """Rows that are no totals, by the values of some columns of the key."""
    places = [told.key.index(name) for name in common]
    found: dict[Key, list[Key]] = defaultdict(list)
    for key in told.rows:
        if not told.is_total(key):
            found[tuple(key[at] for at in places)].append(key)
    return found


def _add_pairs(gathered: Gathered, products: Mapping[str, Told]) -> None:
    """Each of the units behind a number that counts something is counted in it once at least."""
    for product, column, key in gathered.cells():
        told = products[product]
        for name, number in told.statistics.numbers.items():
            units = number.units
            if units is None or units == name or not number.additive_over:
                continue
            if column in (name, units):
                pair = (gathered.cell(told, units, key), gathered.cell(told, name, key))
                gathered.pairs[pair] = None
