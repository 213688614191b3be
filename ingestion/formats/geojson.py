"""GeoJSON features: the cells by paths, the position from the geometry.

A feature is a record unless `delivery.records` says otherwise. A Point gives the position; of
any other geometry the contract may take the centre of its bounds, as `@centre_lon` and
`@centre_lat`, else there is none. Coordinates of a file that names another reference system than
WGS 84 are not taken for degrees.

Source: RFC 7946 (GeoJSON); the member `crs` is of its 2008 forerunner and still written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.formats import json_paths
from ingestion.reading import cells, paths
from ingestion.reading.offered import Reading
from ingestion.reading.paths import Json
from lakehouse.contracts import SourceContract
from lakehouse.contracts.delivery import PositionRule

_DERIVED: Final = ("@lon", "@lat", "@centre_lon", "@centre_lat")
_DEGREES: Final = re.compile(r"CRS:?:?84|EPSG:.*\b4326\b", re.IGNORECASE)


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read GeoJSON documents, or one feature a line.

    Raises:
        ContractError: A path of the contract is none.
        DeliveryRefused: A file is a web page or XML.
    """
    delivery = contract.delivery
    if delivery.position is None:
        position = PositionRule(longitude="@lon", latitude="@lat")
        contract = replace(contract, delivery=delivery.model_copy(update={"position": position}))
    where = delivery.records or ("$" if delivery.framing == "lines" else "$.features[*]")
    rows = json_paths.records(members, contract, where, _position, _DERIVED)
    return cells.reading(connection, members, contract, rows)


def _position(found: paths.Match) -> dict[str, str | None]:
    """The position of a feature, by the names that contracts may use."""
    nothing: dict[str, str | None] = dict.fromkeys(_DERIVED)
    geometry = found.record.get("geometry") if isinstance(found.record, dict) else None
    if not isinstance(geometry, dict) or not _is_in_degrees(found.anchors[0]):
        return nothing
    coordinates = geometry.get("coordinates")
    points = [
        (float(lon), float(lat), lon, lat)
        for lon, lat in _points(coordinates)
        if abs(float(lon)) <= 180 and abs(float(lat)) <= 90
    ]
    if not points:
        return nothing
    west, east = min(point[0] for point in points), max(point[0] for point in points)
    south, north = min(point[1] for point in points), max(point[1] for point in points)
    lon, lat = (points[0][2], points[0][3]) if geometry.get("type") == "Point" else (None, None)
    centre = ((west + east) / 2, (south + north) / 2)
    return {
        "@lon": lon,
        "@lat": lat,
        "@centre_lon": lon or repr(centre[0]),
        "@centre_lat": lat or repr(centre[1]),
    }


def _points(coordinates: Json) -> Iterator[tuple[str, str]]:
    """Every position in the coordinates of a geometry, whatever its type."""
    left = [coordinates]
    while left:
        node = left.pop()
        if not isinstance(node, list):
            continue
        match node:
            case [json_paths.Number() as lon, json_paths.Number() as lat, *_]:
                yield lon, lat
            case _:
                left += node


def _is_in_degrees(document: Json) -> bool:
    """Whether a document's coordinates are longitude and latitude in WGS 84."""
    told = document.get("crs") if isinstance(document, dict) else None
    if not isinstance(told, dict):
        return True
    properties = told.get("properties")
    name = properties.get("name") if isinstance(properties, dict) else None
    return isinstance(name, str) and _DEGREES.search(name) is not None
