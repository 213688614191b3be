"""The account of a delivery: where every row that was offered went.

The identity `rows_in = landed + quarantined + duplicates + filtered` is checked before anything
is committed; a batch that does not add up is not written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lakehouse.errors import LakeError, Problem

Outcome = Literal["landed", "replayed", "duplicate", "refused"]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Counts of one delivery, or of several added up.

    Attributes:
        records: Records as the supplier counts them (lines, uplinks, readings).
        rows_in: Rows that the records give: one for each record and channel.
        landed: Rows new to bronze.
        quarantined: Rows that broke the contract.
        duplicates: Rows that bronze already held with the same content.
        filtered: Rows left out on purpose, by the name of the rule.
    """

    records: int = 0
    rows_in: int = 0
    landed: int = 0
    quarantined: int = 0
    duplicates: int = 0
    filtered: Mapping[str, int] = field(default_factory=dict)

    @property
    def filtered_rows(self) -> int:
        """Rows left out by any rule."""
        return sum(self.filtered.values())

    @property
    def adds_up(self) -> bool:
        """Whether every row offered is accounted for."""
        out = self.landed + self.quarantined + self.duplicates + self.filtered_rows
        return self.rows_in == out

    def __add__(self, other: Ledger) -> Ledger:
        rules = {*self.filtered, *other.filtered}
        return Ledger(
            records=self.records + other.records,
            rows_in=self.rows_in + other.rows_in,
            landed=self.landed + other.landed,
            quarantined=self.quarantined + other.quarantined,
            duplicates=self.duplicates + other.duplicates,
            filtered={
                rule: self.filtered.get(rule, 0) + other.filtered.get(rule, 0)
                for rule in sorted(rules)
            },
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one delivery.

    Attributes:
        delivery: sha-256 of its bytes.
        name: Name it came under.
        size: Bytes.
        outcome: Landed (perhaps with nothing new), read again, known before, or refused whole.
        reason: Why it was refused.
        ledger: Its account.
        findings: What a data engineer should look at, such as unknown channels.
        received_at: When it was received, ISO 8601 in UTC.
    """

    delivery: str
    name: str
    size: int
    outcome: Outcome
    ledger: Ledger = Ledger()
    reason: str | None = None
    findings: tuple[str, ...] = ()
    received_at: str | None = None


def require_balance(source_id: str, receipt: Receipt) -> None:
    """Stop a batch whose account does not add up.

    Raises:
        LakeError: Naming the delivery and the counts.
    """
    if not receipt.ledger.adds_up:
        raise LakeError(
            Problem(
                f"{source_id}, delivery {receipt.name}",
                f"the ledger does not add up: {receipt.ledger}",
                "Nothing was written. This is a fault in the reader; report it with the delivery.",
            )
        )
