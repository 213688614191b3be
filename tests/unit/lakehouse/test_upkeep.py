"""The upkeep of a table: all of it, in rounds, around others, or only looked at."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from lakehouse import delta, flushing
from lakehouse.delta import compaction, data_files, transaction_log, upkeep
from lakehouse.delta.upkeep import maintain
from lakehouse.errors import Busy, Problem

SCHEMA = pa.schema([("x", pa.int64())])
MONTH = timedelta(days=30)


def tree(address: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in address.rglob("*")}


def values_of(address: Path) -> list[int]:
    return sorted(delta.open_table(address).to_pyarrow_table()["x"].to_pylist())


@pytest.fixture
def table(tmp_path) -> Path:
    for x in range(20):
        delta.append(tmp_path, pa.table({"x": [x]}), SCHEMA, marks={"n": x + 1})
    orphan = tmp_path / "part-never.parquet"
    orphan.write_bytes(b"x" * 7)
    then = time.time() - 31 * 86_400
    os.utime(orphan, (then, then))
    return tmp_path


def test_all_of_it_and_then_nothing(table):
    done = maintain(table, nullcontext, keep=MONTH)
    assert (done.files_before, done.files_after, done.together, done.partitions) == (20, 1, 20, 1)
    assert done.version_after == done.version_before + 1 == delta.version_of(table)
    assert (done.removed, done.freed, done.is_checkpointed, done.left) == (1, 7, True, ())
    assert done.bytes_before > done.bytes_after > 0
    assert values_of(table) == list(range(20))
    assert transaction_log.since_checkpoint(table, delta.version_of(table)) == 0
    assert delta.mark_of(table, "n") == 20
    before = tree(table)
    done = maintain(table, nullcontext, keep=MONTH)
    assert (done.together, done.removed, done.is_checkpointed) == (0, 0, False)
    assert tree(table) == before


def test_a_dry_run_tells_the_same_and_writes_nothing(table):
    before = tree(table)
    told = maintain(table, nullcontext, keep=MONTH, dry_run=True)
    assert tree(table) == before
    done = maintain(table, nullcontext, keep=MONTH)
    for name in ("files_before", "files_after", "together", "removed", "freed", "is_checkpointed"):
        assert getattr(told, name) == getattr(done, name), name


def test_many_files_take_several_rounds(table, monkeypatch):
    monkeypatch.setattr(compaction, "_MANY", 4)
    monkeypatch.setattr(compaction, "_WORTH", 3)
    monkeypatch.setattr(upkeep, "_BREATH_S", 0)
    done = maintain(table, nullcontext, keep=MONTH)
    assert done.together > 20
    assert data_files.extent_of(delta.open_table(table)).files == done.files_after <= 2
    assert values_of(table) == list(range(20))


def test_what_others_work_on_is_left_with_a_word(table):
    @contextmanager
    def held():
        raise Busy(Problem("x.lock", "process 7 is already doing 'ingest.x'", "Wait."))
        yield

    done = maintain(table, held, keep=MONTH)
    assert done.left == (
        "compaction: process 7 is already doing 'ingest.x'",
        "vacuum: process 7 is already doing 'ingest.x'",
    )
    assert (done.together, done.removed, done.is_checkpointed) == (0, 0, True)


def test_the_lock_is_let_go_between_commits(table, monkeypatch):
    monkeypatch.setattr(compaction, "_MANY", 10)
    taken = []

    @contextmanager
    def lock():
        taken.append("taken")
        yield
        taken.append("let go")

    maintain(table, lock, keep=MONTH)
    assert taken == ["taken", "let go"] * 3  # two commits and the vacuum


def test_checkpoints_are_made_by_themselves_and_flushed(tmp_path, monkeypatch):
    """With every hundredth commit, by whichever way it is made."""
    flushed: list[Path] = []
    flush = flushing.flush
    monkeypatch.setattr(flushing, "flush", lambda path: (flushed.append(path), flush(path)))
    for x in range(100):
        delta.append(tmp_path, pa.table({"x": [x]}), SCHEMA, marks={"n": x + 1})
    version = delta.version_of(tmp_path)
    assert transaction_log.since_checkpoint(tmp_path, version) == 1
    files = transaction_log.checkpoint_files(tmp_path, version - 1)
    assert len(files) == 2
    assert set(files) <= set(flushed)


def test_the_newest_entry_stays_when_the_log_is_cleaned(table):
    """Fingerprints are read from it; delta-rs cleans after 30 days, with a checkpoint."""
    then = time.time() - 40 * 86_400
    for path in transaction_log.folder(table).iterdir():
        os.utime(path, (then, then))
    version = delta.version_of(table)
    opened = delta.open_table(table)
    opened.create_checkpoint()
    opened.cleanup_metadata()
    assert not transaction_log.entry(table, version - 1).is_file()
    assert delta.note_of(table, version)
    assert delta.mark_of(table, "n") == 20
    assert maintain(table, nullcontext, keep=MONTH).files_after == 1
    assert values_of(table) == list(range(20))
