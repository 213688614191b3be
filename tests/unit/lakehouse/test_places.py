"""Places: metres of a declared system, degrees, and what is no place in it."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest

from lakehouse import places
from lakehouse.duck import connect

CITY = (18.0686, 59.3293)
"""Longitude, latitude of a point in the middle of the city."""


@pytest.mark.parametrize(
    ("crs", "easting", "northing"),
    [("EPSG:3011", 153905.093, 6579354.448), ("EPSG:3006", 674571.87, 6580743.01)],
)
def test_metres_become_degrees(crs, easting, northing):
    found = places.degrees(crs, easting, northing)
    assert found == pytest.approx(CITY, abs=2e-7)


def test_swapped_axes_are_no_place():
    with pytest.raises(ValueError, match=r"outside of where EPSG:3011 is used \(are they swapped"):
        places.degrees("EPSG:3011", 6579354.448, 153905.093)


@pytest.mark.parametrize("code", ["3011", "EPSG:1", "EPSG:99999", "SWEREF 99 18 00", "EPSG:3011 "])
def test_unknown_systems(code):
    with pytest.raises(ValueError, match=f"'{code}' is no"):
        places.require_crs(code)


def test_many_places_at_once_with_some_that_are_none():
    with connect(extensions=()) as connection:
        places.show(connection, "EPSG:3011")
        rows = connection.execute(
            """select wgs84_of(x, y) from (values
                (153905.093, 6579354.448), (null, 6579354.448), (6579354.448, 153905.093),
                ('inf'::double, 1.0)) t(x, y)"""
        ).fetchall()
    first, *rest = [row[0] for row in rows]
    assert (first["lon"], first["lat"]) == pytest.approx(CITY, abs=2e-7)
    assert rest == [{"lon": None, "lat": None}] * 3


def test_a_cursor_knows_the_function_too():
    """Odd lines are looked up on a connection beside the first."""
    with connect(extensions=()) as connection:
        places.show(connection, "EPSG:3006")
        with connection.cursor() as beside:
            ((found,),) = beside.execute("select wgs84_of(674571.87, 6580743.01).lon").fetchall()
    assert found == pytest.approx(CITY[0], abs=2e-7)


def test_what_was_told_in_degrees_comes_back_to_the_centimetre():
    rng = np.random.default_rng(20261126)
    longitude, latitude = rng.uniform(17.1, 19.6, 10_000), rng.uniform(58.7, 60.7, 10_000)
    there = pyproj.Transformer.from_crs(4326, 3011, always_xy=True).transform(longitude, latitude)
    back = places.transformed("EPSG:3011", *there)
    np.testing.assert_allclose(back, (longitude, latitude), rtol=0, atol=10**-places.DECIMALS)
