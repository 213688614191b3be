"""The closed vocabulary that contracts may use: organisations, initiatives, properties, units.

Each is a CSV file in `vocabulary/`. A contracts folder may bring its own file; one that it
does not bring is taken from the project's own.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lakehouse.errors import ContractError, Problem
from lakehouse.settings import PROJECT

Row = Mapping[str, str]

KEYS = {
    "organisations": "organisation_id",
    "initiatives": "initiative_id",
    "observed_properties": "observed_property_id",
    "units": "ucum_code",
}
"""Each vocabulary file and the column that identifies its rows."""

COLUMNS = {
    "organisations": ("organisation_id", "name_sv", "name_en", "kind", "organisation_number"),
    "initiatives": (
        "initiative_id", "organisation_id", "name_sv", "name_en", "step", "started_on", "domain"
    ),
    "observed_properties": (
        "observed_property_id", "name_sv", "name_en", "definition", "canonical_unit", "aggregation"
    ),
    "units": (
        "ucum_code", "symbol", "name_sv", "name_en", "quantity", "canonical_unit", "factor",
        "offset", "unece_code", "qudt_iri", "other_names",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The vocabulary by file, then by key, in file order."""

    organisations: Mapping[str, Row]
    initiatives: Mapping[str, Row]
    observed_properties: Mapping[str, Row]
    units: Mapping[str, Row]

    def rows(self, name: str) -> tuple[Row, ...]:
        """The rows of one vocabulary file, in file order."""
        return tuple(getattr(self, name).values())


def load_vocabulary(contracts: Path) -> Vocabulary:
    """Read the vocabulary of a contracts folder.

    Raises:
        ContractError: A file is missing, lacks a column, or repeats a key.
    """
    return Vocabulary(**{name: _load(contracts, name) for name in KEYS})


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
        return _by_key(path, KEYS[name], list(reader))


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
