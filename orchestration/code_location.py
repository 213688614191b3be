"""Dagster definitions of one lake, built from its contracts. Reads files, starts nothing."""

from __future__ import annotations

import dagster as dg

from lakehouse.contracts import Contracts
from lakehouse.settings import Settings
from orchestration.automation import chain, daily, inbox_sensor, nightly, noting, weekly
from orchestration.bronze import bronze_asset, reference_asset
from orchestration.jobs import jobs, maintenance, reconciliation
from orchestration.metering import metering, metering_spec
from orchestration.models import dbt_resource, model_assets
from orchestration.release import audit_check, portal_assets, release_asset, sharing_check


def build(settings: Settings, contracts: Contracts) -> dg.Definitions:
    """The definitions of one lake.

    Args:
        settings: The lake.
        contracts: Its contracts, checked.
    """
    defined = jobs(contracts)
    comparing = reconciliation(settings, contracts)
    upkeep = maintenance(settings)
    return dg.Definitions(
        assets=[
            reference_asset(settings, contracts),
            *(bronze_asset(settings, source) for source in contracts.sources.values()),
            metering_spec(settings),
            model_assets(settings, contracts),
            *(release_asset(settings, contracts, p) for p in contracts.products.values()),
            *portal_assets(settings, contracts),
        ],
        asset_checks=[
            *(audit_check(settings, contracts, p) for p in contracts.products.values()),
            *(sharing_check(settings, contracts, p) for p in contracts.products.values()),
        ],
        jobs=[*defined.values(), comparing, upkeep],
        schedules=[daily(defined["ingestion"]), weekly(comparing), nightly(upkeep)],
        sensors=[
            inbox_sensor(settings, contracts, defined["ingestion"]),
            *chain(defined, comparing),
            *noting(settings, [*defined.values(), comparing, upkeep]),
        ],
        resources={"dbt": dbt_resource(), "meter": metering(settings)},
        executor=dg.in_process_executor,
    )
