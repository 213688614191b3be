"""The jobs, each a run of its own.

In one Dagster run a failed step skips everything downstream of it. So a source that is down must
not stand in the same run as silver, and a product whose audit failed not in the same run as the
portal: each job takes whatever the one before it left in good order.

Two more, which none of them waits for: one asks the sources themselves whether rows were missed,
one does the upkeep of the tables.
"""

from __future__ import annotations

from typing import Final

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition as Job,  # what define_asset_job returns has no public name
)

from ingestion import can_be_reconciled, reconcile
from lakehouse.contracts import Contracts
from lakehouse.errors import SjostadError
from lakehouse.metering import Purpose
from lakehouse.settings import Settings
from orchestration.bronze import bronze_key
from orchestration.metering import Metering
from orchestration.release import release_key
from orchestration.upkeep import retention_of, told_of, upkeep_of

ORDER: Final = ("ingestion", "transformation", "publishing", "portal")
"""The jobs in the order in which one follows the other."""


def jobs(contracts: Contracts) -> dict[str, Job]:
    """The jobs by name."""
    sources = [bronze_key(source_id) for source_id in contracts.sources]
    releases = [release_key(product_id) for product_id in contracts.products]
    gates = [
        dg.AssetCheckKey(dg.AssetKey(["gold", product.model]), f"{check}_{product.id}")
        for product in contracts.products.values()
        for check in ("audit", "sharing")
    ]
    gate = dg.AssetSelection.checks(*gates)
    models = dg.AssetSelection.groups("silver") | dg.AssetSelection.key_prefixes("gold")
    selections = {
        "ingestion": (
            "Take what every source has delivered.",
            dg.AssetSelection.assets(*sources) | dg.AssetSelection.groups("reference"),
        ),
        "transformation": ("Build silver and gold where news arrived.", models - gate),
        "publishing": (
            "Audit every product, ask whether it may be shared, and release those that pass.",
            dg.AssetSelection.assets(*releases) | gate,
        ),
        "portal": (
            "Publish the catalogue, the site and the assistants' database.",
            dg.AssetSelection.groups("portal", "ai"),
        ),
    }
    return {
        name: dg.define_asset_job(name, selection, description=description)
        for name, (description, selection) in selections.items()
    }


def reconciliation(settings: Settings, contracts: Contracts) -> dg.JobDefinition:
    """The job that compares sources that can count with bronze, and takes in what is missing."""
    able = [source for source in contracts.sources.values() if can_be_reconciled(source)]

    @dg.op(name="reconcile", description="Compares the days of each source with bronze's.")
    def _reconcile(meter: Metering) -> None:
        failures = []
        for source in able:
            try:
                with meter.measure(Purpose("ingestion", "source", source.id)) as spent:
                    found = reconcile(settings, source, repair=True)
                    spent.rows = found.landed
            except SjostadError as error:  # the others can be asked all the same
                failures.append(str(error))
                continue
            days = ", ".join(f"{one.day}: {one.missing}" for one in found.days if one.missing)
            dg.get_dagster_logger().info(
                f"{source.id}, {found.first} to {found.last}: {found.landed:,} rows taken in; "
                f"missing afterwards: {days or 'none'}"
            )
            if found.lacking:
                failures.append(f"{source.id}: rows are missing that were not taken in: {days}")
        if failures:
            raise dg.Failure("; ".join(failures))

    @dg.job(
        name="reconciliation",
        description="Find rows that were committed at a source after its pull had passed them.",
    )
    def _reconciliation() -> None:
        _reconcile()

    return _reconciliation


def maintenance(settings: Settings) -> dg.JobDefinition:
    """The job that does the upkeep of every table."""

    @dg.op(name="maintain", description="What is kept no longer, small files, checkpoints.")
    def _maintain() -> None:
        log = dg.get_dagster_logger()
        failures = []
        for name, gone in retention_of(settings):
            if isinstance(gone, SjostadError):
                failures.append(str(gone))
            else:
                log.info(f"{name}: kept from {gone.kept_from} on, gone: {told_of(gone)}")
        for name, done in upkeep_of(settings):
            if isinstance(done, SjostadError):  # the others can be seen to all the same
                failures.append(str(done))
                continue
            log.info(
                f"{name}: files {done.files_before:,} → {done.files_after:,}, "
                f"{done.removed:,} removed that no version needed ({done.freed / 1e6:,.1f} MB), "
                f"{done.seconds:.1f} s"
            )
            for word in done.left:
                log.warning(f"{name}: left alone: {word}")
        if failures:
            raise dg.Failure("; ".join(failures))

    @dg.job(name="maintenance", description="Keep tables quick to open and to read.")
    def _maintenance() -> None:
        _maintain()

    return _maintenance
