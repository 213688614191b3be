"""The chart of a dataset's page."""

from hypothesis import given
from hypothesis import strategies as st

from publishing.making.release import release
from publishing.portal.charts import _scale, chart
from tests.unit.publishing.lake import PRODUCT, air_rows

VALUES = st.floats(-1e9, 1e9).map(lambda value: round(value, 3))


@given(VALUES, VALUES)
def test_the_scale_holds_every_value(one, other):
    low, high = min(one, other), max(one, other)
    bottom, step = _scale(low, high)
    slack = 1e-9 * max(abs(low), abs(high), 1)
    assert step > 0
    assert bottom <= low + slack
    assert bottom + 4 * step >= high - slack


def test_a_day_without_values_is_a_gap(settings, contracts, write_gold, audit):
    rows = [row for row in air_rows(5 * 48) if row["hour_start"].day != 3]
    audit(write_gold(rows), len(rows))
    drawn = chart(release(settings, contracts, PRODUCT))
    assert drawn is not None
    assert drawn.column.name == "pm10_ug_m3"
    assert (drawn.path.count("M"), drawn.path.count("L")) == (2, 2)
    assert (drawn.first.day, drawn.last.day) == (1, 5)
    assert drawn.ticks[0].text == "0"


def test_nothing_is_drawn_for_a_single_day_or_no_values(settings, contracts, write_gold, audit):
    audit(write_gold(air_rows(10)), 10)
    assert chart(release(settings, contracts, PRODUCT)) is None
    audit(write_gold([]), 0)
    assert chart(release(settings, contracts, PRODUCT)) is None
