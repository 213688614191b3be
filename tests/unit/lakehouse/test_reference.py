"""Contracts and vocabulary as tables: written when something changed, and only then."""

from __future__ import annotations

import pytest
import yaml

from lakehouse import delta, tables
from lakehouse.contracts import load_contracts
from lakehouse.reference import mapping_digest, write_reference
from lakehouse.settings import PROJECT
from tests.unit.ingestion.lake import METER, column


@pytest.fixture
def contracts(lake):
    lake.write(things=[{"device": "m1", "name": "Mätare", "type": "elmätare"}])
    return load_contracts(lake.settings.contracts)


def test_first_write_and_content(lake, contracts):
    commits = write_reference(lake.settings, contracts)
    assert all(commit.written for commit in commits.values())
    (mapping,) = lake.rows(tables.reference(lake.settings, "mappings"))
    assert mapping == {
        "source_id": "meters",
        "channel": "kwh",
        "device_pattern": ".*",
        "observed_property_id": "active_energy",
        "ucum_code": "kW.h",
        "minimum": 0.0,
        "maximum": 1000.0,
        "aggregation": "sum",
        "rollover": None,
    }
    units = lake.rows(tables.reference(lake.settings, "units"))
    assert {row["ucum_code"]: row["factor"] for row in units}["W.h"] == 0.001
    (thing,) = lake.rows(tables.reference(lake.settings, "things"))
    assert (thing["name"], thing["longitude"], thing["attributes"]) == ("Mätare", None, "{}")


def test_unchanged_contracts_write_nothing(lake, contracts):
    first = write_reference(lake.settings, contracts)
    again = write_reference(lake.settings, load_contracts(lake.settings.contracts))
    assert {name: commit.version for name, commit in again.items()} == {
        name: commit.version for name, commit in first.items()
    }
    assert not any(commit.written for commit in again.values())


def test_only_the_changed_table_is_written(lake, contracts):
    write_reference(lake.settings, contracts)
    lake.write(columns=[*METER[:2], column("kwh", "active_energy", "W.h")])
    commits = write_reference(lake.settings, load_contracts(lake.settings.contracts))
    assert {name for name, commit in commits.items() if commit.written} == {"mappings", "things"}


def test_whole_project_has_no_half_written_rows(lake):
    commits = write_reference(lake.settings, load_contracts(PROJECT / "contracts"))
    for name in commits:
        assert delta.version_of(tables.reference(lake.settings, name)) == 1
        assert lake.rows(tables.reference(lake.settings, name))


def test_mapping_digest_follows_what_decides_the_observations(lake, contracts):
    first = mapping_digest(contracts.source("meters"), contracts.vocabulary)
    path = lake.write(things=[{"device": "m2", "name": "Annan", "type": "elmätare"}])
    assert mapping_digest(lake.source(), contracts.vocabulary) == first
    other = lake.source(columns=[*METER[:2], column("kwh", "active_energy", "W.h")])
    assert mapping_digest(other, contracts.vocabulary) != first
    lake.write()
    data = yaml.safe_load(path.read_text())
    data["customProperties"][1]["value"]["k"] = 2
    path.write_text(yaml.safe_dump(data))
    restricted = load_contracts(lake.settings.contracts).source("meters")
    assert mapping_digest(restricted, contracts.vocabulary) != first
