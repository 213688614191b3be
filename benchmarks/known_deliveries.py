"""A small delivery from a source that has made few or many before: the cost must not follow them.

The histories are made as the ingestion leaves them: a mark and a line of the ledger for each
delivery, three hundred in a commit.
Run: python -m benchmarks.known_deliveries
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks import observations
from benchmarks.rounds import compare
from ingestion import accounts, ingest_source
from ingestion.deliveries import delivery_mark
from lakehouse import delta, tables
from lakehouse.duck import connect
from lakehouse.ledger import Ledger, Receipt

SIZES = (300, 3_000, 30_000)
_AT_ONCE = 300
_RECEIVED = datetime(2026, 1, 1, tzinfo=UTC)
_NUMBER = count()


def history(folder: Path, size: int) -> Path:
    """A lake whose source has made so many deliveries."""
    settings, contract = observations.lake(folder, "json")
    bronze = tables.bronze(settings, contract.id)
    with connect(extensions=()) as connection:
        connection.register("nothing", tables.TELEMETRY.empty_table())
        for batch, start in enumerate(range(0, size, _AT_ONCE), start=1):
            receipts = [_receipt(number) for number in range(start, start + _AT_ONCE)]
            delta.append_query(
                bronze,
                connection,
                "from nothing",
                tables.TELEMETRY,
                partition_by=["partition_date"],
                marks={"batch": batch}
                | ({"daily_from": 2026} if batch == 1 else {})
                | {delivery_mark(one.delivery): batch for one in receipts},
                note={
                    "batch": str(batch),
                    "batch_id": f"{batch:064x}",
                    "receipts": json.dumps([asdict(one) for one in receipts]),
                },
            )
    accounts.repair(settings, contract.id)
    return folder


def _receipt(number: int) -> Receipt:
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    ledger = Ledger(records=1, rows_in=1, landed=1)
    received = _RECEIVED.isoformat()
    return Receipt(sha256, f"{number}.ndjson", 100, "landed", ledger, received_at=received)


def one_more(home: Path, path: Path, folder: Path) -> None:
    """Take one delivery, in a copy of the history."""
    copy = folder / f"copy-{next(_NUMBER)}"
    settings, contract = observations.lake(copy, "json")
    shutil.copytree(home / "home" / "lake", settings.lake)
    observations.deliver(settings, path)
    assert ingest_source(settings, contract).ledger.landed == 1000
    shutil.rmtree(copy)


def main() -> None:
    """Build the histories and compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "delivery.ndjson"
        observations.write(observations.rows(1000), path)
        compare(
            {
                f"after {size:,} deliveries": partial(
                    one_more, history(folder / f"history-{size}", size), path, folder
                )
                for size in SIZES
            }
        )


if __name__ == "__main__":
    main()
