"""GeoJSON features: cells by paths, positions from geometries."""

from __future__ import annotations

import json

import pytest

from lakehouse.errors import DeliveryRefused
from tests.unit.ingestion.lake import column

DELIVERY = {
    "protocol": "folder",
    "format": "geojson",
    "framing": "document",
    "time": {"columns": ["properties.at"], "zone": "UTC"},
    "device": {"column": "properties.id"},
}
COLUMNS = [column("free", "air_temperature", "Cel", delivered_as="properties.free")]
AT = "2026-10-19T10:00:00Z"
LINE = {"type": "LineString", "coordinates": [[18.0, 59.0], [18.2, 59.4], [18.1, 59.1]]}
POINT = {"type": "Point", "coordinates": [18.0632, 59.3346, 12.5]}
CENTRE = {"position": {"longitude": "@centre_lon", "latitude": "@centre_lat"}}


@pytest.fixture
def read(lake):
    def judged(content: str | bytes, **changes):
        contract = lake.source(columns=COLUMNS, delivery=DELIVERY | changes)
        return lake.judged(contract, lake.deliver("a.geojson", content))

    return judged


def collection(*geometries: object, **more: object) -> str:
    features = [
        {"type": "Feature", "properties": {"id": f"p{n}", "at": AT, "free": n}, "geometry": it}
        for n, it in enumerate(geometries)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features} | more)


def positions(rows) -> list[tuple[float | None, float | None]]:
    return [(row["longitude"], row["latitude"]) for row in rows]


def test_only_points_are_positions(read):
    broken = {"type": "Point", "coordinates": ["18", None]}
    rows = read(collection(POINT, LINE, None, broken, {"type": "Point"}))
    assert positions(rows) == [(18.0632, 59.3346)] + [(None, None)] * 4
    assert [row["value"] for row in rows] == [0, 1, 2, 3, 4]


def test_centre_of_the_bounds_when_the_contract_says_so(read):
    rows = read(collection(POINT, LINE, None), **CENTRE)
    assert positions(rows)[0] == (18.0632, 59.3346)
    assert positions(rows)[1] == pytest.approx((18.1, 59.2))
    assert positions(rows)[2] == (None, None)


@pytest.mark.parametrize(
    ("name", "is_degrees"),
    [
        ("urn:ogc:def:crs:OGC:1.3:CRS84", True),
        ("urn:ogc:def:crs:EPSG::4326", True),
        ("EPSG:4326", True),
        ("urn:ogc:def:crs:EPSG::25832", False),
        ("EPSG:3006", False),
        ("EPSG:43261", False),
    ],
)
def test_other_reference_systems_are_not_degrees(read, name, is_degrees):
    crs = {"type": "name", "properties": {"name": name}}
    (row,) = read(collection(POINT, crs=crs))
    assert (row["longitude"] is not None) == is_degrees


def test_coordinates_that_cannot_be_degrees(read):
    (row,) = read(collection({"type": "Point", "coordinates": [6580822.0, 674032.0]}))
    assert (row["longitude"], row["verdict"]) == (None, "sound")


def test_one_feature_a_line(read):
    features = json.loads(collection(POINT, LINE))["features"]
    rows = read("\n".join(json.dumps(one) for one in features), framing="lines")
    assert [(row["_row"], row["device"]) for row in rows] == [(1, "p0"), (2, "p1")]


@pytest.mark.parametrize("content", ['{"type": "FeatureCollection"}', '{"error": 1}', "[]"])
def test_document_without_features(read, content):
    (row,) = read(content)
    assert row["rule"] == "layout"


def test_error_page_is_refused(read):
    with pytest.raises(DeliveryRefused, match="a web page, not JSON"):
        read("<html><title>503</title></html>")


def test_real_park_and_ride_value_by_value(lake, real_data):
    file = real_data / "opendata" / "parking" / "freiburg_p_r_sensors.json"
    contract = lake.source(
        columns=[column("free", "air_temperature", "Cel", delivered_as="properties.obs_free")],
        delivery=DELIVERY | {
            "time": {"columns": ["properties.obs_ts"], "zone": "Europe/Berlin"},
            "device": {"column": "properties.park_id"},
        },
    )  # fmt: skip
    rows = lake.judged(contract, lake.deliver("a.json", file.read_bytes()))
    told = [
        (f["properties"]["park_id"], f["properties"]["obs_free"], *f["geometry"]["coordinates"])
        for f in json.loads(file.read_text())["features"]
    ]
    assert [(r["device"], r["value"], r["longitude"], r["latitude"]) for r in rows] == told
    # 12:34:03 of a Berlin summer.
    assert {str(row["t"]) for row in rows} == {"2025-05-05 10:34:03"}
    assert told[0][:2] == ("PR165", 72)


def test_real_coordinates_of_another_system_are_left_out(lake, real_data):
    file = real_data / "opendata" / "parking" / "freiburg.json"
    contract = lake.source(
        columns=[column("free", "air_temperature", "Cel", delivered_as="properties.obs_free")],
        delivery=DELIVERY | {
            "time": {"columns": ["properties.obs_ts"], "zone": "Europe/Berlin"},
            "device": {"column": "properties.park_id"},
        },
    )  # fmt: skip
    rows = lake.judged(contract, lake.deliver("a.json", file.read_bytes()))
    assert positions(rows) == [(None, None)] * 19
    told = [f["properties"]["obs_free"] for f in json.loads(file.read_text())["features"]]
    assert [row["cell"] for row in rows] == told
