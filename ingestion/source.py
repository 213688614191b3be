"""Ingesting one source: ask its protocol, take what is new, account for everything.

Deliveries are taken in batches. A delivery that cannot be trusted is refused whole and named in
quarantine; the others go on. What was taken before is recognised by its digest: under the same
name it is passed over, under another it is counted as a duplicate.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingestion import accounts
from ingestion.batches.batch import Batch, take
from ingestion.deliveries import Landed, Offer, delivery_mark
from ingestion.fetching import Fetch
from ingestion.formats import FORMATS
from ingestion.landing import WasErased, digest, discard, land
from ingestion.protocols import PROTOCOLS, Offers
from lakehouse import delta, tables
from lakehouse.contracts import SourceContract
from lakehouse.errors import (
    ContractError,
    DeliveryRefused,
    LakeConflict,
    Problem,
    SourceUnavailable,
)
from lakehouse.ledger import Ledger, Receipt
from lakehouse.locks import exclusive
from lakehouse.settings import Settings

_BATCH_BYTES: Final = 256 << 20
_BATCH_DELIVERIES: Final = 500
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """What one ingestion of a source came to.

    Attributes:
        source_id: The source.
        receipts: One for each delivery that was new, duplicate or refused.
        passed_over: Deliveries that still lie in the inbox, or pages pulled once more, whose
            bytes were taken before.
        reread: Rows of a pull's overlap that were read again and all known.
        version: Version of the bronze table afterwards; None if there is no table yet.
    """

    source_id: str
    receipts: tuple[Receipt, ...]
    passed_over: int
    reread: int
    version: int | None

    @property
    def ledger(self) -> Ledger:
        """The account of all deliveries together."""
        return sum((receipt.ledger for receipt in self.receipts), Ledger())

    @property
    def refused(self) -> tuple[Receipt, ...]:
        """Deliveries that were refused whole."""
        return tuple(receipt for receipt in self.receipts if receipt.outcome == "refused")


@dataclass(slots=True)
class _Tally:
    receipts: list[Receipt]
    passed_over: int = 0
    reread: int = 0


def ingest_source(
    settings: Settings, contract: SourceContract, offers: Offers | None = None
) -> SourceOutcome:
    """Take everything new that a source has.

    Args:
        settings: Says where inbox, landing zone and lake are.
        contract: The source.
        offers: What is taken instead of that.

    Raises:
        ContractError: The contract's protocol or format is none that there is.
        SourceUnavailable: The source did not answer; what was taken before that is kept.
        Busy: Another process is ingesting this source.
        LakeError: The lake cannot be written.
    """
    require_known(contract)
    with exclusive(settings, f"ingest.{contract.id}"), _scratch(settings) as scratch:
        accounts.repair(settings, contract.id)
        tally = _Tally([])
        asked = offers or PROTOCOLS[contract.protocol].offers
        for group in _groups(settings, contract, Path(scratch), asked):
            _take_group(settings, contract, group, Path(scratch), tally)
        return SourceOutcome(
            contract.id,
            tuple(tally.receipts),
            tally.passed_over,
            tally.reread,
            delta.version_of(tables.bronze(settings, contract.id)),
        )


def require_known(contract: SourceContract) -> None:
    """Check that there are the protocol and the format a contract names.

    Raises:
        ContractError: Naming the key, and what there is.
    """
    asked = [("format", contract.delivery.format, list(FORMATS))]
    asked += [("protocol", server.protocol, list(PROTOCOLS)) for server in contract.servers]
    for key, name, known in asked:
        if name not in known:
            raise ContractError(
                Problem(
                    f"{contract.path}: customProperties.delivery.{key}",
                    f"'{name}' is no {key} that there is",
                    f"Write one of: {', '.join(known)}.",
                )
            )


def _scratch(settings: Settings) -> tempfile.TemporaryDirectory[str]:
    settings.home.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="scratch-", dir=settings.home)


def _groups(
    settings: Settings, contract: SourceContract, scratch: Path, offers: Offers
) -> Iterator[list[Offer]]:
    """Offers in groups that make one batch each; pulled pages stay alone.

    When the source fails in the middle, what it offered before is handed on first.
    """
    bronze = tables.bronze(settings, contract.id)
    fetch = Fetch(
        contract,
        settings,
        cursor=delta.mark_of(bronze, "cursor"),
        scratch=scratch,
        is_taken=lambda sha256: bool(delta.mark_of(bronze, delivery_mark(sha256))),
    )
    group: list[Offer] = []
    size = 0
    failure: SourceUnavailable | None = None
    try:
        for offer in offers(fetch):
            if offer.is_pulled:
                yield [offer]
                continue
            group.append(offer)
            size += offer.size
            if size >= _BATCH_BYTES or len(group) >= _BATCH_DELIVERIES:
                yield group
                group, size = [], 0
    except SourceUnavailable as error:
        failure = error
    if group:
        yield group
    if failure:
        raise failure


def _take_group(
    settings: Settings,
    contract: SourceContract,
    group: Sequence[Offer],
    scratch: Path,
    tally: _Tally,
) -> None:
    seen = accounts.Seen.of(settings, contract)
    fresh: dict[str, Landed] = {}
    again: list[tuple[Offer, str]] = []
    for offer in group:
        try:
            if seen.has_name(offer.name) and seen.under_this_name(digest(offer.path), offer.name):
                tally.passed_over += 1
                continue
            landed = land(settings, contract.id, offer)
        except WasErased:
            tally.passed_over += 1
            continue
        except DeliveryRefused as refusal:
            _refuse(settings, contract, offer, "", refusal, tally)
            continue
        if offer.is_pulled and seen.taken(landed.sha256):  # a page's name follows the cursor
            tally.passed_over += 1
        elif seen.taken(landed.sha256) or landed.sha256 in fresh:
            again.append((offer, landed.sha256))
        else:
            fresh[landed.sha256] = landed
    _take(settings, contract, list(fresh.values()), scratch, tally)
    accounts.repair(settings, contract.id)
    _take_again(settings, contract, again, tally)


def _take_again(
    settings: Settings, contract: SourceContract, again: list[tuple[Offer, str]], tally: _Tally
) -> None:
    """Account for bytes that came under another name before."""
    if not again:
        return
    seen = accounts.Seen.of(settings, contract)
    for offer, sha256 in again:
        if seen.taken(sha256):
            tally.receipts.append(accounts.record_duplicate(settings, contract, offer, sha256))
        else:
            problem = Problem(offer.name, "the same bytes were refused", "See the first one.")
            _refuse(settings, contract, offer, sha256, DeliveryRefused(problem), tally)


def _take(
    settings: Settings,
    contract: SourceContract,
    deliveries: Sequence[Landed],
    scratch: Path,
    tally: _Tally,
) -> None:
    """Take deliveries as one batch; if one of them is refused, each by itself."""
    if not deliveries:
        return
    try:
        batch = _take_patiently(settings, contract, deliveries, scratch)
    except DeliveryRefused as refusal:
        if len(deliveries) == 1:
            only = deliveries[0]
            _refuse(settings, contract, only.offer, only.sha256, refusal, tally)
        else:
            for delivery in deliveries:
                _take(settings, contract, [delivery], scratch, tally)
        return
    if batch.version is None:
        tally.reread += sum(receipt.ledger.rows_in for receipt in batch.receipts)
        for delivery in deliveries:
            discard(delivery)
    else:
        tally.receipts += batch.receipts


def _take_patiently(
    settings: Settings, contract: SourceContract, deliveries: Sequence[Landed], scratch: Path
) -> Batch:
    """Take a batch; when another writer was first, read again what it left to take."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                return take(settings, contract, deliveries, Path(folder))
        except LakeConflict:
            if attempt == _ATTEMPTS:
                raise
            bronze = tables.bronze(settings, contract.id)
            known = delta.marked(bronze, [delivery_mark(d.sha256) for d in deliveries])
            deliveries = [d for d in deliveries if delivery_mark(d.sha256) not in known]
    raise AssertionError("unreachable")


def _refuse(
    settings: Settings,
    contract: SourceContract,
    offer: Offer,
    sha256: str,
    refusal: DeliveryRefused,
    tally: _Tally,
) -> None:
    receipt = accounts.record_refusal(settings, contract, offer, sha256, str(refusal))
    tally.receipts.append(receipt)
