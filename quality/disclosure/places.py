"""Whether coordinates are as coarse as a place must be told.

The lake tells a coarse place as the middle of a square (`coarsened` in dbt/macros/place.sql);
others round degrees. A place is coarse enough if it is either, of the size asked for or larger.
"""

from __future__ import annotations

from math import cos, floor, log10, radians
from typing import Final

from lakehouse.duck import identifier

_METRES: Final = {
    "latitude": 111_320.0,
    "longitude": 111_320.0 * cos(radians(59.33)),
    "metres": 1.0,
}
"""Metres in a unit of each axis, as the lake's squares have them."""
_SQUARES: Final = (100, 200, 250, 500, 1000, 2000, 2500, 5000, 10_000)
_SLACK_M: Final = 0.12
"""Squares are told with six decimals of a degree."""


def too_fine(column: str, axis: str, least_m: float) -> str:
    """The SQL that holds for a coordinate finer than a square of this width.

    Args:
        column: A column of numbers, or of texts that say numbers.
        axis: `longitude`, `latitude` or `metres`.
        least_m: Least width of the squares that a place may be told by, in metres; above 0.
    """
    value = f"try_cast({identifier(column)} as double)"
    metres = _METRES[axis]
    decimals = floor(-log10(least_m / metres))
    rounded = f"abs({value} - round({value}, {decimals})) < 1e-9"
    middles = (
        f"abs(({value} * {metres!r} / {size}) - floor({value} * {metres!r} / {size}) - 0.5)"
        f" * {size} < {_SLACK_M}"
        for size in sorted({float(least_m), *(one for one in _SQUARES if one >= least_m)})
    )
    return f"{value} is not null and not ({' or '.join((rounded, *middles))})"
