"""Whether the ledger and the tables tell the same."""

from __future__ import annotations

from dataclasses import dataclass

from ingestion import accounts, quarantine
from lakehouse import delta, tables
from lakehouse.delta import data_files
from lakehouse.settings import Settings


@dataclass(frozen=True, slots=True)
class Balance:
    """What the ledger says of a source, beside what its tables hold."""

    landed: int
    bronze_rows: int
    quarantined: int
    quarantine_rows: int

    @property
    def is_kept(self) -> bool:
        """Whether the ledger and the tables tell the same."""
        return (self.landed, self.quarantined) == (self.bronze_rows, self.quarantine_rows)


def balance(settings: Settings, source_id: str) -> Balance:
    """Compare the standing lines of a source's ledger with the rows its tables hold.

    Deliveries that were refused whole stand in quarantine with a row of their own, which is no
    delivered row and is not counted.
    """
    listed = accounts.standing(settings, source_id, ("landed", "quarantined")).values()
    bronze = tables.bronze(settings, source_id)
    return Balance(
        landed=sum(line["landed"] for line in listed),
        bronze_rows=data_files.extent_of(delta.open_table(bronze)).rows
        if delta.exists(bronze)
        else 0,
        quarantined=sum(line["quarantined"] for line in listed),
        quarantine_rows=quarantine.count(settings, source_id),
    )
