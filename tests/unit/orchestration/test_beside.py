"""Whoever audits a product does so beside all that are told: commands, and the check in Dagster."""

from __future__ import annotations

import shutil

import pytest
import yaml
from typer.testing import CliRunner

from lakehouse.contracts import load_contracts
from lakehouse.metering import Meter
from lakehouse.settings import PROJECT
from lakehouse.verdicts import newest_verdict
from orchestration.cli import app
from orchestration.release import audit_check
from quality.audit.small_groups.withheld import RECOVERED
from tests.unit.publishing.lake import lake_settings
from tests.unit.quality.locks import CITY, FIRST, PRODUCT, Counts, by_rule, put, with_totals, world

CITY_PRODUCT, MODEL = "las_i_staden_dygn", "portal_anvandning_dygn"
"""The command wants a model of the dbt project; which one does not matter here."""


@pytest.fixture
def lake(tmp_path):
    """The locks by district, of which one is withheld, and by another product the whole city."""
    folder = tmp_path / "contracts"
    shutil.copytree(PROJECT / "contracts", folder)
    products = folder / "products"
    for path in products.glob("*.yaml"):
        if path.stem != PRODUCT:
            path.unlink()
            shutil.rmtree(folder / "approvals" / path.stem, ignore_errors=True)
    text = (products / f"{PRODUCT}.yaml").read_text("utf-8").replace(PRODUCT, CITY_PRODUCT)
    document = yaml.safe_load(text.replace("[care_area, local_date]", "[local_date]"))
    document["schema"][0]["physicalName"] = f"gold.{MODEL}"
    columns = document["schema"][0]["properties"]
    document["schema"][0]["properties"] = [one for one in columns if one["name"] != "care_area"]
    for number in document["customProperties"][-1]["value"]["numbers"].values():
        number["additiveOver"] = [one for one in number["additiveOver"] if one != "care_area"]
    (products / f"{CITY_PRODUCT}.yaml").write_text(yaml.safe_dump(document), "utf-8")
    settings = lake_settings(tmp_path)
    counts = {place: Counts(9, 20, 5, 6, 5) for place in world()}
    rows = by_rule(with_totals(counts | {("Kista", FIRST): Counts(3, 41, 5, 6, 5)}))
    put(settings, [row for row in rows if row["care_area"] != CITY])
    put(
        settings,
        [{name: value for name, value in row.items() if name != "care_area"}
         for row in rows if row["care_area"] == CITY],
        MODEL,
    )  # fmt: skip
    return folder, settings


@pytest.mark.parametrize("words", [("audit", PRODUCT), ("publish", "--dry-run")])
def test_a_command_finds_the_total_that_another_product_tells(lake, words):
    folder, settings = lake
    options = ["--contracts", str(folder), "--home", str(settings.home), "--json"]
    done = CliRunner().invoke(app, [*words, *options])
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 1
    verdict = newest_verdict(settings, load_contracts(folder).product(PRODUCT))
    assert {
        one.column: one.unexpected
        for one in verdict.checks
        if one.expectation == RECOVERED and not one.passed
    } == {"locks_used": 1, "openings": 1}


def test_a_check_in_dagster_finds_it_too(lake):
    folder, settings = lake
    contracts = load_contracts(folder)
    meter = Meter("run")
    result = audit_check(settings, contracts, contracts.product(PRODUCT))(meter=meter)
    assert not result.passed
    assert "nothing withheld can be worked out" in result.description
