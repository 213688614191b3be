"""The names that deliveries call units by: each stands for one unit, or for none."""

from __future__ import annotations

import csv
import shutil

import pytest

from ingestion.batches import units
from lakehouse.settings import PROJECT
from tests.unit.ingestion.lake import CSV, METER, column

TOLD = {"narrow": {"channel": "what", "value": "value", "unit": "unit"}}
COLUMNS = (*METER[:2], column("kwh", "active_energy", "kW.h"))


@pytest.fixture
def rules_of(lake):
    """What becomes of rows that tell these units, where units have these other names."""

    def judged(other_names: dict[str, str], *told: str) -> list[str | None]:
        folder = lake.settings.contracts / "vocabulary"
        shutil.copytree(PROJECT / "contracts" / "vocabulary", folder, dirs_exist_ok=True)
        with (folder / "units.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            row["other_names"] = other_names.get(row["ucum_code"], row["other_names"])
        with (folder / "units.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        lines = [f"m1;2026-10-19T10:{n:02}:00;kwh;1;{unit}" for n, unit in enumerate(told)]
        text = "\n".join(["meter;time;what;value;unit", *lines])
        contract = lake.source(columns=COLUMNS, delivery=CSV | TOLD)
        return [row["rule"] for row in lake.judged(contract, lake.deliver("a.csv", text))]

    return judged


def test_a_name_that_two_units_share_stands_for_neither(rules_of):
    assert rules_of({"kW.h": "el", "W.h": ""}, "el", "kW.h") == [None, None]  # the control
    for others in ({"W.h": "el"}, {"W.h": "el", "J": "el"}, {"W.h": "x|el", "J": "el", "K": "el"}):
        rules = rules_of({"kW.h": "el|ström"} | others, "el", "kW.h", "ström")
        assert rules == ["unit_unknown", None, None], others


def test_a_name_that_one_unit_has_twice_is_its_name(rules_of):
    assert rules_of({"kW.h": "el|el|kWh"}, "el", "kWh") == [None, None]


def test_a_ucum_code_stands_for_itself_whoever_else_is_called_so(rules_of):
    assert rules_of({"W.h": "kW.h|x"}, "kW.h", "x") == [None, "unit_differs"]


def test_every_name_of_the_project_stands_for_one_unit(lake):
    found = units.names(lake.settings).to_pylist()
    names = [row["name"] for row in found]
    assert len(names) == len(set(names)) > 100
    codes = {row["unit"] for row in found}
    assert {row["name"]: row["unit"] for row in found if row["name"] in codes} == {
        code: code for code in codes
    }
