"""Small files become one: the same rows, exact statistics, and nothing else moves."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakehouse import delta, tables
from lakehouse.delta import compaction, data_files, transaction_log
from lakehouse.delta.changes import changes_since
from lakehouse.duck import connect, delta_scan
from lakehouse.errors import LakeConflict, LakeError
from tests.unit.lakehouse.small_files import MANY, compact, land, rows_of


def files_on_disk(address: Path) -> set[Path]:
    return set(address.rglob("*.parquet"))


@pytest.fixture
def bronze(tmp_path) -> Path:
    address = tmp_path / "bronze"
    for batch in range(1, MANY + 1):
        land(address, batch)
    return address


def test_small_files_become_one_with_the_same_rows(bronze):
    rows, version = rows_of(bronze), delta.version_of(bronze)
    (bundle,) = compact(bronze)
    assert (len(bundle.files), bundle.rows) == (MANY, len(rows))
    table = delta.open_table(bronze)
    assert data_files.extent_of(table).files == 1
    assert rows_of(bronze) == rows
    with connect() as connection:
        scan = delta_scan(bronze)
        assert connection.execute(f"select count(*) from {scan}").fetchall() == [(len(rows),)]
    assert delta.version_of(bronze) == version + 1
    assert compaction.plan(table) == []


def test_statistics_types_and_order_are_those_of_bronzes_own_files(bronze):
    (old,) = {
        path for path in files_on_disk(bronze) if pq.read_table(path)["_batch"][0].as_py() == 1
    }
    compact(bronze)
    (add,) = [
        action["add"]
        for action in transaction_log.read_entry(bronze, delta.version_of(bronze))
        if "add" in action
    ]
    told = json.loads(add["stats"])
    assert told["numRecords"] == MANY * 3
    assert told["maxValues"]["phenomenon_time"] == "2026-03-01T10:12:00.124Z"  # never down
    assert told["minValues"]["phenomenon_time"] == "2026-03-01T10:01:00.123Z"
    assert told["nullCount"]["value"] == MANY * 2
    assert told["nullCount"]["longitude"] == MANY * 3
    new = pq.ParquetFile(bronze / add["path"])
    assert new.schema_arrow.equals(pq.ParquetFile(old).schema_arrow)
    assert new.metadata.row_group(0).column(0).compression == "ZSTD"
    batches = new.read()["_batch"].to_pylist()
    assert batches == sorted(batches)


def test_delta_rs_itself_rounds_the_largest_time_down(bronze):
    """The control: why its compaction is not used."""
    table = delta.open_table(bronze)
    table.optimize.compact()
    (largest,) = pa.table(table.get_add_actions(flatten=True))["max.phenomenon_time"].to_pylist()
    assert largest < datetime(2026, 3, 1, 10, 12, 0, 123457, UTC)


def test_nothing_that_others_go_by_moves(bronze):
    version = delta.version_of(bronze)
    marks = delta.marks_of(bronze, ["batch", "delivery:3"])
    compact(bronze)
    assert (
        delta.marks_of(bronze, ["batch", "delivery:3"]) == marks == {"batch": 12, "delivery:3": 3}
    )
    assert changes_since(bronze, version) == []
    note = delta.note_of(bronze, version + 1)
    assert (note["upkeep"], "batch" in note) == ("compaction", False)


def test_a_compaction_can_be_taken_back(bronze):
    rows, version = rows_of(bronze), delta.version_of(bronze)
    compact(bronze)
    delta.open_table(bronze).restore(version)
    assert data_files.extent_of(delta.open_table(bronze)).files == MANY
    assert rows_of(bronze) == rows
    assert delta.mark_of(bronze, "batch") == MANY


def test_a_table_written_whole_keeps_its_fingerprint(tmp_path):
    schema = pa.schema([("x", pa.int64())])
    for x in range(MANY):
        delta.append(tmp_path, pa.table({"x": [x]}), schema, marks={"n": x}, note={"digest": "d"})
    compact(tmp_path)
    assert delta.note_of(tmp_path, delta.version_of(tmp_path))["digest"] == "d"


def test_what_is_settled_is_left_alone(bronze, monkeypatch):
    for batch in range(MANY + 1, MANY + 8):  # seven files are not worth it
        land(bronze, batch, "2026-03-02")
    compact(bronze)
    table = delta.open_table(bronze)
    assert data_files.extent_of(table).files == 8
    for batch in range(MANY + 8, MANY + 16):
        land(bronze, batch, "2026-03-01")
    (bundle,) = compaction.plan(delta.open_table(bronze))
    assert bundle.partition == {"partition_date": "2026-03-01"}
    largest = max(file.size for file in bundle.files)
    monkeypatch.setattr(compaction, "_SMALL", largest)  # the file that was put together has grown
    (bundle,) = compaction.plan(delta.open_table(bronze))
    assert largest not in {file.size for file in bundle.files}


def test_bundles_and_commits_are_bounded(bronze, monkeypatch):
    monkeypatch.setattr(compaction, "_MANY", 5)
    bundles = compaction.plan(delta.open_table(bronze))
    assert [len(one.files) for one in bundles] == [5, 5, 2]
    assert [len(some) for some in compaction.commits(bundles)] == [1, 1, 1]
    rows = rows_of(bronze)
    compact(bronze)
    assert rows_of(bronze) == rows
    monkeypatch.setattr(compaction, "_FULL", 1)
    monkeypatch.setattr(compaction, "_WORTH", 2)
    assert compaction.plan(delta.open_table(bronze)) == []


WRONG = {
    "loses a row": "select * from ({query}) where not (_batch = 7 and _row = 1)",
    "doubles a row": "from ({query}) union all from ({query}) where _batch = 7 and _row = 1",
    "changes a value": "select * replace (case when _batch = 7 then 1 else value end as value) "
    "from ({query})",
    "loses one and doubles another": "from ({query}) where not (_batch = 7 and _row = 1) "
    "union all from ({query}) where _batch = 8 and _row = 1",
    "loses all": "from ({query}) where false",
    "takes another day": "select * replace (date '2026-03-09' as partition_date) from ({query})",
}


def miswriting(monkeypatch, how: str) -> None:
    """Let what is written differ from what was asked for."""
    write = data_files.write

    def wrong(connection, query, *given):
        return write(connection, how.format(query=query), *given)

    monkeypatch.setattr(data_files, "write", wrong)


@pytest.mark.parametrize("how", WRONG)
def test_a_rewrite_with_other_rows_never_becomes_a_version(bronze, monkeypatch, how):
    rows, version, files = rows_of(bronze), delta.version_of(bronze), files_on_disk(bronze)
    miswriting(monkeypatch, WRONG[how])
    with pytest.raises(LakeError, match=r"(?s)2026-03-01.*36 rows.*Nothing was changed"):
        compact(bronze)
    assert (delta.version_of(bronze), files_on_disk(bronze)) == (version, files)
    assert rows_of(bronze) == rows


@pytest.mark.parametrize("how", ["loses a row", "doubles a row", "changes a value"])
def test_without_the_guard_it_would(bronze, monkeypatch, how):
    """The control: these rewrites do change the table when nobody counts."""
    rows = rows_of(bronze)
    miswriting(monkeypatch, WRONG[how])
    monkeypatch.setattr(compaction, "_counted", lambda *_given: (MANY * 3, 0))
    compact(bronze)
    assert rows_of(bronze) != rows


def test_files_that_hold_other_rows_than_the_log_tells(bronze):
    table = delta.open_table(bronze)
    name = sorted(data_files.names_of(table))[0]
    held = pq.read_table(bronze / name)
    pq.write_table(held.slice(1), bronze / name)
    version = delta.version_of(bronze)
    with pytest.raises(LakeError, match="the log tells 36 rows, the files hold 35"):
        compact(bronze)
    (bronze / name).write_bytes(b"torn")
    with pytest.raises(LakeError, match=r"files cannot be read.*sjostad doctor"):
        compact(bronze)
    assert delta.version_of(bronze) == version


def test_an_append_that_slips_in_stays_once(bronze, monkeypatch):
    flush = compaction.flush_files

    def late(*given):
        flush(*given)
        land(bronze, 50)

    monkeypatch.setattr(compaction, "flush_files", late)
    rows = len(rows_of(bronze))
    compact(bronze)
    assert len(rows_of(bronze)) == rows + 3
    assert delta.mark_of(bronze, "batch") == 50
    assert data_files.extent_of(delta.open_table(bronze)).files == 2


def test_of_two_over_the_same_files_one_wins(bronze):
    rows = rows_of(bronze)
    bundles = compaction.plan(delta.open_table(bronze))
    compaction.compact(bronze, bundles)
    files = files_on_disk(bronze)
    with pytest.raises(LakeConflict, match="another writer was first"):
        compaction.compact(bronze, bundles)
    assert rows_of(bronze) == rows
    assert files_on_disk(bronze) == files  # those of the loser are gone


def test_delta_rs_itself_would_let_both_win(bronze):
    """The control: why each attempt looks whether the files are still there."""
    schema = tables.TELEMETRY
    (bundle,) = compaction.plan(delta.open_table(bronze))
    first, second = delta.open_table(bronze), delta.open_table(bronze)
    with connect(extensions=()) as connection:
        for table in (first, second):
            written: list = []
            compaction._rewrite(connection, bronze, table, bundle, written)
            gone = [
                compaction.RemoveAction(file.path, False, 1, file.size, dict(bundle.partition))
                for file in bundle.files
            ]
            table.create_write_transaction([*gone, *written], "append", schema, ["partition_date"])
    assert len(rows_of(bronze)) == 2 * MANY * 3


def test_rows_replaced_on_an_older_version_are_a_conflict(bronze, monkeypatch):
    """Tried again by delta-rs it would replace the old files only, and keep the new one."""
    write = data_files.write

    def slowly(connection, query, address, schema, partition_by):
        found = write(connection, query, address, schema, partition_by)
        monkeypatch.setattr(data_files, "write", write)
        compact(bronze)
        return found

    rows = rows_of(bronze)
    with connect() as connection:
        monkeypatch.setattr(data_files, "write", slowly)
        with pytest.raises(LakeConflict):
            delta.replace_query(
                bronze, connection, f"from {delta_scan(bronze)} where _batch = 1",
                tables.TELEMETRY, partition_by=["partition_date"],
                since={"batch": MANY}, marks={"batch": MANY + 1},
            )  # fmt: skip
    assert rows_of(bronze) == rows


@pytest.mark.parametrize("is_there", [True, False])
def test_only_the_log_says_whether_a_commit_is_there(bronze, monkeypatch, is_there):
    commit = DeltaTable.create_write_transaction

    def lost(*given, **options):
        if is_there:
            commit(*given, **options)
        raise DeltaError("No space left on device")

    rows = rows_of(bronze)
    with monkeypatch.context() as lying:
        lying.setattr(DeltaTable, "create_write_transaction", lost)
        with suppress(LakeError) if not is_there else monkeypatch.context():
            compact(bronze)
    assert rows_of(bronze) == rows
    assert data_files.extent_of(delta.open_table(bronze)).files == (1 if is_there else MANY)


def test_new_files_are_on_disk_before_the_log_names_them(bronze, monkeypatch):
    done: list[str] = []
    fsync, commit = os.fsync, DeltaTable.create_write_transaction

    def noted(descriptor):
        done.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        fsync(descriptor)

    def committed(*given, **options):
        done.append("commit")
        commit(*given, **options)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(DeltaTable, "create_write_transaction", committed)
    compact(bronze)
    (name,) = data_files.names_of(delta.open_table(bronze))
    at = done.index("commit")
    assert {Path(name).name, "partition_date=2026-03-01"} <= set(done[:at])
    assert {transaction_log.entry(bronze, delta.version_of(bronze)).name, "_delta_log"} <= set(
        done[at:]
    )


def test_a_table_with_strange_features_is_named(tmp_path):
    configuration = {"delta.enableDeletionVectors": "true", "delta.minReaderVersion": "3",
                     "delta.minWriterVersion": "7"}  # fmt: skip
    DeltaTable.create(tmp_path, pa.schema([("x", pa.int64())]), configuration=configuration)
    assert "deletionVectors" in compaction.strange_features(delta.open_table(tmp_path))
