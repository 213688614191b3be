"""What was taken back: releases that are no longer shown, and products that are closed.

Releases are immutable, so nothing in them changes; a file beside them, `withdrawals.json`, tells
what was done, when and why. Four things can be: a product is withdrawn (nothing of it is shown and
nothing more is released), it is rolled back to an earlier release (those after it are shown no
more), it is reinstated, or releases expire, because their rows are kept no longer. What the rows of
a withdrawn release were is kept for who must explain it, unless they are erased as well.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from lakehouse.flushing import write_whole
from lakehouse.settings import Settings

_FILE: Final = "withdrawals.json"


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """One thing that was done about releases of a product.

    Attributes:
        action: What: `withdrawn`, `rolled_back`, `reinstated` or `expired`.
        numbers: The releases that it is about.
        reason: Why, in Swedish, for citizens to read.
        reason_en: The same in English.
        at: When, ISO 8601 in UTC.
        erased: Whether their rows were deleted.
    """

    action: Literal["withdrawn", "rolled_back", "reinstated", "expired"]
    numbers: tuple[int, ...]
    reason: str
    reason_en: str
    at: str
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Which releases of a product may be shown.

    Attributes:
        hidden: Why each release that is not shown is not.
        closed: Why nothing of the product is shown or released; None if it is open.
    """

    hidden: dict[int, Withdrawal]
    closed: Withdrawal | None


def standing(folder: Path) -> Standing:
    """What has been done about the releases in a product's folder, in all."""
    hidden: dict[int, Withdrawal] = {}
    closed: Withdrawal | None = None
    for one in _read(folder):
        if one.action == "reinstated":
            closed = None
            for number in one.numbers:
                hidden.pop(number, None)
            continue
        # What was erased stays so, whatever is done about the product after that.
        gone = {number for number, why in hidden.items() if why.erased}
        hidden |= dict.fromkeys(set(one.numbers) - gone, one)
        closed = one if one.action == "withdrawn" else closed
    return Standing(hidden, closed)


def note(folder: Path, withdrawal: Withdrawal) -> None:
    """Write down what is done, beside the releases; it counts when this returns."""
    done = [*_read(folder), withdrawal]
    text = json.dumps([asdict(one) for one in done], ensure_ascii=False, indent=2)
    write_whole(folder / _FILE, f"{text}\n".encode())


def closed_products(settings: Settings) -> dict[str, Withdrawal]:
    """The products of which nothing may be shown, with the reason."""
    if not settings.releases.is_dir():
        return {}
    found = {path.name: standing(path).closed for path in sorted(settings.releases.iterdir())}
    return {product: closed for product, closed in found.items() if closed}


def _read(folder: Path) -> Sequence[Withdrawal]:
    path = folder / _FILE
    if not path.is_file():
        return ()
    listed: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return tuple(Withdrawal(**{**one, "numbers": tuple(one["numbers"])}) for one in listed)
