"""Where things are and were: both coordinate systems, districts, history and public precision."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pyproj
import pytest
import shapely
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from lakehouse.contracts import load_contracts
from lakehouse.contracts.districts import bounds
from lakehouse.duck import connect
from lakehouse.reference import reference_tables
from lakehouse.settings import PROJECT
from tests.flow import AIR, LAMPS, METERS, Lake, reading

DISTRICTS = load_contracts(PROJECT / "contracts").vocabulary.districts
TO_SWEREF = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3011", always_xy=True)
WHEN = datetime(2026, 5, 1, 9, tzinfo=UTC)


def declare(lake: Lake, source_id: str, *things: dict[str, object]) -> None:
    """Add things to a contract, as its owner would."""
    (path,) = (lake.settings.contracts / "sources").rglob(f"{source_id}.yaml")
    document = yaml.safe_load(path.read_text("utf-8"))
    (listed,) = (one for one in document["customProperties"] if one["property"] == "things")
    listed["value"] += [{"name": one["device"], "type": "prov"} | one for one in things]
    path.write_text(yaml.safe_dump(document), "utf-8")
    lake.write_reference()


def build(lake: Lake) -> None:
    lake.build("--select", "+location", "+thing")


def locations(lake: Lake, device: str) -> list[tuple]:
    columns = "valid_from, valid_to, longitude, latitude, district, position_status, origin"
    rows = lake.rows("silver.location", f"{columns}, thing_id")
    return [row[:-1] for row in rows if row[-1].endswith(f"/{device}")]


def test_both_systems_are_those_of_proj(lake):
    """Over the whole area of SWEREF 99 18 00: to the centimetre that is written."""
    rng = np.random.default_rng(3011)
    places = np.round(
        np.column_stack([rng.uniform(17, 19.7, 300), rng.uniform(58.6, 60.8, 300)]), 6
    )
    declare(
        lake,
        LAMPS,
        *(
            {"device": f"p{number}", "longitude": float(x), "latitude": float(y)}
            for number, (x, y) in enumerate(places)
        ),
    )
    build(lake)
    rows = lake.rows("silver.location", "longitude, latitude, easting_m, northing_m")
    assert len(rows) > 300
    for longitude, latitude, easting, northing in rows:
        expected = TO_SWEREF.transform(longitude, latitude)
        assert (easting, northing) == pytest.approx(expected, abs=0.0051)


def test_a_place_told_in_metres_is_the_place_told_in_degrees(lake):
    easting, northing = (round(one, 2) for one in TO_SWEREF.transform(18.06852, 59.31943))
    declare(
        lake,
        LAMPS,
        {"device": "degrees", "longitude": 18.06852, "latitude": 59.31943},
        {"device": "metres", "easting": easting, "northing": northing, "crs": "EPSG:3011"},
    )
    build(lake)
    assert locations(lake, "metres") == locations(lake, "degrees")
    (row,) = locations(lake, "metres")
    assert row == (None, None, 18.06852, 59.31943, "Södermalm", "in_district", "contract")


def test_what_was_true_when_is_kept(lake):
    """A station that is moved on 1 May: both places, and the gold rows of each time have theirs."""
    old, new = (
        {"longitude": 18.06852, "latitude": 59.31943},
        {"longitude": 18.05873, "latitude": 59.34106},
    )
    declare(
        lake, AIR, {"device": "MOVED", **old}, {"device": "MOVED", "validFrom": "2026-05-01", **new}
    )
    moved = datetime(2026, 4, 30, 22, tzinfo=UTC)  # midnight in Stockholm
    hours = [moved.replace(hour=21), moved, moved.replace(hour=23)]
    lake.land(AIR, [reading("MOVED", "pm10", hour, 5) for hour in hours])
    lake.build("--select", "+luftkvalitet_timme")
    assert [(row[0], row[1], row[4]) for row in sorted(locations(lake, "MOVED"), key=str)] == [
        (None, moved, "Södermalm"),
        (moved, None, "Norrmalm"),
    ]
    found = lake.rows("gold.luftkvalitet_timme", "hour_start, longitude, station_id")
    assert [row[:2] for row in found if row[2].endswith("/MOVED")] == [
        (hours[0], 18.06852), (hours[1], 18.05873), (hours[2], 18.05873)
    ]  # fmt: skip
    ((district,),) = {
        row[:1] for row in lake.rows("silver.thing", "district, device") if row[1] == "MOVED"
    }
    assert district == "Norrmalm"


def test_a_device_s_own_position_counts_where_none_is_declared(lake):
    places = {"drifting": (59.33, 18.07), "abroad": (10.0, 55.0), "between": (18.0, 59.36)}
    lake.land(
        METERS,
        [
            reading(name, "effekt_w", WHEN, 1, longitude=x, latitude=y)
            for name, (x, y) in places.items()
        ],
    )
    build(lake)
    found = {name: locations(lake, name)[0][-2:] for name in places}
    assert found == {
        "drifting": ("axes_swapped", "delivery"),
        "abroad": ("outside", "delivery"),
        "between": ("in_city", "delivery"),
    }


def test_open_data_tell_a_place_only_to_its_precision(lake):
    declare(
        lake,
        LAMPS,
        {"device": "home", "longitude": 18.06852, "latitude": 59.31943, "publicPrecisionM": 500},
        {"device": "next", "longitude": 18.06853, "latitude": 59.31944, "publicPrecisionM": 500},
        {"device": "exact", "longitude": 18.06852, "latitude": 59.31943},
    )
    build(lake)
    rows = lake.rows("silver.location", "thing_id, public_longitude, public_latitude")
    told = {name.rpartition("/")[2]: place for name, *place in rows}
    assert told["exact"] == [18.06852, 59.31943]
    assert told["home"] == told["next"]
    east, north = (np.array(told["home"]) - (18.06852, 59.31943)) * (56_800, 111_320)
    assert 0 < math.hypot(east, north) <= 500 / math.sqrt(2) + 2


# --- districts ---------------------------------------------------------------------------------

WEST, SOUTH, EAST, NORTH = bounds(DISTRICTS)
POLYGONS = {
    district.name: shapely.Polygon([edge[:2] for edge in district.edges]) for district in DISTRICTS
}


@settings(max_examples=4, derandomize=True)
@given(
    places=st.lists(
        st.tuples(st.floats(WEST, EAST), st.floats(SOUTH, NORTH)), min_size=200, max_size=300
    )
)
def test_a_place_lies_in_the_district_that_another_library_finds(places):
    source = (PROJECT / "dbt" / "macros" / "place.sql").read_text("utf-8")
    module = Environment().from_string(source, {"source": lambda *_: "edges"}).module  # noqa: S701
    with connect(extensions=()) as connection:
        edges = reference_tables(load_contracts(PROJECT / "contracts"))["district_edges"]
        connection.register("edges", edges)
        connection.execute(
            """create table places as select unnest($x) as longitude, unnest($y) as latitude,
                unnest(range(len($x))) as place_id""",
            {"x": [x for x, _ in places], "y": [y for _, y in places]},
        )
        found = dict(connection.execute(module.districts_of("places")).fetchall())
    for number, (x, y) in enumerate(places):
        inside = [name for name, area in POLYGONS.items() if area.contains(shapely.Point(x, y))]
        assert [found[number]] == inside if number in found else inside == []
