"""Taking back what was released: in one step it is gone from every channel.

The order matters: first it is written down that a release may not be shown, then everything that
shows releases is built anew, and the builds before are removed with what they linked to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lakehouse import audit_log, flushing
from lakehouse.contracts import Contracts
from lakehouse.errors import LakeError, Problem
from lakehouse.locks import exclusive
from lakehouse.settings import Settings
from publishing.portal.site import Site, build_site, forget_builds
from publishing.releases.manifest import MANIFEST, SIGNATURE, release_folder, release_numbers
from publishing.releases.withdrawals import Withdrawal, note, standing

_NOTED: Final[Mapping[str, audit_log.Action]] = {
    "withdrawn": "withdrew",
    "rolled_back": "rolled_back",
    "reinstated": "reinstated",
}
"""What the audit log calls what was done."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of taking releases back, or of showing them again.

    Attributes:
        withdrawal: What was written down.
        site: The site that is shown now.
    """

    withdrawal: Withdrawal
    site: Site


def withdraw(
    settings: Settings,
    contracts: Contracts,
    product_id: str,
    reason: str,
    reason_en: str,
    *,
    erase: bool = False,
) -> Taken:
    """Show nothing more of a product, and release nothing more, until it is reinstated.

    Args:
        settings: The lake.
        contracts: Every contract.
        product_id: The product.
        reason: Why, in Swedish, for citizens to read.
        reason_en: The same in English.
        erase: Also delete the rows of its releases; manifests stay, so that it can be told what
            there was.

    Raises:
        LakeError: It has no release, or is withdrawn already.
    """
    with exclusive(settings, f"release.{product_id}"):
        folder = release_folder(settings, product_id, 1).parent
        numbers = _numbers(settings, product_id)
        now = standing(folder)
        if now.closed and not (erase and not now.closed.erased):
            raise _refused(product_id, f"it was withdrawn on {now.closed.at}", "Nothing to do.")
        done = Withdrawal("withdrawn", numbers, reason, reason_en, _now(), erase)
        note(folder, done)
        if erase:
            for number in numbers:
                erase_rows(settings, product_id, number)
    return _shown(settings, contracts, product_id, done)


def roll_back(
    settings: Settings,
    contracts: Contracts,
    product_id: str,
    to: int,
    reason: str,
    reason_en: str,
) -> Taken:
    """Show an earlier release again, and none that came after it.

    Raises:
        LakeError: There is no such release, or it may not be shown itself.
    """
    with exclusive(settings, f"release.{product_id}"):
        folder = release_folder(settings, product_id, 1).parent
        numbers = _numbers(settings, product_id)
        now = standing(folder)
        if to not in numbers or to in now.hidden:
            listed = ", ".join(str(one) for one in numbers if one not in now.hidden) or "none"
            what = f"release {to} is not one that may be shown"
            raise _refused(product_id, what, f"Name one of: {listed}.")
        later = tuple(one for one in numbers if one > to and one not in now.hidden)
        if not later:
            raise _refused(product_id, f"release {to} is shown already", "Nothing to do.")
        done = Withdrawal("rolled_back", later, reason, reason_en, _now())
        note(folder, done)
    return _shown(settings, contracts, product_id, done)


def reinstate(
    settings: Settings, contracts: Contracts, product_id: str, reason: str, reason_en: str
) -> Taken:
    """Show a withdrawn product again; what was erased stays hidden.

    Raises:
        LakeError: It is not withdrawn.
    """
    with exclusive(settings, f"release.{product_id}"):
        folder = release_folder(settings, product_id, 1).parent
        now = standing(folder)
        if now.closed is None:
            raise _refused(product_id, "it is not withdrawn", "Nothing to do.")
        back = tuple(
            number
            for number, why in now.hidden.items()
            if why.action == "withdrawn" and not why.erased
        )
        done = Withdrawal("reinstated", back, reason, reason_en, _now())
        note(folder, done)
    return _shown(settings, contracts, product_id, done)


def _shown(settings: Settings, contracts: Contracts, product_id: str, done: Withdrawal) -> Taken:
    site = build_site(settings, contracts)
    forget_builds(settings, keep=1)
    about = f"product/{product_id}"
    audit_log.note(settings, _NOTED[done.action], about, releases=len(done.numbers))
    if done.erased:
        audit_log.note(settings, "erased", about, releases=len(done.numbers))
    return Taken(done, site)


def _numbers(settings: Settings, product_id: str) -> tuple[int, ...]:
    numbers = release_numbers(settings, product_id)
    if not numbers:
        raise _refused(product_id, "it has never been released", "Nothing to do.")
    return numbers


def erase_rows(settings: Settings, product_id: str, number: int) -> None:
    """Delete everything of a release but its manifest and the signature of that.

    Whoever does so has noted it before (`publishing.releases.withdrawals`).
    """
    folder = release_folder(settings, product_id, number)
    for path in sorted(folder.iterdir()):
        if path.name not in (MANIFEST, SIGNATURE):
            path.unlink()
    flushing.flush(folder)


def _refused(product_id: str, what: str, remedy: str) -> LakeError:
    return LakeError(Problem(product_id, what, remedy))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
