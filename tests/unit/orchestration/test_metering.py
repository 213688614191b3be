"""Runs of jobs are metered, and dbt's seconds borne by the products that its models are for."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from lakehouse import delta, tables
from lakehouse.contracts import load_contracts
from lakehouse.metering import Purpose
from lakehouse.settings import PROJECT
from orchestration.instance import prepare
from orchestration.metering import of_models, users_of
from orchestration.runs import run_jobs
from publishing.releases.manifest import newest_release
from tests.unit.publishing.lake import OTHER, PRODUCT, air_rows, lake_settings, replace_gold

CONTRACTS = load_contracts(PROJECT / "contracts")


def model(layer: str, name: str, *upstream: str) -> dict[str, object]:
    key = f"model.sjostad.{name}"
    above = [f"model.sjostad.{one}" for one in upstream]
    return {"unique_id": key, "schema": layer, "name": name, "depends_on": {"nodes": above}}


NODES = {
    node["unique_id"]: node
    for node in (
        model("silver", "observation"),
        model("gold", "observations_hourly", "observation"),
        model("gold", "states_hourly", "observation"),
        model("gold", PRODUCT, "observations_hourly", "states_hourly"),
        model("gold", OTHER, "observations_hourly"),
        model("gold", "vem_delar_vad", "observation"),
    )
}
TEST = {"unique_id": "test.sjostad.a", "attached_node": f"model.sjostad.{PRODUCT}",
        "schema": "main_dbt_test__audit"}  # fmt: skip


def took(name: str, seconds: float) -> dict[str, object]:
    return {"unique_id": name, "execution_time": seconds}


def test_a_model_is_for_every_product_whose_rows_come_through_it():
    assert {key.rpartition(".")[2]: found for key, found in users_of(NODES, CONTRACTS).items()} == {
        PRODUCT: (PRODUCT,),
        OTHER: (OTHER,),
        "observations_hourly": (OTHER, PRODUCT),
        "states_hourly": (PRODUCT,),
    }


def test_dbts_seconds_are_borne_in_equal_shares_tests_with_their_models():
    results = [
        took("model.sjostad.observation", 8),
        took("model.sjostad.observations_hourly", 4),
        took("model.sjostad.states_hourly", 1),
        took(f"model.sjostad.{PRODUCT}", 2),
        took("test.sjostad.a", 0.5),
        took("model.sjostad.vem_delar_vad", 3),
        took("operation.sjostad.on_run_end", 1),
    ]
    found = of_models(results, NODES | {"test.sjostad.a": TEST}, CONTRACTS)
    assert found == {
        Purpose("silver", "platform", "silver", "silver.observation"): 8,
        Purpose("gold", "product", OTHER, "gold.observations_hourly"): 2,
        Purpose("gold", "product", PRODUCT, "gold.observations_hourly"): 2,
        Purpose("gold", "product", PRODUCT, "gold.states_hourly"): 1,
        Purpose("gold", "product", PRODUCT, f"gold.{PRODUCT}"): 2.5,
        Purpose("gold", "platform", "gold", "gold.vem_delar_vad"): 3,
    }


def prepared(settings, monkeypatch) -> None:
    for name in (*settings.as_environment(), "DAGSTER_HOME"):
        monkeypatch.setenv(name, "")  # prepare() sets them for good
    prepare(settings)


@pytest.fixture
def lake(tmp_path):
    """Two products: one that is built and may be shared, one without a table."""
    folder = tmp_path / "contracts"
    shutil.copytree(PROJECT / "contracts", folder)
    for path in (folder / "products").glob("*.yaml"):
        if path.stem not in (PRODUCT, OTHER):
            path.unlink()
            shutil.rmtree(folder / "approvals" / path.stem, ignore_errors=True)
    settings = lake_settings(tmp_path)
    replace_gold(settings, air_rows())
    return settings, load_contracts(folder)


@pytest.mark.slow
def test_a_product_that_hides_what_it_is_made_of_is_not_released(lake, monkeypatch):
    """Its audit passes and its decision allows it: nobody has told the policy."""
    settings, contracts = lake
    prepared(settings, monkeypatch)
    product = contracts.product(PRODUCT)
    own = product.publication.model_copy(update={"sources": ("reference",)})
    lying = replace(contracts, products={PRODUCT: replace(product, publication=own)})
    (stage,) = run_jobs(settings, lying, ["publishing"])
    passed, said = stage.checks[f"gold/{PRODUCT}: sharing_{PRODUCT}"]
    assert not passed
    assert said == (
        f"the contract names reference; gold.{PRODUCT} is made of what sources have delivered."
    )
    (letter,) = settings.letters.glob("*.txt")
    assert "säger inte samma sak" in letter.read_text("utf-8")
    assert newest_release(settings, PRODUCT) is None
    honest = replace(contracts, products={PRODUCT: product})
    assert not run_jobs(settings, honest, ["publishing"])[0].failures
    assert newest_release(settings, PRODUCT)


@pytest.mark.slow
def test_what_publishing_takes_is_kept_with_the_product(lake, monkeypatch):
    settings, contracts = lake
    prepared(settings, monkeypatch)
    stages = run_jobs(settings, contracts, ["publishing", "portal"])
    assert set(stages[0].failures) == {
        f"gold__{OTHER}_audit_{OTHER}", f"gold__{OTHER}_sharing_{OTHER}"
    }  # fmt: skip

    made = newest_release(settings, PRODUCT)
    assert made
    table = delta.open_table(tables.metering(settings)).to_pyarrow_table()
    assert delta.version_of(tables.metering(settings)) == len(stages)
    found = {(row["stage"], row["subject"]): row for row in table.to_pylist()}
    assert {key for key in found if key[1] == PRODUCT} == {
        (stage, PRODUCT) for stage in ("audit", "sharing", "release", "portal")
    }
    assert ("audit", OTHER) in found  # it failed, and took its time
    assert ("portal", OTHER) not in found
    released = found["release", PRODUCT]
    assert released["rows"] == made.rows
    assert released["bytes"] == sum(file.bytes for file in made.files)
    assert all(row["processor_s"] > 0 for row in found.values())
    assert {row["kind"] for row in found.values()} == {"product"}
