"""Indoor climate with the weather that was known at the hour, and never a later one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lakehouse.duck import connect, delta_scan
from tests.flow import Lake, reading

pytestmark = pytest.mark.slow

SCHOOLS, WEATHER = "sisab_inomhus", "smhi_vader"
TABLE = "gold.inomhusklimat_timme"
MODEL = ("--select", "+inomhusklimat_timme")
BEGAN = datetime(2026, 3, 1, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)


def room(hour: int) -> dict[str, object]:
    return reading("Vasa Real", "rumstemperatur", BEGAN + hour * HOUR, 20 + hour / 10)


def air(hour: int, value: float, published: float | None, **more: object) -> dict[str, object]:
    """A value of an hour, published so many hours after the beginning."""
    said = None if published is None else BEGAN + published * HOUR
    when = BEGAN + hour * HOUR
    return reading("98230", "air_temperature", when, value, result_time=said, **more)


def known(lake: Lake) -> list[tuple[float | None, float | None]]:
    """Outdoor temperature and its age of each hour."""
    rows = lake.rows(TABLE, "hour_start, outdoor_temperature_c, outdoor_temperature_age_min")
    return [row[1:] for row in rows]


def require_same_as_full_refresh(lake: Lake) -> None:
    rows = lake.rows(TABLE)
    lake.build(*MODEL, "--full-refresh")
    assert lake.rows(TABLE) == rows


@pytest.fixture
def school(lake: Lake) -> Lake:
    """Eight hours of a room over midnight, and the first two of the weather."""
    lake.land(SCHOOLS, [room(hour) for hour in range(8)])
    lake.land(WEATHER, [air(0, 1.0, 0.1), air(1, 2.0, 1.1)])
    lake.build(*MODEL)
    return lake


def test_weather_stands_for_three_hours_and_then_is_empty(school):
    assert known(school) == [
        (None, None), (1.0, 60), (2.0, 60), (2.0, 120), (2.0, 180), (None, None), (None, None),
        (None, None),
    ]  # fmt: skip


def test_late_weather_builds_the_hours_it_was_known_in_and_no_other(school):
    """Published at 3:30 for 2:00; the value of 23:00 is known across midnight, too."""
    before = school.versions()
    school.land(WEATHER, [air(2, 3.0, 3.5), air(3, 4.0, 3.6)])
    school.build(*MODEL)
    assert known(school)[2:] == [
        (2.0, 60), (2.0, 120), (4.0, 60), (4.0, 120), (4.0, 180), (None, None),
    ]  # fmt: skip
    assert school.written_since(TABLE, before[TABLE]) == {"2026-03-02"}
    require_same_as_full_refresh(school)


def test_a_join_by_time_alone_would_have_looked_into_the_future(school):
    """The control: the newest value measured until the hour, whenever it was published."""
    school.land(WEATHER, [air(2, 3.0, 3.5)])
    school.build(*MODEL)
    assert known(school)[2:4] == [(2.0, 60), (2.0, 120)]
    with connect() as connection:
        naive = connection.execute(
            f"""select o.result from {delta_scan(school.address(TABLE))} t
            asof join (from {delta_scan(school.address("silver.observation"))}
                where datastream_id = 'smhi_vader/98230/air_temperature') o
                on t.hour_start >= o.phenomenon_time
            order by t.hour_start"""
        ).fetchall()
    assert naive[2][0] == 3.0


def test_a_correction_counts_from_when_it_was_published(school):
    """Silver has the corrected value only; the hour keeps what it knew."""
    school.land(WEATHER, [air(1, 9.0, 3.5)])
    school.build(*MODEL)
    assert known(school)[1:6] == [(1.0, 60), (2.0, 60), (2.0, 120), (9.0, 180), (None, None)]
    rows = school.rows("silver.observation", "source_id, phenomenon_time, result")
    assert (WEATHER, BEGAN + HOUR, 9.0) in rows
    assert (WEATHER, BEGAN + HOUR, 2.0) not in rows
    require_same_as_full_refresh(school)


def test_an_older_revision_that_comes_last_is_history_and_not_news(school):
    """It changes nothing in silver, but what was known before the newer one."""
    school.land(WEATHER, [air(2, 5.0, 3.5)])
    school.build(*MODEL)
    school.land(WEATHER, [air(2, 4.0, 2.5)])
    school.build(*MODEL)
    assert known(school)[2:5] == [(2.0, 60), (4.0, 60), (5.0, 120)]
    require_same_as_full_refresh(school)


def test_a_bad_value_is_not_known_and_one_without_a_time_of_publication_is_at_once(school):
    school.land(WEATHER, [air(2, 77.0, 2.1, quality="bad"), air(3, 6.0, None)])
    school.build(*MODEL)
    assert known(school)[2:5] == [(2.0, 60), (6.0, 0), (6.0, 60)]


def test_another_station_in_the_contract_is_another_weather(school):
    station = "{weather_station: smhi_vader/98230}}\n      - {device: Äppel"
    other = station.replace("98230", "97200")
    school.land(WEATHER, [reading("97200", "air_temperature", BEGAN + HOUR, -4.0)])
    school.edit_contract(SCHOOLS, station, other)
    school.write_reference()
    school.build(*MODEL)
    assert known(school)[1:3] == [(-4.0, 0), (-4.0, 60)]
    require_same_as_full_refresh(school)
