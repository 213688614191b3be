"""Deciding whether a product may be shared, and keeping the decision."""

from __future__ import annotations

from datetime import date

from lakehouse import delta, tables
from lakehouse.contracts import Contracts, ProductContract
from lakehouse.decisions import Decision, inputs_of, save_decision
from lakehouse.errors import LakeError, Problem
from lakehouse.settings import Settings
from quality.policy import decide, facts_of


def decide_product(
    settings: Settings, contracts: Contracts, contract: ProductContract, today: date
) -> Decision:
    """Ask the sharing policy about the newest version of a product, and keep what it says.

    Raises:
        LakeError: The model has not been built.
    """
    address = tables.model(settings, "gold", contract.model)
    version = delta.version_of(address)
    if version is None:
        raise LakeError(
            Problem(str(address), "the model has not been built", "Run 'sjostad build' first.")
        )
    approval = contracts.approval(contract.id)
    decision = Decision(
        product=contract.id,
        audience=contract.publication.audience,
        contract_version=contract.version,
        inputs=inputs_of(contracts, contract),
        delta_version=version,
        outcomes=decide(facts_of(contracts, contract, today)),
        decided_on=today.isoformat(),
        valid_until=approval.valid_until if approval else None,
    )
    save_decision(settings, decision)
    return decision
