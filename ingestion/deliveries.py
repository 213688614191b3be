"""What passes between the steps of ingestion: an offer, a landed delivery, its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


def delivery_mark(sha256: str) -> str:
    """Name of the mark that says a delivery has been taken."""
    return f"delivery:{sha256}"


@dataclass(frozen=True, slots=True)
class Offer:
    """Bytes that a protocol has at hand, not yet taken.

    Attributes:
        name: Name the delivery came under, relative to the inbox or naming a window.
        path: Local file with the bytes; never changed.
        received_at: When it was received, UTC; "now" for its relative and future times.
        marks: Cursor of a pull source, committed together with the rows.
        is_pulled: Whether the bytes were made by a pull, whose overlap brings known rows again.
    """

    name: str
    path: Path
    received_at: datetime
    marks: Mapping[str, int] = field(default_factory=dict)
    is_pulled: bool = False

    @property
    def size(self) -> int:
        """Bytes that lie there now; 0 when the file has gone since it was listed."""
        try:
            return self.path.lstat().st_size
        except FileNotFoundError:
            return 0


@dataclass(frozen=True, slots=True)
class Landed:
    """A delivery whose raw bytes lie safely in the landing zone.

    Attributes:
        offer: What was taken.
        sha256: Digest of its bytes, lower-case hex; its identity.
        path: Where the bytes lie now.
        size: Bytes.
    """

    offer: Offer
    sha256: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Member:
    """One plain, verified file of a delivery: the delivery itself, or a file of its archive.

    Attributes:
        number: Its number in the batch.
        delivery: The delivery it belongs to.
        name: Its name in the archive; None when the delivery is no archive.
        path: Plain, uncompressed bytes.
    """

    number: int
    delivery: Landed
    name: str | None
    path: Path

    @property
    def label(self) -> str:
        """The name that patterns on file names are matched with."""
        return self.name or self.delivery.offer.name.removesuffix(".gz")


@dataclass(frozen=True, slots=True)
class Again:
    """A replay: deliveries that have been dealt with before are read once more.

    Attributes:
        landed: Rows that each delivery has landed, by sha-256, of those taken before.
        batches: Numbers of the batches that stand for them so far.
        waived: Rules that a person has set aside for the rows of these deliveries.
        decision: Who decided that and why, kept in the commit.
    """

    landed: Mapping[str, int]
    batches: frozenset[int]
    waived: frozenset[str] = frozenset()
    decision: Mapping[str, str] = field(default_factory=dict)
