"""A year held against its limit value, from readings to the verdict on its last day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.flow import AIR, reading

pytestmark = pytest.mark.slow

LAST = datetime(2025, 12, 31, 22, tzinfo=UTC)
QUARTERS = (timedelta(minutes=0), timedelta(minutes=15), timedelta(minutes=30))


@pytest.mark.parametrize(("days", "verdicts"), [(312, (1, 1, 0)), (250, (None, None, None))])
def test_a_year_is_judged_on_its_last_day_if_enough_of_it_is_known(lake, days, verdicts):
    """85 days of a hundred: 310 of 365. Three readings an hour are enough for its mean."""
    hours = [LAST - timedelta(hours=number) for number in range(24 * days)]
    lake.land(
        AIR,
        [
            reading("HORN-04", channel, hour + quarter, value)
            for hour in hours
            for quarter in QUARTERS
            for channel, value in (("pm10", 40.6), ("pm2_5", 24.9))
        ],
    )
    lake.build("--select", "+luftkvalitet_overskridanden")
    found = {
        limit: told
        for station, limit, day, *told in lake.rows(
            "gold.luftkvalitet_overskridanden",
            "station_id, limit_id, local_date::varchar, exceedances, is_over_allowance",
        )
        if station == f"{AIR}/HORN-04" and day == "2025-12-31"
    }
    limits = ("mkn_pm10_year", "eu2030_pm2_5_year", "mkn_pm2_5_year")
    assert tuple(found[limit][0] for limit in limits) == verdicts
    assert found["mkn_pm10_year"][1] is (None if verdicts[0] is None else True)
