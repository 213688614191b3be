"""What a release needs before a row leaves the lake: a passed audit and a decision to share.

Both must be of the newest version of the product's table and of what the contracts say now. Who
made them and how is nothing that publishing knows: it reads what was kept, and refuses what is not
there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from lakehouse import delta, tables
from lakehouse.contracts import Contracts, ProductContract
from lakehouse.contracts.classification import Classification
from lakehouse.decisions import Decision, load_decision
from lakehouse.errors import Problem, ReleaseRefused
from lakehouse.settings import Settings
from lakehouse.verdicts import Verdict, load_verdict


@dataclass(frozen=True, slots=True)
class Permission:
    """Why one version of one product may be released.

    Attributes:
        contract: The product.
        classification: Its classification; nothing is released without one.
        address: Its table.
        verdict: The audit that it passed.
        decision: The decision that it may be shared.
    """

    contract: ProductContract
    classification: Classification
    address: Path
    verdict: Verdict
    decision: Decision

    @property
    def delta_version(self) -> int:
        """The version of the table that may be released."""
        return self.verdict.delta_version


def permission(
    settings: Settings, contracts: Contracts, contract: ProductContract, today: date
) -> Permission:
    """The permission to release the newest version of a product.

    Raises:
        ReleaseRefused: Naming everything that speaks against it.
    """
    address = tables.model(settings, "gold", contract.model)
    version = delta.version_of(address)
    if version is None:
        raise ReleaseRefused(
            Problem(str(address), "there is no table to release", "Run the transformation first.")
        )
    place = f"{contract.id}, version {version} of {contract.model}"
    verdict = _verdict(settings, contract, version, place)
    decision = _decision(settings, contracts, contract, version, place, today)
    if contract.classification is None:
        raise ReleaseRefused(
            Problem(place, "nobody has classified it", "Add 'classification' to its contract.")
        )
    return Permission(contract, contract.classification, address, verdict, decision)


def _verdict(settings: Settings, contract: ProductContract, version: int, place: str) -> Verdict:
    again = f"Run the audit of {contract.id}, then release again."
    verdict = load_verdict(settings, contract, version)
    if verdict is None:
        raise ReleaseRefused(
            Problem(
                place,
                f"this version has not been audited against contract {contract.version}",
                again,
            )
        )
    if not verdict.covers(contract, version) or verdict.model != contract.model:
        raise ReleaseRefused(
            Problem(
                place,
                f"the verdict is of {verdict.product}, version {verdict.delta_version} of "
                f"{verdict.model}, contract {verdict.contract_version}",
                again,
            )
        )
    if not verdict.passed:
        reasons = verdict.reasons or ("no check was made",)
        raise ReleaseRefused(
            *(
                Problem(place, f"the audit failed: {reason}", "Mend the data or the contract.")
                for reason in reasons
            )
        )
    return verdict


def _decision(
    settings: Settings,
    contracts: Contracts,
    contract: ProductContract,
    version: int,
    place: str,
    today: date,
) -> Decision:
    again = f"Run 'sjostad audit {contract.id}', then release again."
    decision = load_decision(settings, contracts, contract, version)
    if decision is None:
        raise ReleaseRefused(
            Problem(
                place,
                f"nobody has decided on sharing this version as {contract.publication.audience} "
                "under what the contracts and approvals say now",
                again,
            )
        )
    if not decision.allowed:
        said = [outcome.en for outcome in decision.objections] or ["No rule was asked."]
        raise ReleaseRefused(
            *(
                Problem(place, f"it may not be shared: {one.rstrip('.')}", "See docs/delning.md.")
                for one in said
            )
        )
    if not decision.holds_on(today):
        raise ReleaseRefused(
            Problem(
                place,
                f"the decision to share it holds from {decision.decided_on} until "
                f"{decision.valid_until or 'further notice'}",
                again,
            )
        )
    return decision
