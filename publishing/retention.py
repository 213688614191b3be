"""How long releases are kept: what a product's contract promises, done to their rows.

A source that is kept for a time takes its rows out of gold, and the next release has them no more.
Those before it still have. So each release with rows older than the contract keeps them loses its
files, all but the newest that is shown: that is what the next one replaces. Manifests stay, so that
it can be told what there was.

Source: ODCS v3.1.0, "Service-Level Agreement", `retention`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from lakehouse import audit_log
from lakehouse.contracts import ProductContract
from lakehouse.contracts.promises import kept_from
from lakehouse.locks import exclusive
from lakehouse.settings import Settings
from publishing.portal.site import forget_builds
from publishing.releases.manifest import (
    release_folder,
    release_numbers,
    shown_numbers,
    stored_manifest,
)
from publishing.releases.withdrawals import Withdrawal, note, standing
from publishing.taking_back import erase_rows

_WHY: Final = (
    "Gallrad: avtalet sparar rader från och med {}.",
    "Deleted: the contract keeps rows from {} on.",
)


@dataclass(frozen=True, slots=True)
class Expired:
    """Releases whose rows were deleted, or would be.

    Attributes:
        kept_from: First day, UTC, that rows are kept of.
        numbers: The releases.
    """

    kept_from: date
    numbers: tuple[int, ...]


def expire(
    settings: Settings,
    contract: ProductContract,
    *,
    now: datetime | None = None,
    dry_run: bool = False,
) -> Expired | None:
    """Delete the rows of releases that hold any for longer than the contract keeps them.

    Args:
        settings: The lake.
        contract: The product.
        now: The time.
        dry_run: Only look.

    Returns:
        What went; None if nothing is so old, or the contract promises nothing.

    Raises:
        Busy: Another process is releasing this product.
    """
    if contract.retention_s is None:
        return None
    now = now or datetime.now(UTC)
    first = kept_from(contract.retention_s, now)
    with exclusive(settings, f"release.{contract.id}"):
        numbers = tuple(_past(settings, contract.id, first))
        if not numbers:
            return None
        if dry_run:
            return Expired(first, numbers)
        sv, en = (words.format(first) for words in _WHY)
        at = now.isoformat(timespec="seconds")
        folder = release_folder(settings, contract.id, 1).parent
        note(folder, Withdrawal("expired", numbers, sv, en, at, erased=True))
        for number in numbers:
            erase_rows(settings, contract.id, number)
    forget_builds(settings, keep=1)
    about = f"product/{contract.id}"
    audit_log.note(settings, "erased", about, releases=len(numbers), rule="retention")
    return Expired(first, numbers)


def _past(settings: Settings, product: str, first: date) -> list[int]:
    shown = shown_numbers(settings, product)[-1:]
    erased = {
        number
        for number, why in standing(release_folder(settings, product, 1).parent).hidden.items()
        if why.erased
    }
    return [
        number
        for number in release_numbers(settings, product)
        if number not in shown
        and number not in erased
        and _begins_before(settings, product, number, first)
    ]


def _begins_before(settings: Settings, product: str, number: int, day: date) -> bool:
    period = stored_manifest(settings, product, number)["period"]
    return period is not None and date.fromisoformat(period["from"][:10]) < day
