"""Places: from the coordinates a source declares to degrees in WGS 84, and which look wrong.

SWEREF 99 and WGS 84 are taken for the same; they differ by less than a metre.

Source: EPSG registry, by PROJ; Lantmäteriet, "SWEREF 99" (relation to WGS 84).
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

if TYPE_CHECKING:
    import pyproj

WGS84: Final = "EPSG:4326"
DECIMALS: Final = 7
"""Of a degree: a centimetre, a hundredth of what WGS 84 and SWEREF 99 may differ by."""
_CODE: Final = re.compile(r"EPSG:\d{4,5}")

Numbers = npt.NDArray[np.float64]


def require_crs(code: str) -> str:
    """The code of a coordinate reference system, if there is one.

    Raises:
        ValueError: Saying what was expected.
    """
    _into_degrees(code)
    return code


def degrees(crs: str, easting: float, northing: float) -> tuple[float, float]:
    """Longitude and latitude of a place told in metres.

    Args:
        crs: Its coordinate reference system, such as `EPSG:3011` (SWEREF 99 18 00).
        easting: Metres to the east, whatever order the system itself names its axes in.
        northing: Metres to the north.

    Raises:
        ValueError: The place lies far outside of where the system is used: as if the axes had
            been swapped.
    """
    (longitude,), (latitude,) = transformed(
        crs, np.array([easting], float), np.array([northing], float)
    )
    if np.isnan(longitude):
        raise ValueError(
            f"easting {easting}, northing {northing} lie outside of where {crs} is used "
            f"(are they swapped?)"
        )
    return float(longitude), float(latitude)


def transformed(crs: str, east: Numbers, north: Numbers) -> tuple[Numbers, Numbers]:
    """Longitudes and latitudes of places; not a number where they lie outside of the system."""
    transformer, (west, south, right, top) = _into_degrees(crs)
    longitude, latitude = transformer.transform(east, north)
    # The area of use is narrow; half a degree beside it a projection is still good.
    with np.errstate(invalid="ignore"):
        is_inside = (longitude >= west - 0.5) & (longitude <= right + 0.5)
        is_inside &= (latitude >= south - 0.5) & (latitude <= top + 0.5)
    return (
        np.where(is_inside, np.round(longitude, DECIMALS), np.nan),
        np.where(is_inside, np.round(latitude, DECIMALS), np.nan),
    )


def show(connection: duckdb.DuckDBPyConnection, crs: str) -> None:
    """Give a connection the SQL function `wgs84_of(easting, northing)` for a system.

    It returns `{lon, lat}`, both null for what is no place in the system.
    """

    def _degrees(easting: pa.ChunkedArray, northing: pa.ChunkedArray) -> pa.StructArray:
        found = transformed(crs, *(_numbers(one) for one in (easting, northing)))
        longitude, latitude = (pa.array(one, from_pandas=True) for one in found)
        return pa.StructArray.from_arrays([longitude, latitude], ["lon", "lat"])

    number = connection.sqltype("DOUBLE")
    place = connection.sqltype("STRUCT(lon DOUBLE, lat DOUBLE)")
    connection.create_function(
        "wgs84_of", _degrees, [number, number], place,
        type=PythonUDFType.ARROW, null_handling=FunctionNullHandling.SPECIAL,
    )  # fmt: skip


def _numbers(column: pa.ChunkedArray) -> Numbers:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=float)


@cache
def _into_degrees(code: str) -> tuple[pyproj.Transformer, tuple[float, float, float, float]]:
    import pyproj  # a fifth of a second, which only those pay who need it
    from pyproj.exceptions import CRSError

    if not _CODE.fullmatch(str(code)):
        raise ValueError(f"'{code}' is no code such as EPSG:3011")
    try:
        crs = pyproj.CRS(code)
    except CRSError as error:
        raise ValueError(f"'{code}' is no coordinate reference system that PROJ knows") from error
    area = crs.area_of_use
    bounds = (area.west, area.south, area.east, area.north) if area else (-180, -90, 180, 90)
    # always_xy: EPSG names the northing of Swedish systems first, sources mostly do not.
    return pyproj.Transformer.from_crs(crs, WGS84, always_xy=True), bounds
