"""Upkeep that dies, or that others write beside: the rows stay, and ingestion goes on.

`SJOSTAD_CRASH_SEEDS=20` tries more histories at each point.
"""

from __future__ import annotations

import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from ingestion import balance
from lakehouse import delta, tables
from lakehouse.delta import compaction, data_files
from lakehouse.delta.upkeep import maintain
from tests.integration.ingestion import crashing
from tests.integration.ingestion.crashing import Point, killed
from tests.integration.ingestion.test_crash_ingestion import SEEDS, account
from tests.unit.ingestion.lake import Lake, new_lake

MONTH = timedelta(days=30)
COMMIT = "deltalake:DeltaTable", "create_write_transaction", 1

POINTS = {
    "before the new file": Point("lakehouse.delta.data_files", "write", 1, "before"),
    "after the new file": Point("lakehouse.delta.data_files", "write", 1, "after"),
    "after it was counted": Point("lakehouse.delta.compaction", "flush_files", 1, "before"),
    "after it was flushed": Point("lakehouse.delta.compaction", "flush_files", 1, "after"),
    "before the log entry": Point(*COMMIT, "before"),
    "after the log entry, before its flush": Point(*COMMIT, "after"),
    "before the checkpoint": Point("deltalake:DeltaTable", "create_checkpoint", 1, "before"),
    "after the checkpoint": Point("deltalake:DeltaTable", "create_checkpoint", 1, "after"),
    "before the first file is removed": Point("pathlib:Path", "unlink", 1, "before"),
    "when some files are removed": Point("pathlib:Path", "unlink", 3, "after"),
}


def deliver(lake: Lake, number: int, chance: random.Random) -> None:
    rows = ["meter;time;kwh"]
    for _ in range(chance.randint(1, 30)):
        hour, value = chance.randint(0, 23), chance.choice(["x", *map(str, range(20))])
        rows.append(f"m{chance.randint(1, 9)};2026-10-19T{hour:02}:{number:02}:00;{value}")
    lake.deliver(f"{number:02}.csv", "\n".join(rows))


@cache
def history(seed: int) -> Lake:
    """A source that has delivered ten times."""
    lake = new_lake(Path(mkdtemp(prefix="sjostad-history-")))
    contract, chance = lake.source(), random.Random(seed)  # noqa: S311 - chance that can be repeated
    for number in range(10):
        deliver(lake, number, chance)
        lake.ingest(contract)
    return lake


def copy_of(lake: Lake, folder: Path) -> Lake:
    copy = new_lake(folder)
    for name in ("home", "contracts"):
        shutil.copytree(lake.inbox.parents[1] / name, folder / name, dirs_exist_ok=True)
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_killed_and_run_again(tmp_path, point):
    for seed in SEEDS:
        before = history(seed)
        lake = copy_of(before, tmp_path / str(seed))
        contract, bronze = lake.source(), tables.bronze(lake.settings, "meters")
        assert killed(crashing.maintain, bronze, POINTS[point]) == -9, seed
        assert lake.hash() == before.hash()
        assert balance(lake.settings, "meters").is_kept
        assert lake.ingest(contract).receipts == ()
        deliver(lake, 30, random.Random(seed))  # noqa: S311 - chance that can be repeated
        rows = lake.hash()[0] + lake.ingest(contract).ledger.landed
        done = maintain(bronze, nullcontext, keep=timedelta(0), is_short_meant=True)
        assert done.files_after <= 2
        assert lake.hash()[0] == rows
        assert balance(lake.settings, "meters").is_kept
        held = {str(path.relative_to(bronze)) for path in bronze.rglob("*.parquet")}
        named = data_files.names_of(delta.open_table(bronze))
        assert {name for name in held if "_delta_log" not in name} == named  # nothing is left over


def test_deliveries_are_compared_with_what_was_put_together(tmp_path):
    lake = copy_of(history(0), tmp_path)
    contract, rows = lake.source(), lake.hash()
    for address in (tables.bronze(lake.settings, "meters"), tables.ledger(lake.settings)):
        assert maintain(address, nullcontext, keep=MONTH).files_after == 1
    assert lake.ingest(contract).receipts == ()
    again = next(iter(sorted((lake.inbox / "meters").iterdir())))
    again.write_bytes(again.read_bytes() + b"\n")  # other bytes, the same rows
    ledger = lake.ingest(contract).ledger
    assert (ledger.landed, ledger.adds_up) == (0, True)
    assert ledger.duplicates > 0
    assert lake.hash() == rows
    assert [row["outcome"] for row in lake.ledger()] == ["landed"] * 11
    assert balance(lake.settings, "meters").is_kept


@pytest.mark.slow
def test_ingestion_and_upkeep_at_once(tmp_path, monkeypatch):
    """Nobody holds a lock: what slips through must be safe as well."""
    monkeypatch.setattr(compaction, "_WORTH", 2)
    lake, other = new_lake(tmp_path / "lake"), new_lake(tmp_path / "other")
    chance = random.Random(1)  # noqa: S311 - chance that can be repeated
    contract = lake.source()
    addresses = tables.bronze(lake.settings, "meters"), tables.ledger(lake.settings)

    def take() -> None:
        for number in range(15):
            deliver(lake, number, chance)
            lake.ingest(contract)

    with ThreadPoolExecutor(1) as pool:
        taking = pool.submit(take)
        together = 0
        while not taking.done():
            for address in addresses:
                if delta.exists(address):
                    together += maintain(address, nullcontext, keep=MONTH).together
        taking.result()
    assert together > 15
    shutil.copytree(lake.inbox, other.inbox, dirs_exist_ok=True)
    alone = other.source()
    for path in sorted((lake.inbox / "meters").iterdir()):
        (other.inbox / "meters" / path.name).unlink()
    for path in sorted((lake.inbox / "meters").iterdir()):
        shutil.copy2(path, other.inbox / "meters")
        other.ingest(alone)
    assert lake.hash() == other.hash()
    assert account(lake) == account(other)
    assert balance(lake.settings, "meters").is_kept
