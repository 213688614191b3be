"""Wall clocks laid against UTC."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.timeline import Stretch, partition_date, stretch_table, stretches

ZONES = ("Europe/Stockholm", "UTC", "America/New_York", "Etc/GMT+8")


def stretch_of(zone: str, local: datetime) -> Stretch:
    found = stretches(zone)
    return found[bisect_right([s.local_from for s in found], local) - 1]


def test_the_hour_that_does_not_exist():
    for minute in (0, 30, 59):
        assert stretch_of("Europe/Stockholm", datetime(2026, 3, 29, 2, minute)).earlier_s is None
    before = stretch_of("Europe/Stockholm", datetime(2026, 3, 29, 1, 59))
    after = stretch_of("Europe/Stockholm", datetime(2026, 3, 29, 3, 0))
    assert (before.earlier_s, before.later_s) == (3600, None)
    assert (after.earlier_s, after.later_s) == (7200, None)


def test_the_hour_that_exists_twice():
    for minute in (0, 30, 59):
        twice = stretch_of("Europe/Stockholm", datetime(2026, 10, 25, 2, minute))
        assert (twice.earlier_s, twice.later_s) == (7200, 3600)
    for hour in (1, 3):
        assert stretch_of("Europe/Stockholm", datetime(2026, 10, 25, hour)).later_s is None


@pytest.mark.parametrize("zone", ["UTC", "Etc/GMT+8"])
def test_zones_without_changes_have_one_stretch(zone):
    (only,) = stretches(zone)
    assert (only.earlier_s, only.later_s) == (0 if zone == "UTC" else -28_800, None)


@pytest.mark.parametrize("zone", ZONES)
def test_stretches_are_in_order(zone):
    starts = [s.local_from for s in stretches(zone)]
    assert all(before < after for before, after in pairwise(starts))
    assert starts[0].year == 1850


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=200)
@given(instant=st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1)))
def test_every_instant_has_a_wall_time_that_gives_it_back(zone, instant):
    instant = instant.replace(tzinfo=UTC)
    local = instant.astimezone(ZoneInfo(zone))
    found = stretch_of(zone, local.replace(tzinfo=None))
    offset = found.later_s if local.fold else found.earlier_s
    assert offset is not None
    assert local.replace(tzinfo=UTC) - timedelta(seconds=offset) == instant


def test_a_fold_that_is_forgotten_would_be_noticed():
    """The control: without `later_s` the second 02:30 comes back an hour early."""
    instant = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    local = instant.astimezone(ZoneInfo("Europe/Stockholm")).replace(tzinfo=UTC)
    found = stretch_of("Europe/Stockholm", local.replace(tzinfo=None))
    assert local - timedelta(seconds=found.earlier_s) == instant - timedelta(hours=1)


@settings(max_examples=200)
@given(local=st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1)))
def test_what_does_not_exist_does_not_come_back(local):
    zone = ZoneInfo("Europe/Stockholm")
    back = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    assert (stretch_of("Europe/Stockholm", local).earlier_s is None) == (back != local)


def test_table_says_the_same():
    table = stretch_table("Europe/Stockholm")
    assert table.num_rows == len(stretches("Europe/Stockholm"))
    rows = [Stretch(**row) for row in table.to_pylist()]
    assert tuple(rows) == stretches("Europe/Stockholm")


@pytest.mark.parametrize(
    ("day", "partition"),
    [
        (date(2026, 1, 1), date(2026, 1, 1)),
        (date(2026, 10, 25), date(2026, 10, 25)),
        (date(2025, 12, 31), date(2025, 1, 1)),
        (date(1859, 7, 4), date(1859, 1, 1)),
    ],
)
def test_partition_of_a_day(day, partition):
    assert partition_date(day, date(2026, 1, 1)) == partition
