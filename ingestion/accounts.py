"""The ledger table: one row for every delivery taken, refused or delivered again.

Bronze commits carry their own ledger; this table is the readable copy. It says how far it has
followed each source by a mark of its own, so a crash between the two leaves a gap that the
next run fills from the bronze log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa

from ingestion.deliveries import Offer, delivery_mark
from lakehouse import delta, tables
from lakehouse.contracts import SourceContract
from lakehouse.delta import data_files
from lakehouse.ledger import Ledger, Receipt
from lakehouse.settings import Settings

Line = dict[str, Any]
"""A row of the ledger table."""

_TAKEN: Final = ("landed", "replayed")


@dataclass(frozen=True, slots=True)
class Seen:
    """Which deliveries of a source were dealt with before, and under which names.

    Whether one was taken, the bronze table's own marks say; the ledger only knows the names. A
    refused delivery counts as dealt with only under the contract that refused it: a mended
    contract gives it another chance.
    """

    names: Mapping[str, frozenset[str]]
    landed: frozenset[str]
    refused: frozenset[str]
    all_names: frozenset[str]

    @classmethod
    def of(cls, settings: Settings, contract: SourceContract) -> Self:
        """Read it from the ledger and the bronze table."""
        names: dict[str, set[str]] = {}
        refused: set[str] = set()
        for row in lines(settings, contract.id, ("outcome", "batch_id", "delivery", "name")):
            if row["outcome"] == "refused":
                if row["batch_id"] != contract.digest:
                    continue
                refused.add(row["delivery"])
            names.setdefault(row["delivery"], set()).add(row["name"])
        marks = {delivery_mark(sha256): sha256 for sha256 in names}
        held = delta.marked(tables.bronze(settings, contract.id), marks)
        return cls(
            {key: frozenset(found) for key, found in names.items()},
            frozenset(marks[mark] for mark in held),
            frozenset(refused),
            frozenset(chain.from_iterable(names.values())),
        )

    def has_name(self, name: str) -> bool:
        """Whether any bytes were dealt with before under this name."""
        return name in self.all_names

    def under_this_name(self, sha256: str, name: str) -> bool:
        """Whether these bytes were dealt with before under this very name."""
        return name in self.names.get(sha256, ()) and (
            sha256 in self.landed or sha256 in self.refused
        )

    def taken(self, sha256: str) -> bool:
        """Whether these bytes have landed before."""
        return sha256 in self.landed


def repair(settings: Settings, source_id: str) -> int:
    """Copy the ledgers of bronze commits that the ledger table does not have yet.

    Returns:
        The number of commits copied.
    """
    bronze = tables.bronze(settings, source_id)
    reached = delta.mark_of(tables.ledger(settings), f"source:{source_id}")
    if delta.mark_of(bronze, "batch") <= reached:
        return 0
    pending = _noted_after(bronze, reached)
    for note in pending:
        number = int(note["batch"])
        receipts = [_receipt(item) for item in json.loads(note["receipts"])]
        _append(
            settings,
            [_row(source_id, receipt, number, note["batch_id"]) for receipt in receipts],
            {f"source:{source_id}": number},
        )
    return len(pending)


def _noted_after(bronze: Path, reached: int) -> list[dict[str, Any]]:
    """Notes of the bronze batches after a number, oldest first."""
    found: list[dict[str, Any]] = []
    for version in range(delta.version_of(bronze) or 0, 0, -1):
        note = delta.note_of(bronze, version)
        if "batch" not in note:
            continue  # maintenance, such as compaction
        if int(note["batch"]) <= reached:
            break
        found.append(note)
    return found[::-1]


_ORDER: Final = ("batch", "recorded_at")


def lines(settings: Settings, source_id: str, columns: Sequence[str] = ()) -> list[Line]:
    """Every line of a source in the ledger table, oldest first.

    Args:
        settings: Says where the ledger is.
        source_id: The source.
        columns: What is wanted of each line, everything by default: a source has a line for each
            delivery it ever made, and most questions are about a few columns.
    """
    address = tables.ledger(settings)
    if not delta.exists(address):
        return []
    wanted = list(columns or tables.LEDGER.names)
    asked = [*dict.fromkeys([*wanted, *_ORDER])]
    found: list[Line] = (
        data_files.rows_where(delta.open_table(address), "source_id", source_id, asked)
        .sort_by([(name, "ascending") for name in _ORDER])
        .select(wanted)
        .to_pylist()
    )
    return found


def standing(settings: Settings, source_id: str, columns: Sequence[str] = ()) -> dict[str, Line]:
    """The line that stands for each delivery that has been taken, by sha-256.

    A replay accounts for the whole delivery, so the newest taking stands for all before it.

    Args:
        settings: Says where the ledger is.
        source_id: The source.
        columns: What is wanted of each line besides `delivery` and `outcome`; by default all.
    """
    wanted = ("delivery", "outcome", *columns) if columns else ()
    taken = [line for line in lines(settings, source_id, wanted) if line["outcome"] in _TAKEN]
    return {line["delivery"]: line for line in taken}


def record_refusal(
    settings: Settings, contract: SourceContract, offer: Offer, sha256: str, reason: str
) -> Receipt:
    """Name a refused delivery in quarantine and in the ledger."""
    receipt = Receipt(
        delivery=sha256,
        name=offer.name,
        size=offer.size,
        outcome="refused",
        reason=reason,
        received_at=offer.received_at.isoformat(),
    )
    mark = f"refused:{_key(sha256, offer.name, contract.digest)}"
    delta.append(
        tables.quarantine(settings, contract.id),
        pa.Table.from_pylist(
            [
                {
                    "reason": reason,
                    "rule": "delivery_refused",
                    "name": offer.name,
                    "_batch": 0,
                    "_delivery": sha256,
                    "_row": 0,
                    "_received_at": offer.received_at,
                    "_landed_at": datetime.now(UTC),
                }
            ],
            tables.QUARANTINE,
        ),
        tables.QUARANTINE,
        marks={mark: 1},
        description=f"Rows of {contract.id} that broke its contract.",
    )
    _append(settings, [_row(contract.id, receipt, None, contract.digest)], {mark: 1})
    return receipt


def record_duplicate(
    settings: Settings, contract: SourceContract, offer: Offer, sha256: str
) -> Receipt:
    """Account for bytes that came again under another name: every row is a duplicate."""
    first = standing(settings, contract.id, ("bytes", "records", "rows_in"))[sha256]
    receipt = Receipt(
        delivery=sha256,
        name=offer.name,
        size=first["bytes"],
        outcome="duplicate",
        ledger=Ledger(
            records=first["records"], rows_in=first["rows_in"], duplicates=first["rows_in"]
        ),
        received_at=offer.received_at.isoformat(),
    )
    mark = f"duplicate:{_key(contract.id, sha256, offer.name)}"
    _append(settings, [_row(contract.id, receipt, None, None)], {mark: 1})
    return receipt


def _row(
    source_id: str, receipt: Receipt, batch: int | None, batch_id: str | None
) -> dict[str, object]:
    ledger = receipt.ledger
    return {
        "source_id": source_id,
        "batch": batch,
        "batch_id": batch_id,
        "delivery": receipt.delivery,
        "name": receipt.name,
        "outcome": receipt.outcome,
        "reason": receipt.reason,
        "bytes": receipt.size,
        "records": ledger.records,
        "rows_in": ledger.rows_in,
        "landed": ledger.landed,
        "quarantined": ledger.quarantined,
        "duplicates": ledger.duplicates,
        "filtered": ledger.filtered_rows,
        "filtered_by_rule": json.dumps(dict(ledger.filtered), sort_keys=True),
        "findings": json.dumps(list(receipt.findings), ensure_ascii=False),
        "received_at": receipt.received_at,
        "recorded_at": datetime.now(UTC),
    }


def _receipt(item: Mapping[str, Any]) -> Receipt:
    fields = {**item, "ledger": Ledger(**item["ledger"]), "findings": tuple(item["findings"])}
    return Receipt(**fields)


def _append(
    settings: Settings, rows: Iterable[Mapping[str, object]], marks: Mapping[str, int]
) -> None:
    delta.append(
        tables.ledger(settings),
        pa.Table.from_pylist(list(rows), tables.LEDGER),
        tables.LEDGER,
        marks=marks,
        description="Every delivery taken, refused or delivered again, with its account.",
    )


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
