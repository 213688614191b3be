"""The upkeep of one table: small files together, a checkpoint of its log, old files away.

None of it changes a row. What others are working on is left for the next time, with a word.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from deltalake.exceptions import DeltaError

from lakehouse import delta, flushing
from lakehouse.delta import compaction, data_files, transaction_log, vacuum
from lakehouse.errors import Busy, LakeConflict, LakeError, Problem

_LONG: Final = 10
"""Commits after the last checkpoint from which a new one is made."""
_BREATH_S: Final = 0.3
"""Between two commits, so that whoever waits for the lock gets it."""

Lock = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What the upkeep of a table did, or would do.

    Attributes:
        files_before: Files of the table's version then.
        files_after: And now.
        bytes_before: Their bytes then.
        bytes_after: And now.
        version_before: The version then.
        version_after: And now.
        together: Small files that were put together.
        partitions: Partitions they were in.
        is_checkpointed: Whether a checkpoint was made.
        removed: Files that no version needed any more.
        freed: Their bytes.
        seconds: How long it took.
        left: What was left alone, and why.
    """

    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    version_before: int
    version_after: int
    together: int
    partitions: int
    is_checkpointed: bool
    removed: int
    freed: int
    seconds: float
    left: tuple[str, ...] = ()


def maintain(
    address: Path,
    lock: Lock,
    *,
    keep: timedelta,
    dry_run: bool = False,
    is_short_meant: bool = False,
) -> Upkeep:
    """Do the upkeep of a table.

    Args:
        address: The table.
        lock: Holds off whoever else works on the table; taken for one commit at a time.
        keep: How far back versions stay readable.
        dry_run: Only look at what would be done.
        is_short_meant: Whether a retention under a week is no mistake.

    Raises:
        LakeError: The table is not as it should be, or a rewrite would not have held the same
            rows; nothing of that was committed.
        SettingsError: The retention is too short.
    """
    began = time.monotonic()
    table = delta.open_table(address)
    before, version = data_files.extent_of(table), table.version()
    left: list[str] = []
    done = _plan(address, left) if dry_run else _compact(address, lock, left)
    table = delta.open_table(address)
    is_long = transaction_log.since_checkpoint(address, table.version()) >= _LONG
    if is_long and not dry_run:
        _checkpoint(address)
    removed = _vacuum(address, lock, left, keep, is_short_meant, dry_run)
    after = data_files.extent_of(table)
    spared = sum(len(bundle.files) - 1 for bundle in done) if dry_run else 0
    return Upkeep(
        files_before=before.files,
        files_after=after.files - spared,
        bytes_before=before.size,
        bytes_after=after.size,
        version_before=version,
        version_after=table.version(),
        together=sum(len(bundle.files) for bundle in done),
        partitions=len({tuple(bundle.partition.items()) for bundle in done}),
        is_checkpointed=is_long,
        removed=len(removed),
        freed=sum(file.size for file in removed),
        seconds=time.monotonic() - began,
        left=tuple(dict.fromkeys(left)),
    )


def _plan(address: Path, left: list[str]) -> list[compaction.Bundle]:
    table = delta.open_table(address)
    strange = compaction.strange_features(table)
    if strange:
        left.append(f"compaction: the table has {', '.join(strange)}, which needs its own tool")
        return []
    return compaction.plan(table)


def _compact(address: Path, lock: Lock, left: list[str]) -> list[compaction.Bundle]:
    """Put small files together until there are few; a first time may take several rounds."""
    done: list[compaction.Bundle] = []
    while bundles := _plan(address, left):
        for some in compaction.commits(bundles):
            try:
                with lock():
                    compaction.compact(address, some)
            except (Busy, LakeConflict) as error:
                left.append(f"compaction: {error.problems[0].what}")
                return done
            done += some
            time.sleep(_BREATH_S)
    return done


def _checkpoint(address: Path) -> None:
    """Sum up the log, so that whoever opens the table need not read it entry by entry."""
    try:
        table = delta.open_table(address)
        table.create_checkpoint()
    except (DeltaError, OSError) as error:
        raise LakeError(
            Problem(str(address), f"no checkpoint can be made: {error}", "Free space, run again.")
        ) from error
    for path in transaction_log.checkpoint_files(address, table.version()):
        flushing.flush(path)
    flushing.flush(transaction_log.folder(address))


def _vacuum(
    address: Path,
    lock: Lock,
    left: list[str],
    keep: timedelta,
    is_short_meant: bool,
    dry_run: bool,
) -> Sequence[vacuum.Unneeded]:
    try:
        with lock():
            table = delta.open_table(address)
            found = vacuum.unneeded(address, table, keep, is_short_meant=is_short_meant)
            if not dry_run:
                for file in found:
                    file.path.unlink(missing_ok=True)
            return found
    except Busy as error:
        left.append(f"vacuum: {error.problems[0].what}")
        return []
