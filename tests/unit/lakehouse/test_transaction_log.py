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

from lakehouse import delta
from lakehouse.delta import transaction_log
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
            assert transaction_log.marks(address, version, NAMES) == expected
            assert transaction_log.marks(address, version, asked) == {
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
        transaction_log.entry(address, version).unlink()
    return address


def test_marks_outlive_the_entries_that_brought_them(checkpointed):
    held = delta.marks_of(checkpointed, ["batch", "cursor", "delivery", "none"])
    assert held == {"batch": 2, "cursor": 5, "delivery": 3}


def test_a_checkpoint_of_another_make_is_left_to_the_library(checkpointed, monkeypatch):
    """Another engine may write it in parts; its hint then says so and its file has another name."""
    hint = transaction_log.folder(checkpointed) / "_last_checkpoint"
    hint.unlink()
    asked = []
    real = DeltaTable.transaction_version

    def ask(table: DeltaTable, name: str) -> int | None:
        asked.append(name)
        return real(table, name)

    monkeypatch.setattr(DeltaTable, "transaction_version", ask)
    version = DeltaTable(checkpointed).version()
    assert transaction_log.marks(checkpointed, version, ["batch", "none"]) == {"batch": 2}
    assert asked == ["batch", "none"]


def test_a_damaged_checkpoint_is_named(checkpointed):
    (file,) = transaction_log.folder(checkpointed).glob("*.checkpoint.parquet")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(LakeError, match=r"checkpoint\.parquet: the log entry cannot be read"):
        delta.marks_of(checkpointed, ["batch"])


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("torn", ["commitInfo", "txn", "add"])
def test_a_torn_entry_is_named(checkpointed, torn, kept):
    """Wherever it ends: a mark that went with the rest of an entry may have been there."""
    entry = transaction_log.entry(checkpointed, 2)
    lines = sorted(entry.read_text().strip().split("\n"), key=lambda line: f'"{torn}"' in line[:16])
    assert f'"{torn}"' in lines[-1][:16]
    lines[-1] = lines[-1][: int(len(lines[-1]) * kept)]
    entry.write_text("\n".join(lines))
    with pytest.raises(LakeError, match=r"2\.json: the log entry cannot be read"):
        delta.marks_of(checkpointed, ["batch"])


def test_an_entry_that_is_gone_is_named(tmp_path: Path):
    address = tmp_path / "t"
    for number in range(3):
        commit(address, {"batch": number})
    transaction_log.entry(address, 1).unlink()
    with pytest.raises(LakeError, match=r"1\.json: the log entry cannot be read"):
        delta.marks_of(address, ["batch"])


def test_the_version_is_the_one_that_the_library_opens(checkpointed, tmp_path: Path):
    """With entries alone, with a checkpoint before them, with nothing but it, and with nothing."""
    address = tmp_path / "other"
    assert delta.version_of(address) is None
    address.mkdir()
    assert delta.version_of(address) is None
    for number in range(12):
        commit(address, {"batch": number})
        assert delta.version_of(address) == DeltaTable(address).version() == number
    assert delta.version_of(checkpointed) == DeltaTable(checkpointed).version() == 2
    (transaction_log.folder(checkpointed) / f"{3:020d}.json.tmp").write_text("another writer's")
    assert delta.version_of(checkpointed) == 2
    DeltaTable(checkpointed).create_checkpoint()
    for entry in transaction_log.folder(checkpointed).glob("*.json*"):
        entry.unlink()
    assert delta.version_of(checkpointed) == DeltaTable(checkpointed).version() == 2


def test_only_marks_count(tmp_path: Path):
    """Rows, notes and statistics may hold the same word."""
    address = tmp_path / "t"
    note = CommitProperties(custom_metadata={"txn": json.dumps({"appId": "batch", "version": 9})})
    data = pa.table({"txn": ['{"txn":{"appId":"batch","version":9}}']})
    write_deltalake(address, data, commit_properties=note)
    assert delta.marks_of(address, ["batch"]) == {}
