"""Files in a table's folder that no version needs any more.

A replaced partition and a compaction leave files behind that older versions are read from; a
crash and a lost race leave files that no version ever named. Both are removed when they are
older than a retention. What a version within it reads stays: the log tells which files were taken
out of the table since then. delta-rs has a vacuum of its own; it writes two versions, and the log
of tombstones that it goes by reaches back a week (docs/decisions/0014-upkeep.md).

Source: Delta protocol, "Remove File"; Delta's documentation of VACUUM.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from deltalake import DeltaTable

from lakehouse.delta import data_files, transaction_log
from lakehouse.errors import Problem, SettingsError

LEAST: Final = timedelta(days=7)
"""Within it a file may be part of a commit under way, or of a version that somebody reads."""


@dataclass(frozen=True, slots=True)
class Unneeded:
    """A file that no version within the retention needs."""

    path: Path
    size: int


def unneeded(
    address: Path, table: DeltaTable, keep: timedelta, *, is_short_meant: bool = False
) -> list[Unneeded]:
    """The files that no version within a retention needs, and that are older than it.

    Looks at every file of the table's folder once, and at the log entries of the retention.

    Args:
        address: The table.
        table: The same, as it is now.
        keep: How far back versions are to be readable.
        is_short_meant: Whether a retention under `LEAST` is no mistake: nothing may be reading
            or writing the table then.

    Raises:
        SettingsError: The retention is under `LEAST`.
        LakeError: A log entry cannot be read; nothing can be said then.
    """
    if keep < LEAST and not is_short_meant:
        raise SettingsError(
            Problem(
                str(address),
                f"{keep / timedelta(days=1):g} days are too few to keep: a commit under way "
                "or a reader may need what would be removed",
                f"Keep {LEAST.days} days or more; --allow-short if nothing else is running.",
            )
        )
    since = datetime.now(UTC) - keep
    needed = data_files.names_of(table) | _taken_out(address, table.version(), since)
    return [
        Unneeded(path, stat.st_size)
        for path, stat in _files(address)
        if stat.st_mtime < since.timestamp() and str(path.relative_to(address)) not in needed
    ]


def _taken_out(address: Path, newest: int, since: datetime) -> set[str]:
    """Files that commits after an instant took out of a table: a version before them has them.

    The log is gone through backwards, until a commit before that instant or the first that is
    left: a version whose entry is gone cannot be opened, whatever files there are.
    """
    found: set[str] = set()
    for version in range(newest, -1, -1):
        if not transaction_log.entry(address, version).is_file():
            break
        actions = transaction_log.read_entry(address, version)
        made = [a["commitInfo"].get("timestamp") for a in actions if "commitInfo" in a]
        if made and made[0] is not None and made[0] < since.timestamp() * 1000:
            break
        found |= {unquote(action["remove"]["path"]) for action in actions if "remove" in action}
    return found


def _files(address: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Data files of a table's folder, and what a writer that died left half made."""
    for folder, folders, names in os.walk(address):
        is_log = Path(folder) == transaction_log.folder(address)
        folders[:] = [
            name
            for name in folders
            if name[0] not in "._" or name == transaction_log.folder(address).name
        ]
        for name in names:
            is_half = "#" in name or name.startswith("_commit_")
            if is_half if is_log else is_half or name.endswith(".parquet"):
                path = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):  # a writer has put it in its place
                    yield path, path.stat()
