"""The account of what was written: what an honest ledger must say after a first ingest.

Rows are counted as the lake counts them: one for each record and channel; a line or a row
whose record cannot be read is as many rows as its contract still lets one tell (a CSV row
with a broken time: one for each channel; a cut line of JSON: one).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from lakehouse.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Delivered:
    """One file in the inbox.

    Attributes:
        name: Its name in the source's folder.
        ledger: What became of its rows when files are taken in the order of their names.
        resent: Whether an earlier file has the same bytes. Its ledger is empty: the lake
            knows a delivery by its content and does not open this one.
        faults: What was planted in it, counted by kind.
    """

    name: str
    ledger: Ledger
    resent: bool = False
    faults: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """Everything one source delivered.

    Attributes:
        source_id: Source id, also the name of its folder.
        deliveries: Its files, in the order of their names.
    """

    source_id: str
    deliveries: tuple[Delivered, ...]

    @property
    def files(self) -> int:
        """Files in the folder, resent ones among them."""
        return len(self.deliveries)

    @property
    def resent_files(self) -> int:
        """Files whose bytes came before under another name."""
        return sum(delivery.resent for delivery in self.deliveries)

    @property
    def ledger(self) -> Ledger:
        """The ledgers of all files added up; empty cells fall to `empty_value`."""
        total = Ledger()
        for delivery in self.deliveries:
            total += delivery.ledger
        return total

    @property
    def faults(self) -> Mapping[str, int]:
        """What was planted, counted by kind, in the order of the kinds' names."""
        total: Counter[str] = Counter()
        for delivery in self.deliveries:
            total.update(delivery.faults)
        return dict(sorted(total.items()))


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything the city delivered.

    Attributes:
        seed: Seed it was made with.
        scale: Number of devices, as a multiple of those the contracts name.
        days: Number of local days.
        sources: One summary for each source.
    """

    seed: int
    scale: float
    days: int
    sources: tuple[SourceSummary, ...]

    def __getitem__(self, source_id: str) -> SourceSummary:
        for source in self.sources:
            if source.source_id == source_id:
                return source
        raise KeyError(source_id)

    @property
    def ledger(self) -> Ledger:
        """The ledgers of all sources added up."""
        total = Ledger()
        for source in self.sources:
            total += source.ledger
        return total
