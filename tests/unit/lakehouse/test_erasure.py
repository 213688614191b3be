"""Rows that are taken out of a table leave no trace in it, and every other row stays."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakehouse import delta
from lakehouse.delta import compaction, data_files, erasure
from lakehouse.delta.changes import changes_since
from lakehouse.duck import connect
from lakehouse.errors import LakeError
from lakehouse.traces import traces_in
from lakehouse.traces.word_in_bytes import Word

SCHEMA = pa.schema(
    [
        pa.field("device", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("note", pa.string()),
        pa.field("partition_date", pa.date32()),
    ]
)
GONE = "LAS-1"
WORD = Word.of(GONE)


def land(address, batch: int, *devices: str) -> None:
    with connect(extensions=()) as connection:
        days = [date(2026, 1, 1 + batch % 3), date(2026, 2, 1)]
        rows = [
            {"device": device, "value": float(batch), "partition_date": day}
            for device in devices for day in days
        ]  # fmt: skip
        connection.register("rows", pa.Table.from_pylist(rows, SCHEMA))
        delta.append_query(
            address, connection, "select device, value, partition_date from rows", SCHEMA,
            partition_by=["partition_date"], marks={"batch": batch}, note={"batch": str(batch)},
        )  # fmt: skip


@pytest.fixture
def table(tmp_path):
    address = tmp_path / "t"
    for batch in range(1, 7):
        land(address, batch, *([GONE] if batch in (2, 5) else []), "LAS-2", "LAS-3")
    return address


def rows_of(address) -> list[tuple[object, ...]]:
    found = delta.open_table(address).to_pyarrow_table().to_pylist()
    return sorted((r["device"], r["value"], str(r["note"]), r["partition_date"]) for r in found)


def test_only_files_that_hold_such_rows_are_written_anew(table):
    before, files = rows_of(table), data_files.names_of(delta.open_table(table))
    done = erasure.take_out(table, f"device = '{GONE}'", note={"why": "x"}, marks={"anew": 1})
    assert (done.rows, done.files) == (4, 4)
    assert rows_of(table) == [row for row in before if row[0] != GONE]
    assert len(data_files.names_of(delta.open_table(table)) & files) == len(files) - 4
    assert delta.mark_of(table, "anew") == 1
    version = delta.version_of(table)
    assert erasure.take_out(table, f"device = '{GONE}'").rows == 0
    assert delta.version_of(table) == version


def test_nothing_is_left_of_it_once_the_table_forgets(table):
    erasure.take_out(table, f"device = '{GONE}'")
    assert any(traces_in(table, WORD))  # the control: the log and old files still tell of it
    before, marks = rows_of(table), delta.marks_of(table, ["batch", "erasure"])
    erasure.forget(table, {"batch": "6"})
    assert not any(traces_in(table, WORD))
    assert rows_of(table) == before
    assert delta.marks_of(table, ["batch"])["batch"] == marks["batch"]
    assert delta.note_of(table, delta.version_of(table))["batch"] == "6"
    assert not compaction.strange_features(delta.open_table(table))
    land(table, 7, "LAS-4")
    assert len(rows_of(table)) == len(before) + 2
    with pytest.raises(LakeError):  # who follows it must read it whole
        changes_since(table, 3)
    with pytest.raises(Exception, match=r"(?i)version|log|not found"):
        DeltaTable(str(table), version=3).to_pyarrow_table()


@pytest.mark.parametrize("stop", range(4))
def test_forgetting_may_stop_anywhere(table, stop, monkeypatch):
    erasure.take_out(table, f"device = '{GONE}'")
    before = rows_of(table)
    calls = 0

    def stopping(*given):
        nonlocal calls
        calls += 1
        if calls > stop:
            raise KeyboardInterrupt
        return real(*given)

    real = erasure.flushing.flush
    monkeypatch.setattr(erasure.flushing, "flush", stopping)
    with pytest.raises(KeyboardInterrupt):
        erasure.forget(table)
    monkeypatch.undo()
    assert rows_of(table) == before
    erasure.forget(table)
    assert not any(traces_in(table, WORD))
    assert rows_of(table) == before


def test_a_partition_with_nothing_else_goes_whole(tmp_path):
    land(tmp_path / "t", 1, GONE)
    land(tmp_path / "t", 2, "LAS-2")
    erasure.take_out(tmp_path / "t", f"device = '{GONE}'")
    erasure.forget(tmp_path / "t")
    assert {row[0] for row in rows_of(tmp_path / "t")} == {"LAS-2"}
    assert not any(traces_in(tmp_path / "t", WORD))


def test_values_are_replaced_where_rows_stay(table):
    erasure.take_out(table, "false", replaced={"note": f"case device when '{GONE}' then 'x' end"})
    assert {row[2] for row in rows_of(table) if row[0] == GONE} == {"x"}
    assert {row[2] for row in rows_of(table) if row[0] != GONE} == {"None"}


def test_looking_writes_nothing(table):
    version = delta.version_of(table)
    assert erasure.take_out(table, f"device = '{GONE}'", dry_run=True).rows == 4
    assert delta.version_of(table) == version


def test_a_rewrite_that_loses_a_row_is_not_committed(table, monkeypatch):
    before = rows_of(table)
    real = data_files.write

    def losing(connection, query, *given):
        return real(connection, f"from ({query}) limit 1", *given)

    monkeypatch.setattr(erasure.data_files, "write", losing)
    with pytest.raises(LakeError, match="were written, not all the same"):
        erasure.take_out(table, f"device = '{GONE}'")
    assert rows_of(table) == before
    files = {path.relative_to(table).as_posix() for path in table.rglob("part-*.parquet")}
    assert files == data_files.names_of(delta.open_table(table))


def test_a_file_that_cannot_be_read_stops_it(table):
    name = sorted(data_files.names_of(delta.open_table(table)))[0]
    (table / name).write_bytes(b"torn")
    with pytest.raises(LakeError, match="cannot be read"):
        erasure.take_out(table, f"device = '{GONE}'")


def test_a_checkpoint_has_nothing_of_what_was_replaced(tmp_path):
    """Partitions that were overwritten leave removals, which have statistics in some logs."""
    address = tmp_path / "t"
    rows = pa.table({"device": [GONE]}, pa.schema([SCHEMA.field("device")]))
    delta.replace(address, rows, rows.schema, marks={"batch": 1})
    others = pa.table({"device": ["LAS-2"]}, rows.schema)
    delta.replace(address, others, rows.schema, marks={"batch": 2})
    erasure.forget(address)
    assert not any(traces_in(address, WORD))
