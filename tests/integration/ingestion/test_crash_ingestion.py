"""kill -9 at every commit point of an ingest, then again: nothing lost, nothing doubled.

`SJOSTAD_CRASH_SEEDS=20` tries more deliveries at each point.
"""

from __future__ import annotations

import gzip
import os
import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ingestion import balance, replay
from tests.integration.ingestion import crashing
from tests.integration.ingestion.crashing import POINTS, Point, killed
from tests.unit.ingestion.lake import METER, Lake, column, new_lake

SEEDS = range(int(os.environ.get("SJOSTAD_CRASH_SEEDS", "2")))


def deliver(lake, seed=0):
    """Two deliveries, one of them packed, with broken, repeated and corrected rows."""
    chance = random.Random(seed)  # noqa: S311 - chance that can be repeated
    for name in ("a.csv", "b.csv.gz"):
        rows = ["meter;time;kwh"]
        for _ in range(chance.randint(5, 200)):
            value = chance.choice(["x", "-1", "nan", *map(str, range(20))])
            meter, hour = chance.randint(1, 3), chance.randint(0, 23)
            rows.append(f"m{meter};2026-10-{chance.randint(18, 21)}T{hour:02}:00:00;{value}")
        rows.append(f"m1;2026-10-19T10:00:00;x{name}")
        text = "\n".join(rows).encode()
        lake.deliver(name, gzip.compress(text, mtime=0) if name.endswith("gz") else text)
    return lake.source()


def account(lake) -> list[tuple]:
    return sorted(
        tuple(row[name] for name in ("name", "outcome", "records", "rows_in", "landed",
                                     "quarantined", "duplicates", "filtered"))
        for row in lake.ledger()
    )  # fmt: skip


def broken(lake) -> list[tuple]:
    return [(row["name"], row["_row"], row["rule"], row["raw"]) for row in lake.quarantine()]


FOLDERS: list[TemporaryDirectory] = []
"""Of the undisturbed lakes; removed when Python ends."""


@cache
def undisturbed(seed: int) -> Lake:
    FOLDERS.append(TemporaryDirectory(prefix="sjostad-undisturbed-"))
    lake = new_lake(Path(FOLDERS[-1].name))
    lake.ingest(deliver(lake, seed))
    return lake


def assert_same(lake: Lake, expected: Lake) -> None:
    assert lake.hash() == expected.hash()
    assert broken(lake) == broken(expected)
    assert account(lake) == account(expected)
    assert balance(lake.settings, "meters").is_kept


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_killed_and_run_again(tmp_path, point):
    for seed in SEEDS:
        lake = new_lake(tmp_path / str(seed))
        contract = deliver(lake, seed)
        assert killed(crashing.ingest, lake.settings, contract.path, POINTS[point]) == -9, seed
        lake.ingest(contract)
        assert_same(lake, undisturbed(seed))
        versions = lake.versions()
        assert lake.ingest(contract).receipts == ()
        assert lake.versions() == versions


REPLAYED = {
    "before quarantine's commit": Point("lakehouse.delta", "write_deltalake", 1, "before"),
    "after quarantine's commit": Point("lakehouse.delta", "write_deltalake", 1, "after"),
    "after the Parquet files": Point("lakehouse.delta.data_files", "write", 1, "after"),
    "after bronze's log entry": Point(
        "deltalake:DeltaTable", "create_write_transaction", 1, "after"
    ),
    "after the ledger": Point("lakehouse.delta", "write_deltalake", 2, "after"),
}


@pytest.mark.slow
@pytest.mark.parametrize("point", REPLAYED)
def test_killed_in_a_replay_and_replayed(tmp_path, point):
    def mended(lake: Lake):
        limits = column("kwh", "active_energy", "kW.h", limits=(-5, 1000))
        return lake.source(columns=(*METER[:2], limits))

    expected, lake = new_lake(tmp_path / "expected"), new_lake(tmp_path / "lake")
    for each in (expected, lake):
        each.ingest(deliver(each))
    replay(expected.settings, mended(expected))
    contract = mended(lake)
    assert killed(crashing.read_again, lake.settings, contract.path, REPLAYED[point]) == -9
    replay(lake.settings, contract)
    assert lake.hash() == expected.hash()
    assert broken(lake) == broken(expected)
    assert balance(lake.settings, "meters").is_kept


@pytest.mark.slow
def test_killed_after_quarantine_and_mended_before_the_next_run(lake):
    """Under another contract other rows are broken; those of the cut attempt hide none."""
    path = deliver(lake).path
    killed(crashing.ingest, lake.settings, path, POINTS["after quarantine's commit"])
    columns = [dict(item) for item in METER]
    columns[2]["logicalTypeOptions"] = {"minimum": 5, "maximum": 1000}
    ledger = lake.ingest(lake.source(columns=columns)).ledger
    assert ledger.adds_up
    low = [row for row in lake.quarantine() if row["rule"] == "value_below_minimum"]
    assert {row["raw"].rsplit(";", 1)[1] for row in low} >= {"0", "1", "2", "3", "4"}
    assert len(lake.bronze()) == ledger.landed
    assert balance(lake.settings, "meters").is_kept


def test_scratch_of_a_killed_run_lands_nothing(lake):
    leftover = lake.settings.home / "scratch-left" / "page.parquet"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"x")
    assert lake.ingest(deliver(lake)).ledger.adds_up
