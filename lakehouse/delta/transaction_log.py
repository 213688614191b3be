"""The log of a Delta table: the actions of one commit, and the marks of all.

delta-rs answers for one mark at a time and goes through the log for each. Here the log is gone
through once for as many as are asked for: a source has a mark for every delivery it ever made.
Nor need a table be opened for a question about its marks or its version: delta-rs takes 10 ms for
that, and one ingest asks about ten times.

Source: Delta protocol, "Delta Log Entries", "Checkpoints" and "Transaction Identifiers".
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from lakehouse import flushing
from lakehouse.errors import LakeError, Problem

_FOLDER: Final = "_delta_log"
_HINT: Final = "_last_checkpoint"
_MARK: Final = b'"txn"'
_ENTRY: Final = re.compile(r"\d{20}\.json")


def entry(address: Path, version: int) -> Path:
    """The log entry of one commit."""
    return address / _FOLDER / f"{version:020d}.json"


def folder(address: Path) -> Path:
    """The folder of a table's log."""
    return address / _FOLDER


def newest(address: Path) -> int | None:
    """The version of the newest log entry; None when there is none.

    Raises:
        LakeError: That entry is empty or torn, as a power cut can leave one.
    """
    try:
        with os.scandir(folder(address)) as found:
            names = [one.name for one in found if _ENTRY.fullmatch(one.name)]
    except FileNotFoundError:
        return None
    if not names:
        return None
    last = folder(address) / max(names)
    if not any(_lines(last)):
        raise empty(last)
    return int(last.stem)


def read_entry(address: Path, version: int) -> list[dict[str, Any]]:
    """The actions of one commit.

    Raises:
        LakeError: The entry is missing, empty or torn.
    """
    path = entry(address, version)
    try:
        # not splitlines(): statistics may hold U+2028, which is no end of a line here
        lines = path.read_text(encoding="utf-8").split("\n")
        actions = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not actions:
        raise empty(path)
    return actions


def empty(path: Path) -> LakeError:
    """The error of an entry without a word, as a power cut can leave one."""
    return LakeError(
        Problem(str(path), "the log entry is empty", "Restore the table; see operations.md.")
    )


def _unreadable(path: Path, error: Exception) -> LakeError:
    return LakeError(
        Problem(str(path), f"the log entry cannot be read: {error}", "Run 'sjostad doctor'.")
    )


def marks(address: Path, until: int, names: Collection[str]) -> dict[str, int]:
    """The newest version of each of these marks that a table carries.

    Args:
        address: The table.
        until: The version of the table that is asked about.
        names: The marks.

    Raises:
        LakeError: A log entry is gone or torn.
    """
    start = _checkpoint(address, until)
    first = 0 if start is None else start + 1
    if start is None and not entry(address, 0).is_file():
        # Checkpoints of another make, or one of a commit after this one: the library knows all.
        table = DeltaTable(str(address), version=until)
        found = ((name, table.transaction_version(name)) for name in names)
        return {name: version for name, version in found if version is not None}
    wanted = frozenset(names)
    reached = {} if start is None else _of_checkpoint(_checkpoint_file(address, start), wanted)
    for version in range(first, until + 1):
        reached |= _of_entry(entry(address, version), wanted)
    return reached


def checkpoint_files(address: Path, version: int) -> list[Path]:
    """The files of the checkpoint of one version and the hint to the last; none if there is none.

    Args:
        address: The table.
        version: A version of it.
    """
    files = [_checkpoint_file(address, version), folder(address) / _HINT]
    return [path for path in files if path.is_file()] if files[0].is_file() else []


def since_checkpoint(address: Path, newest: int) -> int:
    """How many commits a reader of a version must go through one by one."""
    start = _checkpoint(address, newest)
    return newest + 1 if start is None else newest - start


def _checkpoint(address: Path, until: int) -> int | None:
    """The version of the last checkpoint; None if it is not one file, or later than `until`."""
    try:
        version = json.loads((folder(address) / _HINT).read_bytes())["version"]
    except (OSError, ValueError, KeyError, TypeError):  # the hint may be missing or torn
        return None
    is_there = isinstance(version, int) and _checkpoint_file(address, version).is_file()
    return version if is_there and version <= until else None


def _checkpoint_file(address: Path, version: int) -> Path:
    return folder(address) / f"{version:020d}.checkpoint.parquet"


def _of_checkpoint(path: Path, names: frozenset[str]) -> dict[str, int]:
    try:
        found = pq.read_table(path, columns=["txn"])["txn"].combine_chunks()
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    is_wanted = pc.is_in(pc.struct_field(found, "appId"), value_set=pa.array(names, pa.string()))
    kept = found.filter(is_wanted).to_pylist()
    return {mark["appId"]: mark["version"] for mark in kept}


def _of_entry(path: Path, names: frozenset[str]) -> dict[str, int]:
    try:
        # A line is one action: only those of marks are parsed.
        found = [json.loads(line)["txn"] for line in _lines(path) if _MARK in line[:16]]
        return {mark["appId"]: mark["version"] for mark in found if mark["appId"] in names}
    except (ValueError, KeyError) as error:
        raise _unreadable(path, error) from error


def _lines(path: Path) -> list[bytes]:
    """The lines of an entry; a torn one ends in the middle of an action, so the last is parsed."""
    try:
        lines = path.read_bytes().rstrip().split(b"\n")
        if any(lines):
            json.loads(lines[-1])
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return lines


def flush_commit(address: Path, version: int) -> None:
    """Flush one commit to disk: its files, log entry, checkpoint if it made one, and folders."""
    files = [
        address / unquote(action["add"]["path"])
        for action in read_entry(address, version)
        if "add" in action
    ]
    for path in files:
        flushing.flush(path)
    for holder in {path.parent for path in files}:
        flushing.flush(holder)
    flushing.flush(entry(address, version))
    for path in checkpoint_files(address, version):
        flushing.flush(path)
    flushing.flush(folder(address))
