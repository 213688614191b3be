"""What the streets tell, through the lake: quarters, positions, lamps, and the sun over them."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import jinja2
import pytest

from lakehouse.duck import connect
from lakehouse.settings import PROJECT
from sample_city.chance import seeded
from tests.flow import Lake, reading

TRAFFIC, LIONS, LAMPS, PORTAL = (
    "trafik_floden", "drottninggatan_lejon", "belysning", "dataportal_loggar",
)  # fmt: skip
RADAR = "urn:ngsi-ld:TrafficFlowObserved:Stockholm:SVEA-N1"
LION, LAMP = "70B3D57ED006A101", "streetlight:stockholm:GOT-012"
TABLES = (
    "silver.position", "gold.trafikflode_kvart", "gold.gatubelysning_dygn",
    "gold.portal_anvandning_dygn", "gold.lejonens_plats", "gold.gatubelysning_lage",
)  # fmt: skip
BUILD = ("--select", *(f"+{table.split('.')[1]}" for table in TABLES))
QUARTER = timedelta(minutes=15)


def counted(when: datetime, vehicles: float, length: timedelta = QUARTER) -> dict[str, object]:
    return reading(RADAR, "intensity", when, vehicles, phenomenon_time_end=when + length)


@pytest.mark.slow
def test_days_in_stockholm_have_92_96_or_100_quarters(lake):
    """The night in which clocks go back, and that in which they go forward."""
    spans = (datetime(2026, 10, 23, 22, tzinfo=UTC), 97 * 3), (
        datetime(2027, 3, 26, 23, tzinfo=UTC), 96 * 3,
    )  # fmt: skip
    lake.land(TRAFFIC, [counted(start + n * QUARTER, 1) for start, count in spans
                        for n in range(count)])  # fmt: skip
    lake.build("--select", "+trafikflode_kvart")
    rows = lake.rows("gold.trafikflode_kvart", "quarter_start, quarter_start_local")
    days = Counter(local[:10] for _, local in rows)
    assert {day: days[day] for day in ("2026-10-24", "2026-10-25", "2027-03-27", "2027-03-28")} == {
        "2026-10-24": 96, "2026-10-25": 100, "2027-03-27": 96, "2027-03-28": 92,
    }  # fmt: skip
    assert len({local for _, local in rows}) == len(rows)


def _news(rng: random.Random) -> dict[str, list[dict[str, object]]]:
    """Some rows of each source, around New Year and go-live; times of other calls come again."""
    start = datetime(2025, 12, 30, 12, tzinfo=UTC)

    def some(step: timedelta, count: int) -> list[datetime]:
        every = timedelta(days=5) // step
        return [start + rng.randrange(every) * step for _ in range(count)]

    traffic = []
    for when in some(timedelta(minutes=5), 60):
        length = rng.choice((5, 10, 15, 60)) * timedelta(minutes=1)
        traffic.append(counted(when, rng.randrange(9), length))
        traffic.append(reading(RADAR, "averageVehicleSpeed", when, rng.randrange(20, 60),
                               phenomenon_time_end=when + length))  # fmt: skip
    lion = [
        reading(LION, "battery", when, 3.5, longitude=18.06512 + rng.choice((0, 0, 0.001)),
                latitude=rng.choice((59.32968, 59.32968, None)))
        for when in some(timedelta(hours=2), 20)
    ]  # fmt: skip
    lamp = [
        reading(LAMP, "powerState", when, None, text=rng.choice(("on", "off")))
        for when in some(timedelta(hours=1), 15)
    ] + [
        reading(LAMP, "status", when, None, text=rng.choice(("ok", "ok", "defectiveLamp")))
        for when in some(timedelta(hours=6), 5)
    ]
    portal = [
        reading("badplatser", "views", when, rng.randrange(9),
                phenomenon_time_end=when + timedelta(days=1))
        for when in (datetime(2025, 12, 29 + n, 23, tzinfo=UTC) for n in rng.sample(range(3), 2))
    ]  # fmt: skip
    return {TRAFFIC: traffic, LIONS: lion, LAMPS: lamp, PORTAL: portal}


def _unique(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return list({(row["channel"], row["phenomenon_time"]): row for row in rows}.values())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_any_deliveries_give_the_rows_of_a_full_refresh(lake: Lake, seed):
    """Late and corrected rows, before and after go-live, in builds of their own."""
    rng = seeded(seed, "streets")
    for _ in range(3):
        for source_id, rows in _news(rng).items():
            if rng.random() < 0.8:
                lake.land(source_id, _unique(rows))
        lake.build(*BUILD)
    built = {table: lake.rows(table) for table in TABLES}
    assert all(built.values())
    nothing_new = lake.versions()
    lake.build(*BUILD)
    assert lake.versions() == nothing_new
    lake.build(*BUILD, "--full-refresh")
    for table in TABLES:
        assert built[table] == lake.rows(table), table


@pytest.mark.slow
def test_positions_leave_the_lake_with_the_source_that_may_not_share_them(lake: Lake):
    when = datetime(2026, 1, 2, tzinfo=UTC)
    lake.land(LIONS, [reading(LION, "battery", when, 3.5, longitude=18.06512, latitude=59.32968)])
    lake.build("--select", "+position")
    assert lake.rows("silver.position", "thing_id") == [(f"{LIONS}/{LION}",)]
    lake.edit_contract(LIONS, "value: {k: 1, r: 3", "value: {k: 2, r: 3")
    lake.write_reference()
    lake.build("--select", "+position")
    assert lake.rows("silver.position") == []


# --- the sun -------------------------------------------------------------------------------


def sun_by_meeus(when: datetime, longitude: float, latitude: float) -> float:
    """The sun's height by another road: longer series, the equation of time, hour angles.

    Source: Meeus, "Astronomical Algorithms", as NOAA's solar calculator writes it.
    """
    t = (when.timestamp() / 86_400 + 2_440_587.5 - 2_451_545) / 36_525
    mean = 280.46646 + t * (36_000.76983 + t * 0.0003032)
    anomaly = math.radians(357.52911 + t * (35_999.05029 - 0.0001537 * t))
    eccentricity = 0.016708634 - t * (0.000042037 + 0.0000001267 * t)
    centre = (
        math.sin(anomaly) * (1.914602 - t * (0.004817 + 0.000014 * t))
        + math.sin(2 * anomaly) * (0.019993 - 0.000101 * t)
        + math.sin(3 * anomaly) * 0.000289
    )
    node = math.radians(125.04 - 1934.136 * t)
    apparent = math.radians(mean + centre - 0.00569 - 0.00478 * math.sin(node))
    tilt = math.radians(23.4392911 - 0.0130042 * t + 0.00256 * math.cos(node))
    declination = math.asin(math.sin(tilt) * math.sin(apparent))
    y, twice = math.tan(tilt / 2) ** 2, 2 * math.radians(mean)
    minutes = 4 * math.degrees(
        y * math.sin(twice)
        - 2 * eccentricity * math.sin(anomaly)
        + 4 * eccentricity * y * math.sin(anomaly) * math.cos(twice)
        - 0.5 * y * y * math.sin(2 * twice)
        - 1.25 * eccentricity**2 * math.sin(2 * anomaly)
    )
    clock = when.hour * 60 + when.minute + when.second / 60
    angle = math.radians((clock + minutes + 4 * longitude) / 4 - 180)
    place = math.radians(latitude)
    return math.degrees(
        math.asin(
            math.sin(place) * math.sin(declination)
            + math.cos(place) * math.cos(declination) * math.cos(angle)
        )
    )


def test_the_sun_stands_where_another_computation_has_it():
    """To a fiftieth of a degree, over the city and a century; the macro is dbt's own text."""
    rng = seeded(5, "sun")
    start, span = datetime(1960, 1, 1, tzinfo=UTC), timedelta(days=85 * 365)
    cases = [
        (start + timedelta(seconds=rng.randrange(int(span.total_seconds()))),
         rng.uniform(17.7, 18.2), rng.uniform(59.2, 59.5))
        for _ in range(500)
    ]  # fmt: skip
    macros = "".join(
        (PROJECT / "dbt" / "macros" / name).read_text("utf-8") for name in ("sun.sql", "time.sql")
    )
    macros = re.sub(r"adapter\.dispatch\('(\w+)', 'sjostad'\)", r"duckdb__\1", macros)
    with connect() as connection:
        connection.execute(
            "create table cases (instant timestamptz, longitude double, latitude double)"
        )
        connection.executemany("insert into cases values (?, ?, ?)", cases)
        query = jinja2.Template(
            macros + "select instant, longitude, latitude, sun_deg from ({{ with_sun('cases') }})"
        ).render()
        rows = connection.execute(query).fetchall()
    assert len(rows) == len(cases)
    for instant, longitude, latitude, height in rows:
        expected = sun_by_meeus(instant.astimezone(UTC), longitude, latitude)
        assert height == pytest.approx(expected, abs=0.02)
