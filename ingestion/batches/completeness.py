"""Whether a delivery is whole: a text file that was cut at a line end looks like a whole one.

Only a number that the supplier gives, or the source's own history, can tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Final

from ingestion import accounts
from ingestion.deliveries import Landed
from ingestion.reading.trailers import REMEDY, require_count
from lakehouse.contracts import SourceContract
from lakehouse.errors import DeliveryRefused, Problem
from lakehouse.ledger import Receipt
from lakehouse.settings import Settings

_RECENT: Final = 20
"""Deliveries that what is usual is taken from."""
_ENOUGH: Final = 5
"""Fewer deliveries are no history."""


def check(
    settings: Settings,
    contract: SourceContract,
    deliveries: Sequence[Landed],
    receipts: Sequence[Receipt],
) -> tuple[Receipt, ...]:
    """Hold each delivery to the number in its name, and to what is usual for its source.

    Returns:
        The receipts, with a finding where a delivery is much shorter than usual.

    Raises:
        DeliveryRefused: It has another number of records than its name says, or is much shorter
            than usual and the contract refuses such.
    """
    rule = contract.delivery.complete
    names = {one.sha256: one.offer.name for one in deliveries}
    if rule.name is not None:
        for receipt in receipts:
            match = re.search(rule.name, names[receipt.delivery])
            if match:
                require_count(receipt.name, receipt.ledger.records, int(match[1]))
    if rule.least_share == 0 or all(one.offer.is_pulled for one in deliveries):
        return tuple(receipts)
    usual = _usual(settings, contract, set(names))
    return tuple(_held_to(contract, receipt, usual) for receipt in receipts)


def _usual(
    settings: Settings, contract: SourceContract, apart_from: set[str]
) -> Mapping[str, float]:
    """The median of records in recent deliveries, by what their names have in common."""
    found: dict[str, list[int]] = {}
    standing = accounts.standing(settings, contract.id, ("name", "records"))
    for sha256, line in standing.items():
        if sha256 not in apart_from:
            found.setdefault(_kind(line["name"]), []).append(line["records"])
    return {
        kind: median(counts[-_RECENT:]) for kind, counts in found.items() if len(counts) >= _ENOUGH
    }


def _kind(name: str) -> str:
    """A delivery's name without the digits that tell one day or number from another."""
    return re.sub(r"\d+", "#", name)


def _held_to(contract: SourceContract, receipt: Receipt, usual: Mapping[str, float]) -> Receipt:
    rule, expected = contract.delivery.complete, usual.get(_kind(receipt.name))
    records = receipt.ledger.records
    if expected is None or records >= rule.least_share * expected:
        return receipt
    what = f"{records:,} records, where {expected:,.0f} are usual: it may have been cut"
    if rule.short == "refuse":
        raise DeliveryRefused(Problem(receipt.name, what, REMEDY))
    return replace(receipt, findings=(*receipt.findings, what))
