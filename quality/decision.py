"""Deciding whether a product may be shared, and keeping the decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from lakehouse.contracts import Contracts, ProductContract
from lakehouse.decisions import Decision, Outcome, inputs_of, save_decision
from lakehouse.settings import Settings
from lakehouse.timeline import city_today
from quality.built import require_built
from quality.policy import decide, facts_of


def decide_product(
    settings: Settings,
    contracts: Contracts,
    contract: ProductContract,
    today: date | None = None,
    also: Sequence[Outcome] = (),
) -> Decision:
    """Ask the sharing policy about the newest version of a product, and keep what it says.

    Args:
        settings: Where the lake and the decisions are.
        contracts: Every contract and approval.
        contract: The product.
        today: The day of the decision; the city's by default.
        also: What others have asked of it that must hold as the rules must.

    Raises:
        LakeError: The model has not been built.
    """
    today = today or city_today()
    _, version = require_built(settings, contract)
    approval = contracts.approval(contract.id)
    decision = Decision(
        product=contract.id,
        audience=contract.publication.audience,
        contract_version=contract.version,
        inputs=inputs_of(contracts, contract),
        delta_version=version,
        outcomes=(*decide(facts_of(contracts, contract, today)), *also),
        decided_on=today.isoformat(),
        valid_until=approval.valid_until if approval else None,
    )
    save_decision(settings, decision)
    return decision
