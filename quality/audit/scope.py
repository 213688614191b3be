"""What an audit has to look at: the partitions that no passed verdict speaks of yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Final

import pyarrow as pa

from lakehouse import delta
from lakehouse.delta.changes import changes_since
from lakehouse.duck import delta_scan, literal
from lakehouse.errors import LakeError
from lakehouse.verdicts import Verdict

PARTITION: Final = "partition_date"
_WHOLE: Final = ""
"""What the only part of a table without partitions is called; also rows without a partition."""


@dataclass(frozen=True, slots=True)
class Part:
    """One partition: its value, `""` if it has none, and its rows by the log."""

    value: str
    rows: int


@dataclass(frozen=True, slots=True)
class Scope:
    """One version of a table, and what of it has changed since a passed verdict.

    Attributes:
        address: The table.
        version: Its version.
        table_id: Its id, which another table in the same place does not have.
        files: What its log says of each file: `path`, `num_records`, `min.<column>` and so on.
        is_partitioned: Whether it is partitioned by `partition_date`, and by nothing else.
        parts: Its partitions, in order.
        changed: Values of those that have changed, also of those that are gone; None for all.
        base: The verdict that speaks of the others; None if none does.
    """

    address: Path
    version: int
    table_id: str
    files: pa.Table
    is_partitioned: bool
    parts: tuple[Part, ...]
    changed: frozenset[str] | None = None
    base: Verdict | None = None

    @property
    def looked_at(self) -> tuple[Part, ...]:
        """The partitions that are looked at."""
        changed = self.changed
        return tuple(part for part in self.parts if changed is None or part.value in changed)

    @property
    def relation(self) -> str:
        """The SQL that reads the version."""
        return delta_scan(self.address, self.version)

    def among(self, parts: Sequence[Part]) -> str:
        """The condition of the rows of some partitions."""
        if len(parts) == len(self.parts) or not self.is_partitioned:
            return "true" if parts else "false"
        days = ", ".join(f"date {literal(part.value)}" for part in parts if part.value)
        conditions = [f"{PARTITION} in ({days})"] if days else []
        if any(not part.value for part in parts):
            conditions.append(f"{PARTITION} is null")
        return f"({' or '.join(conditions)})" if conditions else "false"

    @property
    def is_whole(self) -> bool:
        """Whether everything is looked at."""
        return self.changed is None


def whole(address: Path, version: int) -> Scope:
    """A version of a table of which everything is looked at."""
    table = delta.open_table(address, version)
    files = pa.table(table.get_add_actions(flatten=True))
    columns = table.metadata().partition_columns
    # A table that is partitioned in another way is one part: nobody knows its partitions here.
    is_partitioned = columns == [PARTITION]
    return Scope(
        address=address,
        version=version,
        table_id=str(table.metadata().id),
        files=files,
        is_partitioned=is_partitioned,
        parts=tuple(_parts(files, is_partitioned)),
    )


def since(scope: Scope, base: Verdict | None) -> Scope:
    """The same version, narrowed to what has changed since a passed verdict, if that is known."""
    changed = _changed(scope, base) if base and scope.is_partitioned else None
    if changed is None:
        return scope
    return replace(scope, changed=changed, base=base)


def _parts(files: pa.Table, is_partitioned: bool) -> Iterator[Part]:
    counted = files["num_records"].to_pylist()
    if not is_partitioned:
        yield Part(_WHOLE, sum(counted))
        return
    if not counted:
        return
    values = [day.isoformat() if day else "" for day in files[f"partition.{PARTITION}"].to_pylist()]
    ordered = sorted(zip(values, counted, strict=True))
    for value, rows in groupby(ordered, key=lambda one: one[0]):
        yield Part(value, sum(count for _, count in rows))


def _changed(scope: Scope, base: Verdict) -> frozenset[str] | None:
    """Values of the partitions that changed after a verdict; None if the log does not tell."""
    try:
        changes = changes_since(scope.address, base.delta_version)
    except LakeError:  # the log no longer reaches back that far
        return None
    values: set[str] = set()
    for change in changes:
        if change.version > scope.version:
            break
        for partition in change.partitions:
            if set(partition) != {PARTITION}:
                return None
            values.add(partition[PARTITION] or "")
    return frozenset(values)
