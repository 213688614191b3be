"""The account of a delivery."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import LakeError
from lakehouse.ledger import Ledger, Receipt, require_balance

COUNT = st.integers(min_value=0, max_value=10**9)


@st.composite
def ledgers(draw) -> Ledger:
    """A ledger that adds up."""
    landed, quarantined, duplicates = draw(COUNT), draw(COUNT), draw(COUNT)
    filtered = draw(st.dictionaries(st.sampled_from(["empty_value", "other", "third"]), COUNT))
    total = landed + quarantined + duplicates + sum(filtered.values())
    return Ledger(draw(COUNT), total, landed, quarantined, duplicates, filtered)


@given(ledgers(), ledgers())
def test_sum_of_two_that_add_up_adds_up(one, other):
    both = one + other
    assert both.adds_up
    assert both == other + one
    assert both.rows_in == one.rows_in + other.rows_in
    assert both.filtered_rows == one.filtered_rows + other.filtered_rows


@given(ledgers(), ledgers(), ledgers())
def test_order_of_adding_does_not_matter(a, b, c):
    assert (a + b) + c == a + (b + c)
    assert a + Ledger() == a


@given(ledgers(), st.sampled_from(["rows_in", "landed", "quarantined", "duplicates"]))
def test_one_row_too_many_is_found(ledger, count):
    wrong = replace(ledger, **{count: getattr(ledger, count) + 1})
    assert not wrong.adds_up
    with pytest.raises(LakeError, match=r"luft, delivery a.csv: the ledger does not add up"):
        require_balance("luft", Receipt("00", "a.csv", 1, "landed", wrong))


@given(ledgers())
def test_balance_is_let_through(ledger):
    require_balance("luft", Receipt("00", "a.csv", 1, "landed", ledger))
