"""Metering the runs of jobs: one commit at the end of each, whatever came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import dagster as dg

from lakehouse import tables
from lakehouse.contracts import Contracts
from lakehouse.metering import Meter, Purpose, keep
from lakehouse.settings import Settings

Metering = dg.ResourceParam[Meter]
"""What assets and checks ask for under the name `meter`."""

_LAYERS: Final = ("silver", "gold")


def metering(settings: Settings) -> dg.ResourceDefinition:
    """A meter for each run, kept when the run ends: jobs run in one process each."""

    @dg.resource(description="What the run takes, by what it was done for.")
    def _meter(context: dg.InitResourceContext) -> Iterator[Meter]:
        meter = Meter(context.run.run_id if context.run else "")
        try:
            yield meter
        finally:
            keep(settings, meter)

    return _meter


def metering_spec(settings: Settings) -> dg.AssetSpec:
    """The table that runs add to as they end; no job makes it."""
    return dg.AssetSpec(
        ["operations", "metering"],
        group_name="operations",
        kinds={"delta"},
        description="Processor seconds, rows and bytes of each piece of work, and what it was for.",
        metadata={"dagster/uri": dg.MetadataValue.path(str(tables.metering(settings)))},
    )


def of_models(
    results: Iterable[Mapping[str, Any]],
    nodes: Mapping[str, Mapping[str, Any]],
    contracts: Contracts,
) -> dict[Purpose, float]:
    """Seconds that dbt spent on models and their tests, by what those were built for.

    Gold is built for the products whose rows come through it, in equal shares; silver, and gold
    that no product is made of, for all.

    Args:
        results: What dbt's `run_results.json` has of each node.
        nodes: Nodes of dbt's manifest.
        contracts: The products.
    """
    users = users_of(nodes, contracts)
    found: dict[Purpose, float] = {}
    for result in results:
        node = nodes.get(result["unique_id"], {})
        model = nodes.get(node.get("attached_node") or result["unique_id"], {})
        layer = model.get("schema")
        if layer not in _LAYERS:
            continue
        name = f"{layer}.{model['name']}"
        products = users.get(model["unique_id"], ())
        purposes = [Purpose(layer, "product", one, name) for one in products]
        purposes = purposes or [Purpose(layer, "platform", layer, name)]
        for purpose in purposes:
            share = result["execution_time"] / len(purposes)
            found[purpose] = found.get(purpose, 0.0) + share
    return found


def users_of(
    nodes: Mapping[str, Mapping[str, Any]], contracts: Contracts
) -> dict[str, tuple[str, ...]]:
    """The products whose rows come through each gold model, by dbt's id of the model."""
    ids = {node["name"]: key for key, node in nodes.items() if node.get("schema") == "gold"}
    users: dict[str, set[str]] = {}
    for product in contracts.products.values():
        waiting = [ids[product.model]] if product.model in ids else []
        while waiting:
            key = waiting.pop()
            if product.id in users.setdefault(key, set()):
                continue
            users[key].add(product.id)
            upstream = nodes[key]["depends_on"]["nodes"]
            waiting += [one for one in upstream if nodes.get(one, {}).get("schema") == "gold"]
    return {key: tuple(sorted(found)) for key, found in users.items()}
