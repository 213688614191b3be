"""What a product says that it is made of, against what its model is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lakehouse.contracts import Contracts, ProductContract
from lakehouse.contracts.own import OWN
from lakehouse.curated import LAYERS, Model, shared_models
from orchestration.dbt_manifest import Nodes

_OWN: Final = "source.sjostad.operations."
"""How dbt names the lake's own tables, which no source delivers."""

_DELIVERED: Final = "source.sjostad.bronze."


def undeclared(
    contracts: Contracts, product: ProductContract, nodes: Nodes
) -> Iterator[tuple[str, str]]:
    """What a product does not say of what it is made of, as two sides that differ.

    All telemetry is one table to dbt, so which of the open sources a model reads cannot be told
    from lineage; that it reads what may not be shared can, and so can the lake's own tables.

    Args:
        contracts: The sources.
        product: The product.
        nodes: dbt's nodes.
    """
    models = [
        Model.of(one)
        for one in nodes.values()
        if one["resource_type"] == "model" and one["schema"] in LAYERS
    ]
    (model,) = (one for one in models if (one.layer, one.name) == ("gold", product.model))
    named = product.publication.sources
    said = f"the contract names {', '.join(named) or 'no source'}"
    closed = [
        name
        for name in named
        if name in contracts.sources and not contracts.sources[name].classification.is_shareable
    ]
    if model not in shared_models(models) and not closed:
        yield said, f"gold.{product.model} is made of readings that may not be shared openly"
    reads = _roots(model.unique_id, nodes)
    own = {one.removeprefix(_OWN) for one in reads if one.startswith(_OWN)}
    for name in sorted(own - set(named)):
        yield said, f"gold.{product.model} is made of the lake's own '{name}'"
    if any(one.startswith(_DELIVERED) for one in reads) and not set(named) - set(OWN):
        yield said, f"gold.{product.model} is made of what sources have delivered"


def _roots(model: str, nodes: Nodes) -> set[str]:
    """The sources of dbt that a model is made from."""
    waiting, seen = [model], {model}
    while waiting:
        for one in nodes[waiting.pop()]["depends_on"]["nodes"]:
            if one not in seen:
                seen.add(one)
                waiting += [one] if one in nodes else []
    return {one for one in seen if one not in nodes}
