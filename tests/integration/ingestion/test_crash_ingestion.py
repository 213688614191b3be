"""kill -9 at every commit point of an ingest, then again: nothing lost, nothing doubled."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.ingestion.lake import METER, new_lake

ROWS = "meter;time;kwh\n" + "".join(
    f"m1;2026-10-19T{hour:02}:00:00;{'x' if hour % 7 == 3 else hour}\n" for hour in range(24)
)
MORE = "meter;time;kwh\nm2;2026-10-19T10:00:00;1\nm2;2026-10-19T11:00:00;y\n"

# Each point is a function of the product; the process dies before or after its n-th call.
POINTS = {
    "before_landing": ("ingestion.source", "land", 1, "before"),
    "after_landing_one": ("ingestion.source", "land", 1, "after"),
    "after_landing_all": ("ingestion.source", "land", 2, "after"),
    "before_quarantine": ("lakehouse.delta", "write_deltalake", 1, "before"),
    "after_quarantine": ("lakehouse.delta", "write_deltalake", 1, "after"),
    "before_bronze": ("lakehouse.delta", "write_deltalake", 2, "before"),
    "after_bronze": ("lakehouse.delta", "write_deltalake", 2, "after"),
    "before_ledger": ("lakehouse.delta", "write_deltalake", 3, "before"),
    "after_ledger": ("lakehouse.delta", "write_deltalake", 3, "after"),
}

INGEST = """
import importlib, os, signal, sys
from pathlib import Path
from ingestion import ingest_source
from lakehouse.contracts import load_source
from lakehouse.settings import Settings
module, name, number, when = sys.argv[2:]
module = importlib.import_module(module)
real, calls = getattr(module, name), []
def deadly(*given, **options):
    calls.append(1)
    last = len(calls) == int(number)
    if last and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(*given, **options)
    if last:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(module, name, deadly)
ingest_source(Settings.from_environment(), load_source(Path(sys.argv[1])))
"""


def deliver(lake):
    lake.deliver("a.csv", ROWS)
    lake.deliver("b.csv", MORE)
    return lake.source()


def account(lake) -> list[tuple]:
    return sorted(
        tuple(row[name] for name in ("name", "outcome", "records", "rows_in", "landed",
                                     "quarantined", "duplicates", "filtered"))
        for row in lake.ledger()
    )  # fmt: skip


def broken(lake) -> list[tuple]:
    return [(row["name"], row["_row"], row["rule"], row["raw"]) for row in lake.quarantine()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    lake = new_lake(tmp_path_factory.mktemp("undisturbed"))
    lake.ingest(deliver(lake))
    return lake


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_killed_and_run_again(lake, undisturbed, point):
    contract = deliver(lake)
    killed = subprocess.run(
        [sys.executable, "-c", INGEST, str(contract.path), *map(str, POINTS[point])],
        env={**lake.settings.as_environment(), "PYTHONPATH": ":".join(sys.path)},
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -9, killed.stderr.decode()
    lake.ingest(contract)
    assert lake.hash() == undisturbed.hash()
    assert broken(lake) == broken(undisturbed)
    assert account(lake) == account(undisturbed)
    versions = lake.versions()
    assert lake.ingest(contract).receipts == ()
    assert lake.versions() == versions


@pytest.mark.slow
def test_killed_after_quarantine_and_mended_before_the_next_run(lake):
    """Under another contract other rows are broken; those of the cut attempt hide none."""
    contract = deliver(lake)
    subprocess.run(
        [sys.executable, "-c", INGEST, str(contract.path), *map(str, POINTS["after_quarantine"])],
        env={**lake.settings.as_environment(), "PYTHONPATH": ":".join(sys.path)},
        check=False,
    )
    columns = [dict(item) for item in METER]
    columns[2]["logicalTypeOptions"] = {"minimum": 5, "maximum": 1000}
    ledger = lake.ingest(lake.source(columns=columns)).ledger
    assert ledger.adds_up
    low = [row for row in lake.quarantine() if row["rule"] == "value_below_minimum"]
    assert {row["raw"].rsplit(";", 1)[1] for row in low} == {"0", "1", "2", "4"}
    assert len(lake.bronze()) == ledger.landed


def test_scratch_of_a_killed_run_lands_nothing(lake):
    leftover = lake.settings.home / "scratch-left" / "page.parquet"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"x")
    assert lake.ingest(deliver(lake)).ledger.adds_up
