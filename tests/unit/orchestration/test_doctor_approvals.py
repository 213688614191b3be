"""The doctor tells in time which decisions to share end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from lakehouse.contracts import load_contracts
from lakehouse.settings import PROJECT
from orchestration.doctor import _approvals
from tests.approval import MADE


@pytest.mark.parametrize(
    ("today", "words"),
    [
        (date(2027, 7, 21), None),
        (date(2027, 7, 22), "MF-2026-0412 holds until 2027-09-15"),
        (date(2027, 9, 15), "MF-2026-0412 holds until 2027-09-15"),
        (date(2027, 9, 16), "MF-2026-0412 ended on 2027-09-15: it is shared no more"),
    ],
)
def test_two_months_ahead(today, words):
    contracts = replace(
        load_contracts(PROJECT / "contracts"), approvals={"luftkvalitet_timme": (MADE,)}
    )
    found = [(one.subject, one.is_well, one.what) for one in _approvals(contracts, today)]
    expected = [("decision on luftkvalitet_timme", False, words)] if words else []
    assert found == expected
