"""The decision of the sharing policy, bound to what it was made of and to one Delta version.

Decisions stand between quality, which makes them, and publishing, which obeys them, beside the
verdicts: a verdict says that data are good, a decision that they may be shared. They are kept as
JSON files in the home folder, one for each product, version and inputs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from lakehouse.contracts import Contracts, ProductContract
from lakehouse.flushing import write_whole
from lakehouse.settings import Settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """One rule of the policy and what came of it.

    Attributes:
        rule: Its name, such as `personal_data`.
        law: Where it comes from.
        holds: Whether the product meets it; None if it does not concern the product.
        sv: Why, in Swedish.
        en: The same in English.
    """

    rule: str
    law: str
    holds: bool | None
    sv: str
    en: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether one version of one product may be shared with one audience.

    Attributes:
        product: Product id.
        audience: With whom: `open`, `internal` or `restricted`.
        contract_version: Semantic version of the contract.
        inputs: Digest of all that was decided upon (`inputs_of`).
        delta_version: Version of the product's table.
        outcomes: Every rule, in the policy's order, and what else was asked.
        decided_on: When, ISO 8601.
        valid_until: Last day on which it holds, if the approval ends.
    """

    product: str
    audience: str
    contract_version: str
    inputs: str
    delta_version: int
    outcomes: tuple[Outcome, ...]
    decided_on: str
    valid_until: str | None

    @property
    def objections(self) -> tuple[Outcome, ...]:
        """The rules that speak against sharing."""
        return tuple(outcome for outcome in self.outcomes if outcome.holds is False)

    @property
    def allowed(self) -> bool:
        """True only if rules were asked and none speaks against it."""
        return any(outcome.holds for outcome in self.outcomes) and not self.objections

    def holds_on(self, day: date) -> bool:
        """Whether a day is within the time that it was made for."""
        return self.decided_on <= day.isoformat() <= (self.valid_until or "9999-12-31")


def inputs_of(contracts: Contracts, contract: ProductContract) -> str:
    """Digest of what a decision hangs on: product, its sources, and the approval.

    So a decision made before a source was classified higher, or an approval taken back, is none.
    """
    known, sources = contracts.sources, sorted(contract.publication.sources)
    approval = contracts.approval(contract.id)
    content = [
        contract.digest,
        [[name, known[name].digest if name in known else None] for name in sources],
        approval.model_dump(mode="json") if approval else None,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def save_decision(settings: Settings, decision: Decision) -> Path:
    """Keep a decision; an earlier one of the same product, version and inputs is replaced."""
    path = _path(settings, decision.product, decision.delta_version, decision.inputs)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(asdict(decision), ensure_ascii=False, indent=2).encode())
    return path


def load_decision(
    settings: Settings, contracts: Contracts, contract: ProductContract, delta_version: int
) -> Decision | None:
    """The decision on a version, made of what the contracts say now; None if there is none."""
    inputs = inputs_of(contracts, contract)
    path = _path(settings, contract.id, delta_version, inputs)
    if not path.is_file():
        return None
    found = decision_from(json.loads(path.read_text(encoding="utf-8")))
    is_of = (found.product, found.audience, found.inputs, found.delta_version) == (
        contract.id,
        contract.publication.audience,
        inputs,
        delta_version,
    )
    return found if is_of else None


def decision_from(data: Mapping[str, Any]) -> Decision:
    """A decision from its JSON."""
    outcomes = tuple(Outcome(**outcome) for outcome in data["outcomes"])
    return Decision(**{**data, "outcomes": outcomes})


def _path(settings: Settings, product: str, delta_version: int, inputs: str) -> Path:
    return settings.decisions / product / f"{delta_version:08d}-{inputs[:12]}.json"
