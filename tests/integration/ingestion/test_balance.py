"""The ledger beside the tables: told the same, found out when not, and made good after a loss."""

from __future__ import annotations

import gzip

import pyarrow as pa

from ingestion import balance
from lakehouse import delta, tables

HEAD = "meter;time;kwh\n"
ROWS = "m1;2026-10-19T00:00:00;1\nm1;2026-10-19T01:00:00;x\nm1;2026-10-19T02:00:00;3\n"
MORE = "m1;2026-10-20T00:00:00;4\nm1;2026-10-20T01:00:00;5\n"


def told(lake) -> tuple[int, int, int, int]:
    account = balance(lake.settings, "meters")
    return (
        account.landed, account.bronze_rows, account.quarantined, account.quarantine_rows
    )  # fmt: skip


def test_ledger_and_tables_tell_the_same(lake):
    contract = lake.source()
    lake.deliver("a.csv", HEAD + ROWS)
    lake.deliver("b.csv.gz", gzip.compress((HEAD + ROWS).encode())[:-4])
    lake.ingest(contract)
    lake.deliver("c.csv", HEAD + ROWS + MORE)
    lake.ingest(contract)
    assert told(lake) == (4, 4, 1, 1)
    assert balance(lake.settings, "meters").is_kept


def test_a_row_that_no_delivery_brought_is_found(lake):
    lake.deliver("a.csv", HEAD + ROWS)
    lake.ingest(lake.source())
    bronze = tables.bronze(lake.settings, "meters")
    row = delta.open_table(bronze).to_pyarrow_table().slice(0, 1).cast(tables.TELEMETRY)
    delta.append(bronze, pa.table(row), tables.TELEMETRY, marks={"smuggled": 1})
    assert told(lake)[:2] == (2, 3)
    assert not balance(lake.settings, "meters").is_kept


def test_a_torn_commit_is_taken_again_once_its_entry_is_removed(lake):
    """What docs/operations.md says under 'Repair'."""
    contract = lake.source()
    lake.deliver("a.csv", HEAD + ROWS)
    lake.ingest(contract)
    lake.deliver("b.csv", HEAD + MORE)
    lake.ingest(contract)
    before, account = lake.hash(), told(lake)
    bronze = tables.bronze(lake.settings, "meters")
    newest = bronze / "_delta_log" / f"{delta.version_of(bronze):020d}.json"
    newest.unlink()
    assert not balance(lake.settings, "meters").is_kept
    outcome = lake.ingest(contract)
    assert (outcome.ledger.landed, outcome.passed_over) == (2, 1)
    assert lake.hash() == before
    assert told(lake) == account
