"""Assets made from source contracts: the reference tables and one bronze table a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg

from ingestion import Balance, SourceOutcome, balance, ingest_source
from lakehouse import tables
from lakehouse.contracts import Contracts, SourceContract
from lakehouse.metering import Purpose
from lakehouse.reference import reference_tables, write_reference
from lakehouse.settings import Settings
from orchestration import metadata
from orchestration.metering import Metering

_ACCOUNTED = "every_row_accounted_for"
_TRUSTED = "every_delivery_trusted"


def bronze_key(source_id: str) -> dg.AssetKey:
    """The asset of a source's bronze table."""
    return dg.AssetKey(["bronze", source_id])


def reference_asset(settings: Settings, contracts: Contracts) -> dg.AssetsDefinition:
    """The tables that say what the contracts and the vocabulary say."""
    names = list(reference_tables(contracts))

    @dg.multi_asset(
        name="reference",
        specs=[
            dg.AssetSpec(
                ["reference", name],
                group_name="reference",
                kinds={"delta"},
                description=f"What the contracts say about {name.replace('_', ' ')}.",
            )
            for name in names
        ],
    )
    def _reference(meter: Metering) -> Iterator[dg.MaterializeResult[None]]:
        with meter.measure(Purpose("ingestion", "platform", "reference")):
            commits = write_reference(settings, contracts)
        for name in names:
            shown = metadata.of_table(tables.reference(settings, name))
            shown["changed"] = dg.MetadataValue.bool(commits[name].written)
            yield dg.MaterializeResult(["reference", name], metadata=shown)

    return _reference


def bronze_asset(settings: Settings, contract: SourceContract) -> dg.AssetsDefinition:
    """The bronze table of one source, with the account of what was delivered."""
    key = bronze_key(contract.id)
    delivery, classification = contract.delivery, contract.classification

    @dg.asset(
        key=key,
        group_name="bronze",
        kinds={"delta", delivery.format.split("_")[0]},
        owners=[contract.ownership.contact],
        description=f"{contract.name}. {contract.description}".strip(),
        tags={
            "domain": contract.domain,
            "organisation": contract.ownership.organisation,
            "initiative": contract.ownership.initiative,
            "protocol": contract.protocol,
        },
        metadata={
            "contract": dg.MetadataValue.path(str(contract.path)),
            "contract_version": contract.version,
            "owner": contract.ownership.owner,
            "classification": f"K{classification.k} R{classification.r} T{classification.t}",
        },
        check_specs=[
            dg.AssetCheckSpec(
                _ACCOUNTED,
                asset=key,
                blocking=True,
                description="The ledger and the tables tell the same number of rows.",
            ),
            dg.AssetCheckSpec(
                _TRUSTED, asset=key, description="No delivery had to be refused whole."
            ),
        ],
    )
    def _bronze(meter: Metering) -> Iterator[dg.MaterializeResult[None]]:
        with meter.measure(Purpose("ingestion", "source", contract.id)) as spent:
            outcome = ingest_source(settings, contract)
            spent.rows = outcome.ledger.rows_in
            spent.bytes = sum(receipt.size for receipt in outcome.receipts)
        yield _result(settings, contract, outcome, balance(settings, contract.id))

    return _bronze


def _result(
    settings: Settings, contract: SourceContract, outcome: SourceOutcome, account: Balance
) -> dg.MaterializeResult[None]:
    shown = metadata.of_table(tables.bronze(settings, contract.id))
    shown |= metadata.of_ledger(outcome.ledger)
    shown |= metadata.of_receipts(outcome.receipts) if outcome.receipts else {}
    shown["passed_over"] = dg.MetadataValue.int(outcome.passed_over)
    shown["reread"] = dg.MetadataValue.int(outcome.reread)
    shown["refused"] = dg.MetadataValue.int(len(outcome.refused))
    key = bronze_key(contract.id)
    refused = "; ".join(receipt.reason or receipt.name for receipt in outcome.refused)
    return dg.MaterializeResult(
        key,
        metadata=shown,
        check_results=[
            dg.AssetCheckResult(
                asset_key=key,
                check_name=_ACCOUNTED,
                passed=account.is_kept,
                metadata=asdict(account),
            ),
            dg.AssetCheckResult(
                asset_key=key,
                check_name=_TRUSTED,
                passed=not outcome.refused,
                severity=dg.AssetCheckSeverity.WARN,
                description=refused or None,
            ),
        ],
    )
