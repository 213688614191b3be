"""All that speaks of a product says the same, or both sides are named."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from lakehouse import delta, tables
from lakehouse.contracts import load_contracts
from lakehouse.contracts.product import Quality
from lakehouse.settings import PROJECT
from orchestration.agreement import disagreements
from publishing.making.release import release
from publishing.portal.site import build_site
from tests.unit.publishing.lake import (
    PRODUCT,
    air_rows,
    keep_decision,
    keep_verdict,
    lake_settings,
    replace_gold,
)


@pytest.fixture
def lake(tmp_path):
    """The air product, released and shown."""
    settings, contracts = lake_settings(tmp_path), load_contracts(PROJECT / "contracts")
    keep_verdict(settings, contracts, replace_gold(settings, air_rows()), 48)
    release(settings, contracts, PRODUCT)
    build_site(settings, contracts)
    return settings, contracts


def edited(contracts, **changes):
    product = replace(contracts.product(PRODUCT), **changes)
    return replace(contracts, products=dict(contracts.products) | {PRODUCT: product})


def column(contracts, known, **changes):
    found = contracts.product(PRODUCT).columns
    return tuple(replace(one, **changes) if one.name == known else one for one in found)


def told(settings, contracts):
    return [(one.about, one.left, one.right) for one in disagreements(settings, contracts)]


def test_what_was_just_released_agrees(lake):
    assert told(*lake) == []


def test_every_contract_of_the_project_agrees_with_its_model(tmp_path):
    contracts = load_contracts(PROJECT / "contracts")
    assert told(lake_settings(tmp_path), contracts) == []


def test_contract_against_model_and_table(lake):
    settings, contracts = lake
    other = edited(contracts, columns=column(contracts, "readings", logical_type="boolean"))
    assert told(settings, other) == [
        (PRODUCT, "the contract says that 'readings' is boolean", "dbt's YAML says integer"),
        (
            PRODUCT,
            "the contract says that 'readings' is boolean",
            f"version 1 of gold.{PRODUCT} has INTEGER",
        ),
    ]
    unknown = edited(contracts, columns=column(contracts, "readings", name="reading"))
    assert [right for _, _, right in told(settings, unknown)] == [
        "dbt's YAML does not name it",
        f"version 1 of gold.{PRODUCT} has no such column",
    ]


def test_a_table_that_has_lost_a_column(lake):
    settings, contracts = lake
    address = tables.model(settings, "gold", PRODUCT)
    table = delta.open_table(address).to_pyarrow_table().drop_columns(["no2_ug_m3"])
    version = delta.replace(address, table, pa.schema(table.schema)).version
    keep_decision(settings, contracts, version)
    assert told(settings, contracts) == [
        (
            PRODUCT,
            "the contract promises 'no2_ug_m3'",
            f"version {version} of gold.{PRODUCT} has no such column",
        )
    ]


def test_a_rule_that_the_suite_cannot_run(lake):
    settings, contracts = lake
    rule = Quality(None, "sql", "", {"mustBe": 0}, {}, "critical")
    quality = (*contracts.product(PRODUCT).quality, rule)
    (found,) = told(settings, edited(contracts, quality=quality))
    assert found[2] == "the suite cannot run it"


def test_a_model_that_dbt_does_not_know(lake):
    settings, contracts = lake
    found = told(settings, edited(contracts, model="luft"))
    assert (PRODUCT, "the contract is about gold.luft", "dbt's YAML has no such model") in found


def test_a_source_that_is_classified_higher_than_at_the_decision(lake):
    settings, contracts = lake
    source = replace(contracts.source("miljo_luft"), digest="f" * 64)
    others = replace(contracts, sources=dict(contracts.sources) | {"miljo_luft": source})
    ((about, left, right),) = told(settings, others)
    assert about == PRODUCT
    assert left.startswith("it is released")
    assert "was made of other contracts or approvals" in right


def test_a_contract_that_is_newer_than_the_release(lake):
    settings, contracts = lake
    newer = edited(contracts, version="1.0.1", digest="1" * 64)
    keep_decision(settings, newer, 1)
    assert told(settings, newer) == [
        (PRODUCT, "the contract is 1.0.1", "release 1 was made under another one")
    ]


def test_a_catalogue_that_shows_something_else(lake):
    settings, contracts = lake
    release_again = replace_gold(settings, air_rows(50))
    keep_verdict(settings, contracts, release_again, 50)
    release(settings, contracts, PRODUCT)
    assert told(settings, contracts) == [
        (PRODUCT, "its newest release that may be shown is 2", "the catalogue shows 1")
    ]
