"""From deliveries to bronze, on two small axes: protocol (fetching bytes) × format (reading them).

Bytes are landed by sha-256 before they are read, archives are verified in full, every row is
judged by its contract, and every row that was offered is accounted for. Renaming by taste,
joins and the knowledge of one source do not belong here.
"""

from ingestion.anew import Rebuilt, build_anew
from ingestion.balance import Balance, balance
from ingestion.reconciling import Reconciled, can_be_reconciled, reconcile
from ingestion.replay import Replayed, replay
from ingestion.retention import Past, enforce
from ingestion.source import SourceOutcome, ingest_source, require_known

__all__ = [
    "Balance",
    "Past",
    "Rebuilt",
    "Reconciled",
    "Replayed",
    "SourceOutcome",
    "balance",
    "build_anew",
    "can_be_reconciled",
    "enforce",
    "ingest_source",
    "reconcile",
    "replay",
    "require_known",
]
