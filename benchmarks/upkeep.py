"""A source that delivers every quarter of an hour, with and without a nightly upkeep.

The histories are made as the ingestion leaves them, through the writer: for each delivery one
commit of twenty rows and one line of the ledger. First a table of many
partitions: those that have nothing to put together must not be touched.
Run: python -m benchmarks.upkeep [DAYS]   (8 by default; 90, 8,640 deliveries twice, takes hours)
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import duckdb

from benchmarks import observations
from benchmarks.rounds import compare
from ingestion import accounts, ingest_source
from ingestion.deliveries import delivery_mark
from lakehouse import delta, tables
from lakehouse.contracts import SourceContract
from lakehouse.delta import data_files
from lakehouse.delta.upkeep import Upkeep, maintain
from lakehouse.duck import connect, delta_scan
from lakehouse.ledger import Ledger, Receipt
from lakehouse.settings import Settings

_A_DAY = 96
_ROWS = 20
_START = date(2026, 1, 1)
_KEEP = timedelta(days=30)
_MILESTONES = (2, 4, 8, 15, 30, 60, 90)
_NUMBER = count()


@dataclass(frozen=True)
class History:
    """A lake with one source, which grows by days."""

    settings: Settings
    contract: SourceContract
    has_upkeep: bool

    @classmethod
    def new(cls, folder: Path, *, has_upkeep: bool) -> History:
        """An empty one."""
        return cls(*observations.lake(folder, "json"), has_upkeep)

    @property
    def addresses(self) -> tuple[Path, Path]:
        """Its bronze table and its ledger."""
        return tables.bronze(self.settings, self.contract.id), tables.ledger(self.settings)

    def day(self, connection: duckdb.DuckDBPyConnection, number: int) -> None:
        """A day's deliveries, and its night."""
        for quarter in range(_A_DAY):
            self._delivery(connection, number, quarter)
        if self.has_upkeep:
            self.night()

    def night(self) -> list[Upkeep]:
        """The upkeep of both tables."""
        return [maintain(address, nullcontext, keep=_KEEP) for address in self.addresses]

    def _delivery(self, connection: duckdb.DuckDBPyConnection, number: int, quarter: int) -> None:
        batch = delta.mark_of(self.addresses[0], "batch") + 1
        day = _START + timedelta(days=number)
        at = f"timestamptz '{day} 00:00:00+00' + to_minutes({quarter * 15})"
        sha256 = hashlib.sha256(f"{number}.{quarter}".encode()).hexdigest()
        receipt = Receipt(
            sha256, f"{batch}.ndjson", 900, "landed",
            Ledger(records=_ROWS, rows_in=_ROWS, landed=_ROWS),
            received_at=datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
        )  # fmt: skip
        delta.append_query(
            self.addresses[0],
            connection,
            f"""select 'sensor-' || i as device, 'temperature' as channel, {at} as phenomenon_time,
                round(20 + i / 7.0 + {quarter} / 96.0, 2) as value, 'Cel' as unit,
                'good' as quality, {batch}::bigint as _batch, '{sha256}' as _delivery,
                i as _row, {at} as _received_at, {at} as _landed_at,
                date '{day}' as partition_date
            from range(1, {_ROWS + 1}) t(i)""",
            tables.TELEMETRY,
            partition_by=["partition_date"],
            marks={"batch": batch, delivery_mark(sha256): batch}
            | ({"daily_from": 2026} if batch == 1 else {}),
            note={
                "batch": str(batch),
                "batch_id": sha256,
                "receipts": json.dumps([asdict(receipt)]),
            },
        )
        accounts.repair(self.settings, self.contract.id)

    def open(self) -> None:
        """Open both tables."""
        for address in self.addresses:
            delta.open_table(address)

    def one_more(self) -> None:
        """Take one more delivery of the same size, of a later day."""
        number = next(_NUMBER)
        path = self.settings.inbox / observations.SOURCE / f"more-{number}.ndjson"
        at = (datetime(2026, 6, 1, tzinfo=UTC) + timedelta(minutes=15 * number)).isoformat()
        path.write_text(
            "".join(
                json.dumps(
                    {"sensor": f"sensor-{i}", "property": "temperature", "ts": at, "value": 20.5}
                )
                + "\n"
                for i in range(_ROWS)
            ),
            "utf-8",
        )
        assert ingest_source(self.settings, self.contract).ledger.landed == _ROWS
        path.unlink()

    def ask(self, connection: duckdb.DuckDBPyConnection) -> None:
        """A question over all rows."""
        found = connection.execute(
            f"""select device, count(*), avg(value) from {delta_scan(self.addresses[0])}
            group by device"""
        ).fetchall()
        assert len(found) >= _ROWS

    def told(self) -> str:
        """Its files."""
        bronze, ledger = (data_files.extent_of(delta.open_table(a)) for a in self.addresses)
        return f"{bronze.files:,} files of bronze, {ledger.files:,} of the ledger"


def growing(folder: Path, days: int) -> None:
    """Let two histories grow and compare them at milestones."""
    never = History.new(folder / "never", has_upkeep=False)
    nightly = History.new(folder / "nightly", has_upkeep=True)
    both = {"never": never, "nightly": nightly}
    with connect() as connection:
        for number in range(days):
            for history in both.values():
                history.day(connection, number)
            if number + 1 not in (*_MILESTONES, days):
                continue
            print(f"\nafter {number + 1} days, {(number + 1) * _A_DAY:,} deliveries")
            for name, history in both.items():
                print(f"  {name}: {history.told()}")
            for what in ("open", "ask", "one_more"):
                compare(
                    {
                        f"{what}, {name}": partial(
                            getattr(history, what), *([connection] if what == "ask" else [])
                        )
                        for name, history in both.items()
                    }
                )
    print("\nthe first upkeep of the lake that never had one")
    for done in never.night():
        print(f"  {done.seconds:.1f} s: {done.files_before:,} files → {done.files_after:,}")
    print("one more night of the other")
    for done in nightly.night():
        print(f"  {done.seconds:.1f} s: {done.files_before:,} files → {done.files_after:,}")


def large(folder: Path) -> None:
    """A table of 5,000 partitions with two files each, and one that ten came to."""
    address = folder / "large"
    first, days, at_once = date(2010, 1, 1), 5_000, 250
    batches = [(start, at_once) for start in range(0, days, at_once)] * 2 + [(days, 1)] * 10
    with connect() as connection:
        for batch, (start, some) in enumerate(batches, start=1):
            at = f"date '{first + timedelta(days=start)}' + i::integer"
            delta.append_query(
                address,
                connection,
                f"""select 'd' as device, 'c' as channel, ({at})::timestamptz as phenomenon_time,
                    'good' as quality, 1::bigint as _batch, 'x' as _delivery, 1::bigint as _row,
                    ({at})::timestamptz as _received_at, ({at})::timestamptz as _landed_at,
                    {at} as partition_date from range({some}) t(i)""",
                tables.TELEMETRY,
                partition_by=["partition_date"],
                marks={"batch": batch},
            )
    print(f"{days + 1:,} partitions")
    for what in ("first", "second"):
        done = maintain(address, nullcontext, keep=_KEEP)
        print(
            f"  {what} upkeep: {done.seconds:.2f} s, {done.together} files of {done.partitions} "
            f"partition put together, files {done.files_before:,} → {done.files_after:,}"
        )


def main() -> None:
    """Build the histories and compare."""
    days = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    with tempfile.TemporaryDirectory() as name:
        large(Path(name))
        growing(Path(name), days)


if __name__ == "__main__":
    main()
