"""What is measured at: devices, their names, and where they stand and have stood.

A thing that was moved has one entry for each place, with `validFrom` on all but the first. So what
was true when is read in the contract, by people too, and does not depend on when a lake was built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from lakehouse import places
from lakehouse.contracts.odcs import Frozen

_CITY = ZoneInfo("Europe/Stockholm")


class Thing(Frozen):
    """A device, what it is called, and where it stands.

    A place is told in degrees (`longitude`, `latitude`, WGS 84) or in metres (`easting`, `northing`
    of `crs`); of the latter, degrees are made.

    Attributes:
        device: Its name in deliveries.
        valid_from: When it came there; a date is midnight in Stockholm. None: it was always there.
        public_precision_m: Size of the squares that open data may tell its place by.
    """

    device: str
    name: str
    type: str
    longitude: float | None = Field(default=None, ge=-180, le=180)
    latitude: float | None = Field(default=None, ge=-90, le=90)
    easting: float | None = None
    northing: float | None = None
    crs: str | None = None
    valid_from: datetime | None = None
    public_precision_m: float | None = Field(default=None, gt=0)
    street: str | None = None
    district: str | None = None
    attributes: Mapping[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _in_degrees(cls, said: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
        if not isinstance(said, Mapping) or not said.keys() & {"crs", "easting", "northing"}:
            return said
        told: list[Any] = [said.get(name) for name in ("crs", "easting", "northing")]
        are_numbers = all(isinstance(one, int | float) for one in told[1:])
        if told[0] is None or not are_numbers or said.keys() & {"longitude", "latitude"}:
            raise ValueError(
                "expected easting, northing and crs together, or longitude and latitude"
            )
        longitude, latitude = places.degrees(*told)
        return {**said, "longitude": longitude, "latitude": latitude}

    @field_validator("valid_from", mode="before")
    @classmethod
    def _instant(cls, said: Any) -> Any:  # noqa: ANN401
        if not isinstance(said, str):
            return said
        instant = datetime.fromisoformat(said)
        if len(said) == len("2026-01-01"):
            instant = instant.replace(tzinfo=_CITY)
        if instant.tzinfo is None:
            raise ValueError("expected a date, or a time with its offset from UTC")
        return instant.astimezone(UTC)


class Things(Frozen):
    """The list of things a source measures at."""

    things: tuple[Thing, ...] = ()


def periods(things: Sequence[Thing]) -> Iterator[tuple[Thing, datetime | None]]:
    """Each entry with the time until which it is valid, None for the newest of its device."""
    for _, entries in groupby(sorted(things, key=_by_time), key=lambda thing: thing.device):
        found = list(entries)
        ends = [later.valid_from for later in found[1:]]
        yield from zip(found, [*ends, None], strict=True)


def told_twice(things: Sequence[Thing]) -> list[str]:
    """Devices with two entries that begin at the same time."""
    found = [(thing.device, thing.valid_from) for thing in things]
    return sorted({device for device, began in found if found.count((device, began)) > 1})


def _by_time(thing: Thing) -> tuple[str, datetime]:
    return thing.device, thing.valid_from or datetime.min.replace(tzinfo=UTC)
