"""Districts as polygons: `vocabulary/districts.geojson`.

Source: RFC 7946 (GeoJSON), sections 3.1.6 and 3.1.7; coordinates are longitude and latitude.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from lakehouse.errors import ContractError, Problem
from lakehouse.settings import PROJECT

Edge = tuple[float, float, float, float]
"""From longitude and latitude to longitude and latitude, degrees."""

_NAME = "districts.geojson"


@dataclass(frozen=True, slots=True)
class District:
    """A part of the city.

    Attributes:
        id: Its key.
        name: Its name.
        edges: The edges of all its rings. A place is inside of it if a line from there to the
            east crosses an odd number of them; so holes and islands need no words of their own.
    """

    id: str
    name: str
    edges: tuple[Edge, ...]


def load_districts(contracts: Path) -> tuple[District, ...]:
    """Read the districts of a contracts folder, or the project's if it brings none.

    Raises:
        ContractError: The file is no GeoJSON of polygons, or a district has no key of its own.
    """
    own = contracts / "vocabulary" / _NAME
    path = own if own.is_file() else PROJECT / "contracts" / "vocabulary" / _NAME
    try:
        features = json.loads(path.read_text(encoding="utf-8"))["features"]
        found = tuple(_district(feature) for feature in features)
        if not found:
            raise ValueError("not one district")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ContractError(
            Problem(
                str(path),
                f"this is no GeoJSON of districts ({error!r})",
                "Write a FeatureCollection of Polygons with properties district_id and name.",
            )
        ) from None
    names = [district.id for district in found]
    for name in sorted({name for name in names if names.count(name) > 1}):
        raise ContractError(
            Problem(str(path), f"district_id '{name}' stands twice", "Give one another id.")
        )
    return found


def bounds(districts: tuple[District, ...]) -> Edge:
    """The least longitude and latitude of all districts, and the greatest."""
    places = [place for one in districts for edge in one.edges for place in (edge[:2], edge[2:])]
    longitudes, latitudes = zip(*places, strict=True)
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


def _district(feature: Mapping[str, Any]) -> District:
    told = feature["properties"]
    if not told["district_id"] or not told["name"]:
        raise ValueError("a district without district_id or name")
    return District(told["district_id"], told["name"], tuple(_edges(feature["geometry"])))


def _edges(geometry: Mapping[str, Any]) -> Iterator[Edge]:
    listed = geometry["coordinates"]
    polygons = {"Polygon": [listed], "MultiPolygon": listed}[geometry["type"]]
    for ring in (ring for polygon in polygons for ring in polygon):
        if len(ring) < 4 or ring[0] != ring[-1]:
            raise ValueError("a ring that is not closed")
        for (x1, y1), (x2, y2) in pairwise([place[:2] for place in ring]):
            yield float(x1), float(y1), float(x2), float(y2)
