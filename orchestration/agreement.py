"""Whether all that speaks of a product or a source says the same: `sjostad check`.

A contract, a Delta table, dbt's YAML, the audit's suite, the decision to share and the catalogue's
record are made at different times by different hands. Each pair that ought to agree is held against
each other here; what differs is told with both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from lakehouse import delta, reference, tables
from lakehouse.contracts import Contracts, ProductContract, SourceContract
from lakehouse.contracts.product import ProductColumn
from lakehouse.decisions import Outcome, load_decision
from lakehouse.duck import connect
from lakehouse.settings import PROJECT, Settings
from orchestration.dbt_manifest import nodes
from orchestration.made_of import undeclared
from publishing.making.distributions import TYPES
from publishing.portal.site import current_site
from publishing.releases.manifest import newest_release
from quality.audit.suite import suite_of


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two that ought to say the same and do not.

    Attributes:
        about: Product or source.
        left: One side, and what it says.
        right: The other, and what it says.
        remedy: What to do.
    """

    about: str
    left: str
    right: str
    remedy: str


def disagreements(settings: Settings, contracts: Contracts) -> Iterator[Disagreement]:
    """Hold everything against everything, for all sources and products."""
    for source in contracts.sources.values():
        yield from _of_source(settings, contracts, source)
    for product in contracts.products.values():
        yield from _of_product(settings, contracts, product)
        yield from _of_release(settings, contracts, product)


def agreement(settings: Settings, contracts: Contracts, product: ProductContract) -> Outcome:
    """Whether all that speaks of a product before it is released says the same.

    A part of the decision to share it: so what differs stops each way to a release, and the
    information owner is told.

    Args:
        settings: The lake.
        contracts: Every contract.
        product: The product.
    """
    found = [f"{one.left}; {one.right}" for one in _of_product(settings, contracts, product)]
    if not found:
        sv, en = "Avtal, modell, tabell och granskning säger samma sak.", "All say the same."
        return Outcome("agreement", "Dataavtalet", True, sv, en)
    told = ". ".join(found)
    sv = f"Det som beskriver produkten säger inte samma sak (på engelska): {told}."
    return Outcome("agreement", "Dataavtalet", False, sv, f"{told}.")


def _of_product(
    settings: Settings, contracts: Contracts, product: ProductContract
) -> Iterator[Disagreement]:
    yield from _of_models(contracts, product)
    yield from _of_suite(product)
    address = tables.model(settings, "gold", product.model)
    version = delta.version_of(address)
    if version is not None:
        yield from _of_table(product, address, version)


def _of_source(
    settings: Settings, contracts: Contracts, source: SourceContract
) -> Iterator[Disagreement]:
    address = tables.bronze(settings, source.id)
    if not delta.exists(address):
        return
    held = {field.name for field in delta.open_table(address).schema().fields}
    promised = {field.name for field in tables.TELEMETRY}
    for name in sorted(held ^ promised):
        has, lacks = ("bronze", "the schema") if name in held else ("the schema", "bronze")
        yield Disagreement(
            source.id, f"{has} has '{name}'", f"{lacks} has not", "Run 'sjostad doctor'."
        )
    yield from _of_mapping(settings, contracts, source)


def _of_mapping(
    settings: Settings, contracts: Contracts, source: SourceContract
) -> Iterator[Disagreement]:
    """Silver was made under the mapping that the contract has now."""
    is_open = source.classification.is_shareable
    table = "observation" if is_open else "observation_restricted"
    silver = tables.model(settings, "silver", table)
    if not delta.exists(silver):
        return
    bronze = delta.marks_of(tables.bronze(settings, source.id), ["anew"])
    digest = reference.mapping_digest(source, contracts.vocabulary, bronze.get("anew"))
    turn, now = f"mapping.{source.id}", f"mapping.{source.id}.{digest}"
    held = delta.marks_of(silver, [turn, now])
    if held.get(now) is None or held[now] != held.get(turn, held[now]):
        yield Disagreement(
            source.id,
            f"the contract {source.version} maps its channels in one way",
            f"silver.{table} was made in another",
            "Run 'sjostad build'.",
        )


def _of_release(
    settings: Settings, contracts: Contracts, product: ProductContract
) -> Iterator[Disagreement]:
    version = delta.version_of(tables.model(settings, "gold", product.model))
    release = newest_release(settings, product.id)
    if version is None or release is None:
        return
    yield from _of_decision(settings, contracts, product, version)
    yield from _of_catalogue(settings, product, release.number, release.contract_digest)


def _of_models(contracts: Contracts, product: ProductContract) -> Iterator[Disagreement]:
    model = _models(PROJECT / "dbt").get(product.model)
    if model is None:
        yield Disagreement(
            product.id,
            f"the contract is about gold.{product.model}",
            "dbt's YAML has no such model",
            "Correct physicalName, or describe the model.",
        )
        return
    known = {column["name"]: str(column.get("data_type", "")) for column in model["columns"]}
    for column in product.columns:
        kind = known.get(column.name)
        if kind is None:
            left, right = f"the contract promises '{column.name}'", "dbt's YAML does not name it"
        elif not _means(column, kind):
            left = f"the contract says that '{column.name}' is {column.logical_type}"
            right = f"dbt's YAML says {kind}"
        else:
            continue
        yield Disagreement(product.id, left, right, "Correct the one that is wrong.")
    for left, right in undeclared(contracts, product, nodes()):
        yield Disagreement(product.id, left, right, "Name them in publication.sources.")


def _of_table(product: ProductContract, address: Path, version: int) -> Iterator[Disagreement]:
    schema = pa.schema(delta.open_table(address, version).schema().to_arrow())
    # Without the delta extension, which takes a third of a second of the processor to load.
    with connect(extensions=()) as connection:
        empty = connection.from_arrow(schema.empty_table())
        held = dict(zip(empty.columns, map(str, empty.types), strict=True))
    for column in product.columns:
        kind = held.get(column.name)
        if kind is None:
            left = f"the contract promises '{column.name}'"
            right = f"version {version} of gold.{product.model} has no such column"
        elif not _means(column, kind):
            left = f"the contract says that '{column.name}' is {column.logical_type}"
            right = f"version {version} of gold.{product.model} has {kind}"
        else:
            continue
        yield Disagreement(product.id, left, right, "Run 'sjostad build', or correct the contract.")


def _of_suite(product: ProductContract) -> Iterator[Disagreement]:
    """Every promise that can be checked has a check."""
    suite = suite_of(product)
    checked = {(one.expectation.configuration.type, one.column) for one in suite.planned}
    promised = [
        *(("expect_column_values_to_not_be_null", c.name) for c in product.columns if c.required),
        *(
            ("expect_column_values_to_be_between", c.name)
            for c in product.columns
            if c.minimum is not None or c.maximum is not None
        ),
    ]
    for kind, column in promised:
        if (kind, column) not in checked:
            yield Disagreement(
                product.id,
                f"the contract promises something of '{column}'",
                f"the suite has no {kind} for it",
                "This is a fault of the program; report it.",
            )
    for rule in suite.not_understood:
        yield Disagreement(
            product.id,
            f"the contract has the rule {rule}",
            "the suite cannot run it",
            "Write it as docs/contracts.md says.",
        )


def _of_decision(
    settings: Settings, contracts: Contracts, product: ProductContract, version: int
) -> Iterator[Disagreement]:
    decision = load_decision(settings, contracts, product, version)
    if decision is None or not decision.allowed:
        what = "does not allow it" if decision else "was made of other contracts or approvals"
        yield Disagreement(
            product.id,
            f"it is released, and gold.{product.model} has version {version}",
            f"the newest decision to share it {what}",
            f"Run 'sjostad audit {product.id}' and see why.",
        )


def _of_catalogue(
    settings: Settings, product: ProductContract, number: int, digest: str
) -> Iterator[Disagreement]:
    if digest != product.digest:
        yield Disagreement(
            product.id,
            f"the contract is {product.version}",
            f"release {number} was made under another one",
            "Run 'sjostad publish'.",
        )
    site = current_site(settings)
    shown = site.releases.get(product.id) if site else None
    expected = number if product.publication.audience == "open" else None
    if site and shown != expected:
        yield Disagreement(
            product.id,
            f"its newest release that may be shown is {expected or 'none'}",
            f"the catalogue shows {shown or 'none'}",
            "Run 'sjostad publish'.",
        )


def _means(column: ProductColumn, kind: str) -> bool:
    """Whether a type of DuckDB is what a contract's logical type stands for."""
    released = TYPES.get(column.logical_type)
    return released is not None and kind.upper().startswith(released.accepts)


@cache
def _models(project: Path) -> Mapping[str, Mapping[str, Any]]:
    """The models that dbt's YAML describes, by name."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted((project / "models").rglob("_*__models.yml")):
        for model in yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)["models"]:
            found[model["name"]] = model
    return found
