"""Gold tables of locks by district and day, counted from events that somebody has made up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from lakehouse import delta, tables
from lakehouse.contracts import ProductContract
from lakehouse.settings import Settings

PRODUCT = "smarta_las_dygn"
CITY = "Hela staden"
DISTRICTS = ("Gamla stan", "Kista", "Kungsholmen", "Norrmalm", "Södermalm", "Östermalm")
FIRST = date(2026, 11, 2)
LEAST = 5


class Counts(NamedTuple):
    """What is so of a district and day, whatever is told of it."""

    used: int
    openings: int
    refusing: int
    refused: int
    low: int

    def and_(self, other: Counts) -> Counts:
        return Counts(*(one + more for one, more in zip(self, other, strict=True)))


Rows = list[dict[str, object]]
World = dict[tuple[str, date], Counts]
NOTHING = Counts(0, 0, 0, 0, 0)


def world(days: int = 4, mean: float = 7, seed: int = 1) -> World:
    """Counts of each district and day."""
    random = np.random.default_rng(seed)
    found = {}
    for number in range(days):
        for district in DISTRICTS:
            used, refusing, low = (int(random.poisson(one)) for one in (mean, mean / 4, mean / 3))
            openings, refused = (one + int(random.integers(0, 2 * one + 1))
                                 for one in (used, refusing))  # fmt: skip
            counts = Counts(used, openings, refusing, refused, low)
            found[district, FIRST + timedelta(days=number)] = counts
    return found


def with_totals(counts: World) -> World:
    """The same, with the city's totals of each day beside the districts."""
    told = dict(counts)
    for (_, day), one in counts.items():
        told[CITY, day] = told.get((CITY, day), NOTHING).and_(one)
    return told


def by_rule(counts: Mapping[tuple[str, date], Counts]) -> Rows:
    """What the product's model tells of counts; dbt/models/gold/omsorg has the rule."""
    return [
        _row(district, day, {
            "locks_used": _told(one.used, one.used, one.used),
            "openings": _told(one.openings, one.used, one.used),
            "openings_refused": _told(one.refused, one.refusing, one.used),
            "locks_low_battery": _told(one.low, one.low, one.used),
        })
        for (district, day), one in counts.items()
    ]  # fmt: skip


def _told(number: int, units: int, others: int) -> int | None:
    return number if units >= LEAST or (units == 0 and others >= LEAST) else None


def _row(district: str, day: date, numbers: Mapping[str, int | None]) -> dict[str, object]:
    return {
        "care_area": district,
        "local_date": day,
        **numbers,
        "is_suppressed": None in numbers.values(),
        "partition_date": day,
    }


def changed(rows: Rows, district: str, day: date, **numbers: object) -> Rows:
    """The same rows, one of which has other numbers."""
    return [
        row | numbers if (row["care_area"], row["local_date"]) == (district, day) else row
        for row in rows
    ]


SCHEMA = pa.schema(
    [
        ("care_area", pa.string()),
        ("provider", pa.string()),
        ("local_date", pa.date32()),
        ("locks_used", pa.int32()),
        ("openings", pa.int32()),
        ("openings_refused", pa.int32()),
        ("locks_low_battery", pa.int32()),
        ("is_suppressed", pa.bool_()),
        ("partition_date", pa.date32()),
    ]
)


def put(settings: Settings, rows: Iterable[dict[str, object]], model: str = PRODUCT) -> int:
    """Replace a gold table; it has the columns that its rows have."""
    told = [*rows]
    schema = pa.schema([field for field in SCHEMA if field.name in told[0]])
    table = pa.Table.from_pylist(told, schema)
    return delta.replace(
        tables.model(settings, "gold", model), table, schema, partition_by=["partition_date"]
    ).version


def saying(product: ProductContract, **words: object) -> ProductContract:
    """The contract, saying something else of its statistics."""
    assert product.statistics
    return replace(product, statistics=product.statistics.model_copy(update=words))


def for_(product: ProductContract, audience: str) -> ProductContract:
    """The contract, for another audience."""
    publication = product.publication.model_copy(update={"audience": audience})
    return replace(product, publication=publication)


def without(product: ProductContract, name: str, column: str) -> ProductContract:
    """Another product that tells the same numbers, with one column of the key less."""
    assert product.statistics
    numbers = {
        key: number.model_copy(
            update={"additive_over": tuple(one for one in number.additive_over if one != column)}
        )
        for key, number in product.statistics.numbers.items()
    }
    columns = tuple(one for one in product.columns if one.name != column)
    return saying(replace(product, id=name, model=name, columns=columns), numbers=numbers)
