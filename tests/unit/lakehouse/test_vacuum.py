"""What no version needs goes; what one within the retention reads stays, and so does new work."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse import delta
from lakehouse.delta import transaction_log, vacuum
from lakehouse.errors import LakeError, SettingsError

SCHEMA = pa.schema([("x", pa.int64())])
MONTH = timedelta(days=30)


def age(address: Path, days: float) -> None:
    """Let everything that is there have been made so many days earlier."""
    for path in [path for path in address.rglob("*") if path.is_file()]:
        if path.suffix == ".json":
            actions = [json.loads(line) for line in path.read_text().splitlines()]
            for action in actions:
                told = action.get("commitInfo") or action.get("remove") or {}
                for key in {"timestamp", "deletionTimestamp"} & told.keys():
                    told[key] -= int(days * 86_400_000)
            path.write_text("\n".join(map(json.dumps, actions)))
        then = path.stat().st_mtime - days * 86_400
        os.utime(path, (then, then))


def replaced(address: Path, x: int) -> str:
    """Replace the table's only row; the file it is in."""
    delta.replace(address, pa.table({"x": [x]}), SCHEMA)
    (name,) = delta.open_table(address).file_uris()
    return Path(name).name


def found(address: Path, keep: timedelta = MONTH) -> set[str]:
    return {one.path.name for one in vacuum.unneeded(address, delta.open_table(address), keep)}


def test_files_that_were_replaced_go_when_the_retention_is_over(tmp_path):
    first = replaced(tmp_path, 1)
    age(tmp_path, 10)
    second = replaced(tmp_path, 2)
    age(tmp_path, 25)  # version 1 stood until 25 days ago
    replaced(tmp_path, 3)
    assert found(tmp_path) == set()
    assert found(tmp_path, timedelta(days=20)) == {first}
    age(tmp_path, 6)
    assert found(tmp_path) == {first}
    age(tmp_path, 25)
    assert found(tmp_path) == {first, second}
    assert delta.open_table(tmp_path).to_pyarrow_table()["x"].to_pylist() == [3]


def test_a_version_of_the_retention_can_be_read_after_checkpoints(tmp_path):
    """delta-rs forgets within a week which files a checkpoint's versions had."""
    first = replaced(tmp_path, 1)
    age(tmp_path, 25)
    replaced(tmp_path, 2)
    age(tmp_path, 20)  # for twenty days version 1 is no longer the newest
    for x in range(3, 6):
        write_deltalake(tmp_path, pa.table({"x": [x]}), mode="append")
    delta.open_table(tmp_path).create_checkpoint()
    assert first not in found(tmp_path)
    for one in vacuum.unneeded(tmp_path, delta.open_table(tmp_path), MONTH):
        one.path.unlink()
    assert delta.open_table(tmp_path, 1).to_pyarrow_table()["x"].to_pylist() == [1]
    # The control: what the library itself would remove.
    listed = DeltaTable(tmp_path).vacuum(30 * 24, dry_run=True, full=True)
    assert first in {Path(name).name for name in listed}


def test_what_a_crash_left_goes_and_work_under_way_stays(tmp_path):
    replaced(tmp_path, 1)
    left = [
        tmp_path / "partition_date=2026-03-01" / "part-never.parquet",
        tmp_path / "tmp_part-never.parquet",
        tmp_path / "part-half.parquet#1",
        transaction_log.folder(tmp_path) / "00000000000000000002.json#1",
        transaction_log.folder(tmp_path) / "_commit_0f.json.tmp",
    ]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    assert found(tmp_path) == set()
    age_of_month = time.time() - 31 * 86_400
    for path in left:
        os.utime(path, (age_of_month, age_of_month))
    (tmp_path / "notes.txt").write_text("somebody's own")
    os.utime(tmp_path / "notes.txt", (age_of_month, age_of_month))
    assert found(tmp_path) == {path.name for path in left}


def test_the_newest_version_stays_however_old_it_is(tmp_path):
    replaced(tmp_path, 1)
    delta.open_table(tmp_path).create_checkpoint()
    age(tmp_path, 400)
    assert found(tmp_path) == set()


def test_a_log_that_was_cleaned_reaches_back_as_far_as_versions_can_be_opened(tmp_path):
    names = [replaced(tmp_path, x) for x in range(4)]
    age(tmp_path, 40)
    last = replaced(tmp_path, 9)
    delta.open_table(tmp_path).create_checkpoint()
    DeltaTable(tmp_path).cleanup_metadata()
    assert not transaction_log.entry(tmp_path, 2).is_file()
    assert found(tmp_path) == set(names) - {names[-1]}
    assert last not in found(tmp_path)


def test_a_week_is_the_least_unless_it_is_said(tmp_path):
    first = replaced(tmp_path, 1)
    replaced(tmp_path, 2)
    table, short = delta.open_table(tmp_path), timedelta(days=6.9)
    with pytest.raises(SettingsError, match=r"6\.9 days are too few.*--allow-short"):
        vacuum.unneeded(tmp_path, table, short)
    time.sleep(0.01)
    none = vacuum.unneeded(tmp_path, table, timedelta(0), is_short_meant=True)
    assert [one.path.name for one in none] == [first]


def test_a_torn_log_removes_nothing(tmp_path):
    replaced(tmp_path, 1)
    replaced(tmp_path, 2)
    table = delta.open_table(tmp_path)
    entry = transaction_log.entry(tmp_path, 1)
    entry.write_bytes(entry.read_bytes()[:-30])
    with pytest.raises(LakeError, match=r"cannot be read.*sjostad doctor"):
        vacuum.unneeded(tmp_path, table, MONTH)
