"""What withheld cells can be is worked out exactly, and told only where something is told."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.disclosure.recovering import Range, Recovered, Sum, Table, differences, recover


def crossed(counts, withheld, greatest=4, hidden_totals=()):
    """A table by rows and columns with both totals and the grand one; some cells withheld."""
    counts = np.asarray(counts)
    whole = np.block([[counts, counts.sum(1, keepdims=True)],
                      [counts.sum(0, keepdims=True), counts.sum()]])  # fmt: skip
    rows, columns = whole.shape
    cell = np.arange(whole.size).reshape(whole.shape)
    hidden = {int(cell[at]) for at in (*withheld, *hidden_totals)}
    told = [None if one in hidden else int(whole.flat[one]) for one in range(whole.size)]
    sums = [Sum(tuple(map(int, cell[row, :-1])), (int(cell[row, -1]),)) for row in range(rows)]
    sums += [Sum(tuple(map(int, cell[:-1, at])), (int(cell[-1, at]),)) for at in range(columns)]
    return Table(told, [greatest] * whole.size, sums), cell, whole


def constant(found: Recovered) -> set[int]:
    return {cell for cell, one in found.ranges.items() if one.has_fewer_than(2)}


COUNTS = [[20, 3, 10], [8, 12, 15], [6, 9, 2]]


def test_one_withheld_cell_beside_its_total_is_recovered():
    table, cell, whole = crossed(COUNTS, [(0, 1)])
    found = recover(table)
    assert found.ranges == {int(cell[0, 1]): Range(3, 3)}
    assert whole[0, 1] == 3


def test_two_in_a_row_are_recovered_by_their_columns():
    table, cell, _ = crossed([[20, 3, 2], [8, 12, 15]], [(0, 1), (0, 2)])
    assert recover(table).ranges == {int(cell[0, 1]): Range(3, 3), int(cell[0, 2]): Range(2, 2)}


def test_two_in_a_row_without_totals_of_columns_keep_a_range():
    table, cell, _ = crossed([[20, 3, 2], [8, 12, 15]], [(0, 1), (0, 2)])
    of_rows = Table(table.told, table.greatest, table.sums[:3])
    assert recover(of_rows).ranges[int(cell[0, 1])] == Range(1, 4)
    assert list(differences(of_rows)) == [(0, 5)]


def test_larger_numbers_withheld_beside_small_ones_protect_them():
    """A rectangle of four, of which two are small: nobody knows which of them are."""
    corners = [(0, 1), (0, 2), (2, 1), (2, 2)]
    table, cell, _ = crossed(COUNTS, corners, greatest=None)
    found = recover(table)
    assert constant(found) == set()
    assert found.ranges == {
        int(cell[0, 1]): Range(1, 12), int(cell[0, 2]): Range(1, 12),
        int(cell[2, 1]): Range(0, 11), int(cell[2, 2]): Range(0, 11),
    }  # fmt: skip
    assert [much for _, much in differences(table)] == [13, 11, 12, 12]


def test_a_pair_bounds_units_by_their_events():
    table = Table([None, None, 9, 7], [4, None, None, None], [Sum((1, 3), (2,))], [(0, 1)])
    assert recover(table).ranges == {0: Range(0, 2), 1: Range(2, 2)}


def test_endless_cells_have_no_greatest():
    table = Table([None, None, None, 7], [None, None, 4, None], [Sum((0,), (1, 2))])
    assert recover(table).ranges == {0: Range(0, None), 1: Range(0, None), 2: Range(0, 4)}


def test_what_does_not_add_up_is_told_and_nothing_said_of_its_cells():
    table = Table([5, None, 20, 3, 4], [4] * 5, [Sum((0, 1), (2,)), Sum((3,), (4,))])
    assert recover(table) == Recovered({}, frozenset({0, 1}))


@st.composite
def tables(draw):
    size = draw(st.integers(2, 5))
    told = draw(st.lists(st.none() | st.integers(0, 4), min_size=size, max_size=size))
    greatest = draw(st.lists(st.sampled_from([2, 4, 4, None]), min_size=size, max_size=size))
    endless = [cell for cell in range(size) if told[cell] is None and greatest[cell] is None]
    for cell in endless[2:]:  # else there is too much to count
        greatest[cell] = 4
    sums = []
    for _ in range(draw(st.integers(1, 3))):
        cells = draw(st.permutations(range(size)))
        parts = draw(st.integers(1, size - 1))
        wholes = draw(st.integers(1, size - parts))
        sums.append(Sum(tuple(cells[:parts]), tuple(cells[parts : parts + wholes])))
    pairs = [tuple(cells[:2])] if draw(st.booleans()) else []
    return Table(told, greatest, sums, pairs)


CAP, FAR = 40, 30
"""Numbers up to the first are counted through; a cell that comes beyond the second is endless."""


def counted(table: Table) -> dict[int, Range] | None:
    """Every solution, counted through; None if there is none."""
    choices = [
        np.array([told]) if told is not None else np.arange((CAP if most is None else most) + 1)
        for told, most in zip(table.told, table.greatest, strict=True)
    ]
    grid = np.stack([one.ravel() for one in np.meshgrid(*choices, indexing="ij")])
    fits = np.ones(grid.shape[1], dtype=bool)
    for parts, wholes in table.sums:
        fits &= grid[list(parts)].sum(0) == grid[list(wholes)].sum(0)
    for units, events in table.pairs:
        if table.told[units] is not None and table.told[events] is not None:
            continue  # what is told wrong is another check's business
        fits &= grid[units] <= grid[events]
    if not fits.any():
        return None
    least, most = grid[:, fits].min(1), grid[:, fits].max(1)
    return {
        cell: Range(int(least[cell]), None if most[cell] > FAR else int(most[cell]))
        for cell, told in enumerate(table.told)
        if told is None
    }


@given(tables())
@settings(max_examples=200, deadline=None)
def test_ranges_are_those_that_counting_everything_through_gives(table):
    expected = counted(table)
    found = recover(table)
    if expected is None:
        assert found.contradicted
        return
    assert not found.contradicted
    assert found.ranges == {cell: expected[cell] for cell in found.ranges}
    for cell, one in recover(table, enough=3).ranges.items():
        exact = expected[cell]
        assert one.has_fewer_than(3) is exact.has_fewer_than(3)
        assert one == exact or not one.has_fewer_than(3)


@given(st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_a_table_of_two_directions_has_the_ranges_of_the_transport_problem(seed):
    """Every cell that is withheld can be what it is, and what is not is not withheld."""
    random = np.random.default_rng(seed)
    counts = random.poisson(4, (6, 6))
    table, _, whole = crossed(counts, list(zip(*np.nonzero(counts < 5), strict=True)))
    found = recover(table)
    assert not found.contradicted
    for at, one in found.ranges.items():
        assert table.told[at] is None
        assert one.least <= whole.flat[at] <= one.greatest
