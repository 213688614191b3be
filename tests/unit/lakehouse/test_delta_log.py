"""The log of a Delta table, gone through once for any number of marks."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse import delta, delta_log
from lakehouse.errors import LakeError

NAMES = ("batch", "cursor", 'delivery:"å"', "txn", "source\u2028x")
COMMITS = st.lists(
    st.tuples(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 9)), st.booleans()),
    max_size=6,
)


def commit(address: Path, marks: dict[str, int], *, add: int = 1) -> DeltaTable:
    """Add a row with these marks."""
    transactions = [Transaction(name, version) for name, version in marks.items()]
    write_deltalake(
        address,
        pa.table({"value": pa.array([add], pa.int64())}),
        mode="append",
        commit_properties=CommitProperties(app_transactions=transactions),
    )
    return DeltaTable(address)


def as_the_library_says(table: DeltaTable) -> dict[str, int]:
    """The control: delta-rs asked for one mark after the other."""
    found = {name: table.transaction_version(name) for name in NAMES}
    return {name: version for name, version in found.items() if version is not None}


@given(commits=COMMITS, asked=st.sets(st.sampled_from(NAMES)))
@settings(max_examples=60, deadline=None)
def test_marks_are_those_that_the_library_finds(commits, asked):
    """At every version, whether its marks stand in a checkpoint, in entries after it, or both."""
    with TemporaryDirectory() as home:
        address = Path(home) / "t"
        commit(address, {})
        for marks, is_checkpoint in commits:
            table = commit(address, marks)
            if is_checkpoint:
                table.create_checkpoint()
        for version in range(len(commits) + 1):
            table = DeltaTable(address, version=version)
            expected = as_the_library_says(table)
            assert delta_log.marks(address, table, NAMES) == expected
            assert delta_log.marks(address, table, asked) == {
                name: expected[name] for name in asked & expected.keys()
            }


@pytest.fixture
def checkpointed(tmp_path: Path) -> Path:
    """A table whose first entries live only in its checkpoint, with one commit after that."""
    address = tmp_path / "t"
    commit(address, {"batch": 1, "cursor": 5})
    commit(address, {"batch": 2}).create_checkpoint()
    commit(address, {"delivery": 3})
    for version in (0, 1):
        delta_log.entry(address, version).unlink()
    return address


def test_marks_outlive_the_entries_that_brought_them(checkpointed):
    held = delta.marks_of(checkpointed, ["batch", "cursor", "delivery", "none"])
    assert held == {"batch": 2, "cursor": 5, "delivery": 3}


def test_a_checkpoint_of_another_make_is_left_to_the_library(checkpointed):
    """Another engine may write it in parts; its hint then says so and its file has another name."""
    hint = delta_log.folder(checkpointed) / "_last_checkpoint"
    hint.unlink()
    asked = []

    class Asked:
        version = DeltaTable(checkpointed).version

        def transaction_version(self, name: str) -> int | None:
            asked.append(name)
            return DeltaTable(checkpointed).transaction_version(name)

    assert delta_log.marks(checkpointed, Asked(), ["batch", "none"]) == {"batch": 2}
    assert asked == ["batch", "none"]


def test_a_damaged_checkpoint_is_named(checkpointed):
    table = DeltaTable(checkpointed)
    (file,) = delta_log.folder(checkpointed).glob("*.checkpoint.parquet")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(LakeError, match=r"checkpoint\.parquet: the log entry cannot be read"):
        delta_log.marks(checkpointed, table, ["batch"])


def test_a_torn_entry_is_named(checkpointed):
    table = DeltaTable(checkpointed)
    entry = delta_log.entry(checkpointed, 2)
    lines = [line for line in entry.read_text().split("\n") if '"txn"' in line[:16]]
    entry.write_text(lines[0][:-5])
    with pytest.raises(LakeError, match=r"2\.json: the log entry cannot be read"):
        delta_log.marks(checkpointed, table, ["batch"])


def test_only_marks_count(tmp_path: Path):
    """Rows, notes and statistics may hold the same word."""
    address = tmp_path / "t"
    note = CommitProperties(custom_metadata={"txn": json.dumps({"appId": "batch", "version": 9})})
    data = pa.table({"txn": ['{"txn":{"appId":"batch","version":9}}']})
    write_deltalake(address, data, commit_properties=note)
    assert delta.marks_of(address, ["batch"]) == {}
