"""What is usual: few false alarms on clean days, and scales that fit what they measure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from quality.audit.profile import Day, Figures
from quality.audit.usual import FAR, OUTSIDE, is_late, kind_of, score, unusual
from tests.unit.quality.seasons import PRODUCTS, season

FIRST = date(2024, 1, 1)
NEWEST = datetime(2024, 1, 1, 23, tzinfo=UTC)


def judged(days: dict[date, Day]) -> list[tuple[date, list[str]]]:
    """What each day is told of, held against those before it."""
    return [(day, [found.severity for found in unusual([one], days)]) for day, one in days.items()]


@pytest.mark.parametrize("product", PRODUCTS)
def test_at_most_one_clean_day_in_a_hundred_is_told_of(product):
    """Two years of each product, with winters, holidays and July; no day of them is wrong."""
    told = [one for seed in (7, 8) for one in judged(season(product, FIRST, 730, seed))]
    alarms = [one for one in told if one[1]]
    assert len(told) == 1460
    assert len(alarms) / len(told) <= 0.01, alarms
    assert sum("critical" in severities for _, severities in alarms) / len(told) <= 0.003


def test_holidays_are_no_weekdays():
    kinds = {kind_of(day) for day in (date(2026, 1, 6), date(2026, 6, 19), date(2026, 12, 24))}
    assert kinds == {"sunday"}, "Epiphany, Midsummer's Eve, Christmas Eve"
    assert kind_of(date(2026, 11, 25)) == "weekday"
    assert kind_of(date(2026, 11, 28)) == "saturday"
    assert kind_of(date(2026, 11, 29)) == "sunday"


def test_too_few_days_say_nothing():
    days = season("air", FIRST, 10, 1)
    wrong = replace(days[FIRST + timedelta(days=9)], rows=1)
    assert unusual([wrong], dict(list(days.items())[:9])) == []


def test_constant_series_do_not_alarm_on_rounding():
    assert score(18.0500001, [18.05] * 40, 0.05 * 18.05) < 0.1
    assert score(0.0, [0.0] * 40, 0.0) == 0


def test_one_error_in_the_history_hides_no_other():
    usual = [10.0, 11, 9, 10, 12, 10, 9, 11, 10, 10, 11]
    assert score(10_000, usual, 0.5) > FAR
    assert score(10_000, [*usual, 10_000], 0.5) > FAR
    assert score(12.5, [*usual, 10_000], 0.5) < OUTSIDE


def test_one_hour_unlike_the_others_of_a_constant_series_stops_nothing():
    """It may have come late: a station that told 10 all along tells 40 once."""
    days = {
        FIRST + timedelta(days=number): Day(
            FIRST + timedelta(days=number), 24, NEWEST,
            {"pm10": Figures(0.0, 10.0, 10.0, 10.0)},
        )
        for number in range(60)
    }  # fmt: skip
    last = days[FIRST + timedelta(days=59)]
    for mean, least, most in ((11.25, 10.0, 40.0), (9.8, 5.0, 10.0)):
        late = replace(last, columns={"pm10": Figures(0.0, mean, least, most)})
        assert unusual([late], days) == []
    wrong = replace(last, columns={"pm10": Figures(0.0, 10_000.0, 10_000.0, 10_000.0)})
    assert [found.severity for found in unusual([wrong], days)] == ["critical"]


def test_half_of_the_rows_of_a_steady_product_is_far_outside():
    days = season("air", FIRST, 60, 3)
    last = days[FIRST + timedelta(days=59)]
    (found,) = unusual([replace(last, rows=last.rows // 2)], days)
    assert (found.column, found.severity) == (None, "critical")


def test_an_exception_is_not_judged_and_is_no_history():
    days = season("air", FIRST, 60, 3)
    day = FIRST + timedelta(days=59)
    assert unusual([replace(days[day], rows=1)], days, exceptions={day}) == []
    empty = {one: replace(past, rows=3) for one, past in days.items() if one < day}
    assert unusual([replace(days[day], rows=3)], {**days, **empty}, exceptions=set(empty)) == []


def test_a_copy_of_another_day_is_found_unless_days_are_alike_anyway():
    days = season("air", FIRST, 60, 3)
    day, before = FIRST + timedelta(days=59), FIRST + timedelta(days=58)
    copy = replace(days[before], day=day)
    assert [found.told for found in unusual([copy], days)] == [f"the same values as {before}"]
    alike = {one: replace(days[before], day=one) for one in days}
    assert unusual([alike[day]], alike) == []


@pytest.mark.parametrize(
    ("hours", "usual", "late"),
    [(6, [6.0] * 20, False), (8, [6.0] * 20, False), (30, [6.0] * 20, True),
     (30, [6.0] * 5, False), (30, [6.0, 28.0] * 10, False)],
)  # fmt: skip
def test_a_product_is_late_by_its_own_measure(hours, usual, late):
    assert is_late(hours * 3600, [one * 3600 for one in usual]) is late
