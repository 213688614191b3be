"""The closed vocabulary that contracts may use: organisations, initiatives, properties, units.

Beside them stand the limit values that the law sets for what is observed.

Each is a CSV file in `vocabulary/`; the city's districts stand beside them. A contracts folder may
bring its own file; one that it does not bring is taken from the project's own.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from lakehouse.contracts.districts import District, load_districts
from lakehouse.errors import ContractError, Problem
from lakehouse.settings import PROJECT

Row = Mapping[str, str]

KEYS = {
    "organisations": "organisation_id",
    "initiatives": "initiative_id",
    "observed_properties": "observed_property_id",
    "units": "ucum_code",
    "limit_values": "limit_id",
}
"""Each vocabulary file and the column that identifies its rows."""

STEPS = ("test", "pilot", "losning", "integration")
"""The steps of the Smart stad staircase, from the lowest; each has a column with its first day."""

COLUMNS = {
    "organisations": ("organisation_id", "name_sv", "name_en", "kind", "organisation_number"),
    "initiatives": (
        "initiative_id", "organisation_id", "name_sv", "name_en", "domain", *STEPS
    ),
    "observed_properties": (
        "observed_property_id", "name_sv", "name_en", "definition", "canonical_unit",
        "aggregation", "qudt_quantity_kind", "ngsi_ld_name",
    ),
    "units": (
        "ucum_code", "symbol", "name_sv", "name_en", "quantity", "canonical_unit", "factor",
        "offset", "unece_code", "qudt_iri", "other_names",
    ),
    "limit_values": (
        "limit_id", "observed_property_id", "averaging", "limit_value", "unit",
        "allowed_exceedances", "in_force_from", "in_force_to", "name_sv", "name_en",
        "source_reference",
    ),
}  # fmt: skip


AGGREGATIONS = {
    "mean": "every reading counts the same",
    "time_weighted_mean": "a reading stands until the next one: what is sent when it changes",
    "vector_mean": "directions in degrees, as unit vectors",
    "energetic_mean": "levels in decibels, as what they are the logarithm of",
    "extremes": "quantities whose mean says nothing, such as pH: the least and the greatest",
    "sum": "amounts of an interval",
    "counter": "registers, by their increase",
    "share_of_time": "states, by how long each lasts",
    "none": "nothing that may be aggregated",
}
"""How the values of a property may become one value of an hour."""


_IN_FORCE = ("in_force_from", "in_force_to")
AVERAGING = ("hour", "day", "year")
"""What a limit value is for the mean of."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The vocabulary by file, then by key, in file order; and the districts of the city."""

    organisations: Mapping[str, Row]
    initiatives: Mapping[str, Row]
    observed_properties: Mapping[str, Row]
    units: Mapping[str, Row]
    limit_values: Mapping[str, Row]
    districts: tuple[District, ...]

    def rows(self, name: str) -> tuple[Row, ...]:
        """The rows of one vocabulary file, in file order."""
        return tuple(getattr(self, name).values())


def load_vocabulary(contracts: Path) -> Vocabulary:
    """Read the vocabulary of a contracts folder.

    Raises:
        ContractError: A file is missing, lacks a column, repeats a key, or a row says what it
            cannot mean.
    """
    words = {name: _load(contracts, name) for name in KEYS}
    _require_limits(words["limit_values"].values(), words["observed_properties"])
    return Vocabulary(**words, districts=load_districts(contracts))


def _require_aggregations(path: Path, rows: Iterable[Row]) -> None:
    for row in rows:
        if row["aggregation"] not in AGGREGATIONS:
            raise ContractError(
                Problem(
                    f"{path}: {row['observed_property_id']}",
                    f"'{row['aggregation']}' is no way to aggregate",
                    f"Write one of: {', '.join(AGGREGATIONS)}.",
                )
            )


def _require_steps(path: Path, rows: Iterable[Row]) -> None:
    for row in rows:
        dates = [row[step] for step in STEPS if row[step]]
        try:
            is_sound = dates == sorted(dates) and bool([date.fromisoformat(one) for one in dates])
        except ValueError:
            is_sound = False
        if not is_sound:
            raise ContractError(
                Problem(
                    f"{path}: {row['initiative_id']}",
                    f"its steps began on {', '.join(dates) or 'no day'}",
                    f"Write dates such as 2026-01-31, rising from {STEPS[0]} to {STEPS[-1]}.",
                )
            )


def _require_limits(rows: Iterable[Row], properties: Mapping[str, Row]) -> None:
    for row in rows:
        known = properties.get(row["observed_property_id"])
        try:
            dates = [date.fromisoformat(row[key]) for key in _IN_FORCE if row[key]]
            is_sound = float(row["limit_value"]) > 0 and int(row["allowed_exceedances"]) >= 0
        except ValueError:
            dates, is_sound = [], False
        # The file of the project may name properties that a folder's own vocabulary lacks.
        is_unit = known is None or row["unit"] == known["canonical_unit"]
        is_sound = is_sound and dates == sorted(dates) and bool(row["in_force_from"])
        if not (is_sound and is_unit and row["averaging"] in AVERAGING):
            raise ContractError(
                Problem(
                    f"limit_values.csv: {row['limit_id']}",
                    "it is no limit value",
                    f"Write a number above 0 in the property's own unit, an averaging of "
                    f"{', '.join(AVERAGING)}, whole allowed_exceedances, and dates such as "
                    "2030-01-01.",
                )
            )


def _load(contracts: Path, name: str) -> Mapping[str, Row]:
    own = contracts / "vocabulary" / f"{name}.csv"
    path = own if own.is_file() else PROJECT / "contracts" / "vocabulary" / f"{name}.csv"
    if not path.is_file():
        raise ContractError(
            Problem(str(path), "the vocabulary file is missing", "Put it back from git.")
        )
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [column for column in COLUMNS[name] if column not in (reader.fieldnames or ())]
        if missing:
            raise ContractError(
                Problem(str(path), f"columns are missing: {', '.join(missing)}", "Add them.")
            )
        found = _by_key(path, KEYS[name], list(reader))
    if name == "observed_properties":
        _require_aggregations(path, found.values())
    if name == "initiatives":
        _require_steps(path, found.values())
    return found


def _by_key(path: Path, key: str, rows: list[dict[str, str]]) -> Mapping[str, Row]:
    found: dict[str, Row] = {}
    for line, row in enumerate(rows, start=2):
        if not row[key] or row[key] in found:
            raise ContractError(
                Problem(
                    f"{path}, line {line}",
                    f"{key} '{row[key]}' is empty or stands twice",
                    "Every row needs a key of its own.",
                )
            )
        found[row[key]] = row
    return found
