"""What changed in a Delta table, commit by commit, as its log tells it.

Source: Delta protocol, "Delta Log Entries".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lakehouse import delta
from lakehouse.delta import transaction_log


@dataclass(frozen=True, slots=True)
class Change:
    """One commit of a table, as its log tells it."""

    version: int
    partitions: tuple[Mapping[str, str | None], ...]


def changes_since(address: Path, version: int) -> list[Change]:
    """What changed in a table after a version, oldest first.

    Commits that only rearranged files (`dataChange` false) are left out. Reads only the log
    entries after `version`, so the cost follows what is new.

    Raises:
        LakeError: A log entry is gone or torn.
    """
    newest = delta.version_of(address)
    if newest is None:
        return []
    return [
        change
        for number in range(version + 1, newest + 1)
        if (change := _change(address, number)).partitions
    ]


def _change(address: Path, version: int) -> Change:
    partitions: dict[str, Mapping[str, str | None]] = {}
    for action in transaction_log.read_entry(address, version):
        for kind in ("add", "remove"):
            file = action.get(kind)
            if file and file.get("dataChange", True):
                values = file.get("partitionValues") or {}
                partitions[json.dumps(values, sort_keys=True)] = values
    return Change(version, tuple(partitions.values()))
