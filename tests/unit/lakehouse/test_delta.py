"""The one writer: marks, replacing, racing, unknown outcomes and flushing, on real tables."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError

from lakehouse import delta, flushing
from lakehouse.delta import transaction_log
from lakehouse.delta.changes import changes_since
from lakehouse.errors import LakeConflict, LakeError
from tests.unit.lakehouse.partitions import replace_partition

SCHEMA = pa.schema([pa.field("day", pa.string(), nullable=False), pa.field("value", pa.int64())])


def rows(*values: int, day: str = "2026-10-19") -> pa.Table:
    return pa.table({"day": [day] * len(values), "value": list(values)}, SCHEMA)


def values_of(address: Path) -> list[int]:
    return sorted(delta.open_table(address).to_pyarrow_table()["value"].to_pylist())


@pytest.fixture
def address(tmp_path) -> Path:
    return tmp_path / "lake" / "table"


def append(address: Path, *values: int, **marks: int) -> delta.Commit:
    return delta.append(address, rows(*values), SCHEMA, marks=marks)


def test_no_table_yet(address):
    assert not delta.exists(address)
    assert delta.version_of(address) is None
    assert delta.mark_of(address, "batch") == 0
    assert delta.marked(address, ["batch"]) == set()
    assert changes_since(address, 0) == []
    with pytest.raises(LakeError, match=r"(?s)no readable Delta table.*Run 'sjostad doctor'"):
        delta.open_table(address)


def test_append_makes_the_table_and_marks_it(address):
    commit = append(address, 1, 2, batch=1, other=7)
    assert commit == delta.Commit(version=1, written=True)
    assert values_of(address) == [1, 2]
    assert delta.mark_of(address, "other") == 7
    assert delta.marked(address, ["batch", "other", "third"]) == {"batch", "other"}
    assert delta.open_table(address).schema().to_arrow().field("day").nullable is False


def test_same_marks_again_write_nothing(address):
    append(address, 1, batch=1)
    files = sorted(address.rglob("*"))
    assert append(address, 1, batch=1) == delta.Commit(version=1, written=False)
    assert sorted(address.rglob("*")) == files


def test_delta_itself_would_write_twice(address):
    """The control: Delta keeps marks but does not compare them."""
    append(address, 1, batch=1)
    table = DeltaTable(str(address))
    properties = delta.CommitProperties(app_transactions=[Transaction("batch", 1)])
    write_deltalake(table, rows(1), mode="append", commit_properties=properties)
    assert values_of(address) == [1, 1]


def test_some_marks_moved_is_a_conflict(address):
    append(address, 1, batch=1, first=1)
    with pytest.raises(LakeConflict, match=r"another writer moved batch.*Read again"):
        append(address, 2, batch=1, second=1)
    assert values_of(address) == [1]


def test_an_older_mark_is_a_conflict_a_newer_one_goes_on(address):
    append(address, 1, batch=5)
    assert not append(address, 2, batch=4).written
    assert append(address, 3, batch=6).written
    assert values_of(address) == [1, 3]


def test_note_stands_in_the_commit(address):
    delta.append(address, rows(1), SCHEMA, marks={"a": 1}, note={"digest": "å"})
    assert delta.note_of(address, 1)["digest"] == "å"
    assert "digest" not in delta.note_of(address, 0)


def replace_day(address: Path, day: str, *values: int, **marks: int) -> delta.Commit:
    return replace_partition(address, rows(*values, day=day), "day", day, marks)


def test_who_replaces_everything_may_bring_other_columns(address):
    append(address, 1, batch=1)
    wider = SCHEMA.append(pa.field("more", pa.string()))
    rows_now = pa.table({"day": ["e"], "value": [2], "more": ["x"]}, wider)
    delta.replace(address, rows_now, wider)
    table = delta.open_table(address)
    assert table.to_pyarrow_table().to_pylist() == [{"day": "e", "value": 2, "more": "x"}]
    assert table.schema().to_arrow().field("day").nullable is False
    assert delta.mark_of(address, "batch") == 1


def test_replace_touches_only_its_partition(address):
    replace_day(address, "2026-10-19", 1, 2)
    replace_day(address, "2026-10-20", 3)
    other = set((address / "day=2026-10-20").iterdir())
    replace_day(address, "2026-10-19", 9)
    assert values_of(address) == [3, 9]
    assert set((address / "day=2026-10-20").iterdir()) == other
    (change,) = changes_since(address, 2)
    assert change.partitions == ({"day": "2026-10-19"},)


def test_rows_of_other_partitions_than_those_replaced_are_refused(address):
    replace_day(address, "2026-10-19", 1)
    with pytest.raises(LakeError, match=r"are to replace those of"):
        replace_partition(address, rows(5, day="2026-10-20"), "day", "2026-10-19", {})
    assert values_of(address) == [1]


def test_replace_replaces_all(address):
    append(address, 1, 2, batch=1)
    delta.replace(address, rows(7), SCHEMA)
    assert values_of(address) == [7]


def test_changes_since(address):
    replace_day(address, "2026-10-19", 1)
    replace_day(address, "2026-10-20", 2, batch=4)
    DeltaTable(str(address)).optimize.compact()
    changes = changes_since(address, 1)
    assert [(c.version, [p["day"] for p in c.partitions]) for c in changes] == [(2, ["2026-10-20"])]
    assert len(changes_since(address, 0)) == 2
    assert changes_since(address, 2) == []


def test_rearranging_files_is_no_change(address):
    append(address, 1, batch=1)
    append(address, 2, batch=2)
    DeltaTable(str(address)).optimize.compact()
    assert delta.version_of(address) == 3
    assert changes_since(address, 2) == []


def race(address: Path, write) -> list[bool]:
    """Two writers that both have looked before either writes; who wrote."""
    ready = threading.Barrier(2)
    real = delta.write_deltalake

    def together(*arguments, **options):
        ready.wait()
        return real(*arguments, **options)

    def attempt(_number: int) -> bool:
        try:
            return write(address)
        except LakeConflict:
            return False

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(delta, "write_deltalake", together)
        return list(pool.map(attempt, range(2)))


def test_two_writers_with_the_same_mark_are_one_commit(address):
    for number in range(1, 21):
        wrote = race(address, lambda at, number=number: append(at, number, batch=number).written)
        assert sorted(wrote) == [False, True]
    assert values_of(address) == list(range(1, 21))


def test_writing_by_path_would_write_both(address):
    """The control: both have looked, and then write by path instead of through what they saw."""
    append(address)
    properties = delta.CommitProperties(app_transactions=[Transaction("batch", 9)])
    looked = [DeltaTable(str(address)) for _ in range(2)]
    assert [table.transaction_version("batch") for table in looked] == [None, None]
    for _ in looked:
        write_deltalake(str(address), rows(1), mode="append", commit_properties=properties)
    assert values_of(address) == [1, 1]
    for table in looked[:1]:
        with pytest.raises(DeltaError, match="Concurrent transaction failed"):
            write_deltalake(table, rows(1), mode="append", commit_properties=properties)


def test_different_marks_at_the_same_time_all_land(address):
    append(address, 0, start=1)

    def write(number: int) -> bool:
        return append(address, number, **{f"delivery{number}": 1}).written

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(write, range(1, 17)))
    assert values_of(address) == list(range(17))


RACER = """
import sys
from pathlib import Path
import pyarrow as pa
from lakehouse import (delta)
from lakehouse.errors import LakeConflict
schema = pa.schema([pa.field("day", pa.string(), nullable=False), pa.field("value", pa.int64())])
for number in range(1, 11):
    data = pa.table({"day": ["d"], "value": [number]}, schema)
    while True:
        try:
            delta.append(Path(sys.argv[1]), data, schema, marks={"batch": number})
            break
        except LakeConflict:
            pass
"""


def test_two_processes_with_the_same_marks_are_one(address):
    append(address)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(address)],
            env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        )
        for _ in range(2)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert values_of(address) == list(range(1, 11))


def test_commit_whose_answer_is_lost_counts_once(address, monkeypatch):
    append(address, 1, batch=1)
    real = delta.write_deltalake

    def write_and_fail(*arguments, **options):
        real(*arguments, **options)
        raise DeltaError("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(delta, "write_deltalake", write_and_fail)
        assert append(address, 2, batch=2) == delta.Commit(version=2, written=True)
    assert append(address, 2, batch=2) == delta.Commit(version=2, written=False)
    assert values_of(address) == [1, 2]


@pytest.mark.parametrize("kind", [DeltaError, OSError])
def test_commit_that_failed_says_so_and_can_be_tried_again(address, monkeypatch, kind):
    append(address, 1, batch=1)

    def fail(*_arguments, **_options):
        raise kind("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(delta, "write_deltalake", fail)
        with pytest.raises(LakeError, match=r"commit failed: No space left.*Free space"):
            append(address, 2, batch=2)
    assert append(address, 2, batch=2).written
    assert values_of(address) == [1, 2]


def test_files_log_and_folders_are_flushed(address, monkeypatch):
    append(address)
    flushed: list[Path] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        flushed.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    commit = append(address, 1, batch=1)
    log = address / "_delta_log"
    (data,) = address.glob("*.parquet")
    assert set(flushed) == {data, address, log, log / f"{commit.version:020d}.json"}
    # An entry must be on disk before the folder that names it.
    assert flushed.index(data) < flushed.index(log / f"{commit.version:020d}.json")
    assert flushed[-1] == log


def test_delta_itself_flushes_nothing(address, monkeypatch):
    """The control: os.fsync is not called by a plain write."""
    append(address)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: pytest.fail("flushed after all"))
    write_deltalake(str(address), rows(1), mode="append")


def test_partition_folders_are_flushed(address, monkeypatch):
    flushed: set[Path] = set()
    monkeypatch.setattr(flushing, "flush", flushed.add)
    replace_day(address, "2026-10-19", 1)
    assert address / "day=2026-10-19" in flushed


@pytest.mark.parametrize("keep", [0, 0.5], ids=["empty", "torn"])
def test_damaged_newest_log_entry_is_an_error(address, keep):
    """delta-rs reads an empty newest entry as a commit without rows and says nothing."""
    append(address, 1, batch=1)
    append(address, 2, batch=2)
    newest = address / "_delta_log" / f"{2:020d}.json"
    content = newest.read_bytes()
    newest.write_bytes(content[: int(len(content) * keep)])
    for ask in (
        lambda: delta.open_table(address),
        lambda: delta.version_of(address),
        lambda: delta.mark_of(address, "batch"),
        lambda: transaction_log.read_entry(address, 2),
        lambda: changes_since(address, 1),
        lambda: append(address, 3, batch=3),
    ):
        with pytest.raises(LakeError):
            ask()


def test_unprotected_an_empty_entry_loses_a_row_in_silence(address):
    """The control for the test above."""
    append(address, 1, batch=1)
    append(address, 2, batch=2)
    (address / "_delta_log" / f"{2:020d}.json").write_bytes(b"")
    assert DeltaTable(str(address)).to_pyarrow_table().num_rows == 1


def test_missing_log_entry_is_an_error(address):
    append(address, 1, batch=1)
    with pytest.raises(LakeError, match=r"cannot be read.*sjostad doctor"):
        transaction_log.read_entry(address, 7)


def test_folder_left_by_a_killed_creation_is_no_table(address):
    (address / "_delta_log").mkdir(parents=True)
    assert not delta.exists(address)
    assert append(address, 1, batch=1).written
