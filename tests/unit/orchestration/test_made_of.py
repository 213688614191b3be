"""A product names what it is made of, as far as dbt's lineage can tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lakehouse.contracts import load_contracts
from lakehouse.settings import PROJECT
from orchestration.dbt_manifest import nodes
from orchestration.made_of import undeclared

CONTRACTS = load_contracts(PROJECT / "contracts")


@pytest.fixture(scope="module")
def found():
    return nodes()


def told(found, product_id: str, *sources: str, **changes: object) -> list[str]:
    product = CONTRACTS.product(product_id)
    publication = product.publication.model_copy(update={"sources": sources})
    changed = replace(product, publication=publication, **changes)
    return [right for _, right in undeclared(CONTRACTS, changed, found)]


@pytest.mark.parametrize("product_id", CONTRACTS.products)
def test_every_product_of_the_city_tells(found, product_id):
    assert told(found, product_id, *CONTRACTS.product(product_id).publication.sources) == []


def test_readings_that_may_not_be_shared_cannot_be_called_something_else(found):
    """Under these sources the policy would find nothing about people in it."""
    (right,) = told(found, "smarta_las_dygn", "miljo_luft")
    assert right == "gold.smarta_las_dygn is made of readings that may not be shared openly"


def test_a_source_that_was_made_shareable_is_not_one_of_them(found):
    source = CONTRACTS.source("smarta_las")
    levels = source.classification.model_copy(
        update={"k": 0, "personal_data": False, "special_category": False, "secrecy": None}
    )
    others = dict(CONTRACTS.sources) | {"smarta_las": replace(source, classification=levels)}
    changed = replace(CONTRACTS, sources=others)
    product = CONTRACTS.product("smarta_las_dygn")
    assert len(list(undeclared(changed, product, found))) == 1


def test_the_lakes_own_tables_are_told(found):
    (right,) = told(found, "delningskostnad_dygn", "reference", "miljo_luft")
    assert right == "gold.delningskostnad_dygn is made of the lake's own 'metering'"


@pytest.mark.parametrize("sources", [(), ("reference", "metering")])
def test_what_was_delivered_has_a_source(found, sources):
    (right,) = told(found, "luftkvalitet_timme", *sources)
    assert right == "gold.luftkvalitet_timme is made of what sources have delivered"


def test_a_model_that_counts_restricted_series_says_so_itself(found):
    """`vem_delar_vad` declares that nothing about a single device is left in it."""
    assert told(found, "luftkvalitet_timme", "miljo_luft", model="vem_delar_vad") == []
