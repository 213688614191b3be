from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sample_city.period import STEP, Period


@settings(max_examples=20)
@given(st.integers(1, 200))
def test_slots_have_no_gaps_and_fill_local_days(count):
    period = Period.of_days(count)
    assert all(after.start - before.start == STEP for before, after in pairwise(period.slots))
    quarters = Counter(str(slot.local.date()) for slot in period.slots)
    assert list(quarters) == [str(day) for day in period.days]
    # 2026-10-25 has 25 hours, 2027-03-28 has 23.
    expected = {"2026-10-25": 100, "2027-03-28": 92}
    assert all(quarters[day] == expected.get(day, 96) for day in quarters)
