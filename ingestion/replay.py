"""Reading landed deliveries again: a mended contract turns quarantined rows into landed ones.

The bytes come from the landing zone, with the time they were received at, so nothing has to be
delivered again. Rows that have landed stay as they are. The receipt of a replay stands for the
whole delivery, and its commit is one commit of bronze, as any other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingestion import accounts, quarantine, taken
from ingestion.accounts import Line
from ingestion.batches.batch import take
from ingestion.batches.reconsidered import WAIVABLE
from ingestion.deliveries import Again, Landed
from lakehouse.contracts import SourceContract
from lakehouse.errors import DeliveryRefused, LakeError, Problem
from lakehouse.ledger import Receipt
from lakehouse.locks import exclusive
from lakehouse.settings import Settings

_BATCH_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to.

    Attributes:
        receipts: One for each delivery, each for all takings of it.
        landed: Rows that have landed now.
        released: Rows that quarantine held before and does not any more.
        refused: Reasons of deliveries that cannot be trusted even now, or whose bytes were erased.
    """

    receipts: tuple[Receipt, ...]
    landed: int
    released: int
    refused: tuple[str, ...]


def replay(
    settings: Settings,
    contract: SourceContract,
    *,
    everything: bool = False,
    waived: frozenset[str] = frozenset(),
    decision: Mapping[str, str] | None = None,
) -> Replayed:
    """Read landed deliveries of a source again under its present contract.

    Args:
        settings: Says where landing zone and lake are.
        contract: The source.
        everything: All deliveries, not only those with rows in quarantine and refused ones.
        waived: Rules that a person sets aside, some of `WAIVABLE`; then only deliveries with rows
            that broke one of them are read.
        decision: Who decided that and why.

    Raises:
        Busy: Another process is ingesting this source.
        LakeError: A rule cannot be waived, bytes are missing, or rows that have landed would be
            read differently.
    """
    _require_waivable(waived)
    with exclusive(settings, f"ingest.{contract.id}"):
        accounts.repair(settings, contract.id)
        held_before = quarantine.count(settings, contract.id)
        chosen = _chosen(settings, contract.id, everything, waived)
        receipts: list[Receipt] = []
        # Of a delivery that held nothing but what was erased there is nothing to say.
        refused = [
            str(taken.was_erased(contract.id, line))
            for line in chosen
            if taken.is_erased(settings, contract.id, line) and line["landed"] + line["quarantined"]
        ]
        chosen = [one for one in chosen if not taken.is_erased(settings, contract.id, one)]
        landed = 0
        for group in _groups(settings, contract.id, chosen):
            done, problems = _take(settings, contract, group, waived, decision or {})
            before = {line["delivery"]: line["landed"] for line, _ in group if _is_taken(line)}
            landed += sum(one.ledger.landed - before.get(one.delivery, 0) for one in done)
            receipts += done
            refused += problems
            accounts.repair(settings, contract.id)
        released = held_before - quarantine.count(settings, contract.id)
        return Replayed(tuple(receipts), landed, released, tuple(refused))


def _require_waivable(waived: frozenset[str]) -> None:
    wrong = sorted(waived - WAIVABLE)
    if wrong:
        raise LakeError(
            Problem(
                ", ".join(wrong),
                "rows that break this rule cannot be read, so there is nothing to release",
                "Mend the contract and replay. "
                f"Rules to release from: {', '.join(sorted(WAIVABLE))}.",
            )
        )


def _is_taken(line: Line) -> bool:
    return bool(line["outcome"] != "refused")


def _chosen(
    settings: Settings, source_id: str, everything: bool, waived: frozenset[str]
) -> list[Line]:
    """The lines of the deliveries to read, oldest first."""
    standing = accounts.standing(settings, source_id)
    if waived:
        rows = quarantine.rows(settings, source_id)
        wanted = {row["_delivery"] for row in rows if row["rule"] in waived}
        return [line for sha256, line in standing.items() if sha256 in wanted]
    read = [line for line in standing.values() if everything or line["quarantined"]]
    return [*read, *taken.refused(settings, source_id, standing)]


def _groups(
    settings: Settings, source_id: str, lines: Sequence[Line]
) -> Iterator[list[tuple[Line, Landed]]]:
    """Deliveries as they lie in the landing zone, in groups; a refused one stays alone."""
    group: list[tuple[Line, Landed]] = []
    for line in lines:
        one = (line, taken.landed(settings, source_id, line))
        if not _is_taken(line):
            yield [one]
            continue
        group.append(one)
        if sum(landed.size for _, landed in group) >= _BATCH_BYTES:
            yield group
            group = []
    if group:
        yield group


def _take(
    settings: Settings,
    contract: SourceContract,
    group: Sequence[tuple[Line, Landed]],
    waived: frozenset[str],
    decision: Mapping[str, str],
) -> tuple[tuple[Receipt, ...], list[str]]:
    before = [line for line, _ in group if _is_taken(line)]
    again = Again(
        landed={line["delivery"]: line["landed"] for line in before},
        batches=frozenset(line["batch"] for line in before),
        waived=waived,
        decision=decision,
    )
    try:
        with tempfile.TemporaryDirectory(prefix="scratch-", dir=settings.home) as scratch:
            batch = take(settings, contract, [one for _, one in group], Path(scratch), again)
            return batch.receipts, []
    except DeliveryRefused as refusal:
        if len(group) == 1:
            return (), [str(refusal)]
        # One of them is at fault, and the others must not wait for it.
        each = [_take(settings, contract, [one], waived, decision) for one in group]
        return (
            tuple(receipt for receipts, _ in each for receipt in receipts),
            [problem for _, problems in each for problem in problems],
        )
