"""Things of a contract: places in degrees or metres, moved or not, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml

from lakehouse.contracts import load_contracts, load_source
from lakehouse.contracts.districts import load_districts
from lakehouse.contracts.thing import periods
from lakehouse.errors import ContractError

TOGETHER = "expected easting, northing and crs together"
HERE = {"device": "m1", "name": "Mätare", "type": "elmätare"}


def test_an_entry_is_valid_until_the_next_one_begins(lake):
    things = [
        HERE | {"validFrom": "2026-05-01T10:00:00+02:00", "name": "third"},
        HERE | {"name": "first"},
        HERE | {"validFrom": "2026-03-29", "name": "second"},
        HERE | {"device": "m2", "name": "other"},
    ]
    found = [
        (thing.name, thing.valid_from, until)
        for thing, until in periods(lake.source(things=things).things)
    ]
    second, third = datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 5, 1, 8, tzinfo=UTC)
    assert found == [
        ("first", None, second),
        ("second", second, third),
        ("third", third, None),
        ("other", None, None),
    ]


@pytest.mark.parametrize(
    ("things", "expected"),
    [
        ([HERE, HERE], "'m1' stands twice with the same beginning"),
        ([HERE | {"easting": 1, "northing": 2}], "expected easting, northing and crs together"),
        (
            [HERE | {"easting": 1, "crs": "EPSG:3011"}],
            "expected easting, northing and crs together",
        ),
        (
            [HERE | {"easting": 1, "northing": 2, "crs": "EPSG:3011", "longitude": 18}],
            "expected easting, northing and crs together",
        ),
        (
            [HERE | {"easting": 6579354, "northing": 153905, "crs": "EPSG:3011"}],
            r"outside of where EPSG:3011 is used \(are they swapped",
        ),
        ([HERE | {"easting": 1, "northing": 2, "crs": "SWEREF"}], "'SWEREF' is no code such as"),
        ([HERE | {"validFrom": "2026-05-01T10:00:00"}], "a date, or a time with its offset"),
        ([HERE | {"validFrom": "soon"}], "validFrom"),
        ([HERE | {"publicPrecisionM": 0}], "publicPrecisionM"),
    ],
)
def test_what_is_refused(lake, things, expected):
    with pytest.raises(ContractError, match=expected):
        lake.source(things=things)


def test_exchanged_axes_are_found_where_the_city_is_known(lake):
    lake.write(things=[HERE | {"longitude": 59.3194, "latitude": 18.0685}])
    load_source(lake.settings.contracts / "sources" / "meters.yaml")  # it may stand elsewhere
    with pytest.raises(ContractError, match=r"things\[0\] \(m1\).*if they are exchanged"):
        load_contracts(lake.settings.contracts)


@pytest.mark.parametrize(
    ("position", "is_whole"),
    [
        ({"longitude": "x", "latitude": "y"}, True),
        ({"easting": "x", "northing": "y", "crs": "EPSG:3006"}, True),
        ({"longitude": "x"}, False),
        ({"easting": "x", "northing": "y"}, False),
        ({"longitude": "x", "latitude": "y", "crs": "EPSG:3006"}, False),
        ({"easting": "x", "northing": "y", "crs": "EPSG:1"}, False),
        ({}, False),
    ],
)
def test_positions_of_deliveries(lake, position, is_whole):
    delivery = {
        "protocol": "folder",
        "format": "csv",
        "time": {"columns": ["time"], "zone": "UTC"},
        "device": {"column": "meter"},
        "position": position,
    }
    if is_whole:
        assert lake.source(delivery=delivery).delivery.position.columns == ("x", "y")
    else:
        with pytest.raises(ContractError, match="position"):
            lake.source(delivery=delivery)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", "no GeoJSON of districts"),
        ("[", "no GeoJSON of districts"),
        ('{"features": []}', "not one district"),
        ('{"features": [{"properties": {"district_id": "a", "name": ""}}]}', "without district_id"),
        (
            '{"features": [{"properties": {"district_id": "a", "name": "A"}, "geometry":'
            ' {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}}]}',
            "not closed",
        ),
        (
            '{"features": [{"properties": {"district_id": "a", "name": "A"}, "geometry":'
            ' {"type": "Point", "coordinates": [0, 0]}}]}',
            "no GeoJSON of districts",
        ),
    ],
)
def test_broken_districts(tmp_path, text, expected):
    path = tmp_path / "vocabulary" / "districts.geojson"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ContractError, match=rf"districts\.geojson.*{expected}"):
        load_districts(tmp_path)


def test_channels_may_say_how_they_are_aggregated(lake):
    path = lake.write()
    document = yaml.safe_load(path.read_text("utf-8"))
    channel = document["schema"][0]["properties"][2]["customProperties"]
    channel += [
        {"property": "aggregation", "value": "time_weighted_mean"},
        {"property": "rollover", "value": 1000},
    ]
    path.write_text(yaml.safe_dump(document), "utf-8")
    (found,) = load_source(path).channels
    assert (found.aggregation, found.rollover) == ("time_weighted_mean", 1000)
    channel[-2]["value"] = "average"
    path.write_text(yaml.safe_dump(document), "utf-8")
    with pytest.raises(ContractError, match=r"aggregation.*expected one of mean, time_weighted"):
        load_source(path)
