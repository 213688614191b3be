"""Comparing two releases of a product, row by row, in DuckDB.

Both are Parquet files that may hold more rows than memory does; joins and groups go to disk then.
Only columns that both have are compared: a new column alone changes no row, and is told as a
change of the columns.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from lakehouse import duck
from lakehouse.errors import LakeError, Problem
from publishing.releases.changes import Changes, ColumnChange, DayChanges
from publishing.releases.manifest import Column, Release, sha256_of

_NUMBERS: Final = ("integer", "number")


@dataclass(frozen=True, slots=True)
class Side:
    """One release as the comparison reads it: its file, its columns, the one that says when."""

    parquet: Path
    columns: tuple[Column, ...]
    time_column: str

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that together identify a row."""
        return tuple(column.name for column in self.columns if column.is_key)


def changes_of(before: Release, draft: Release, staging: Path) -> Changes:
    """What a release changes against the newest one there is.

    Args:
        before: The release that it supersedes.
        draft: The release that is being made.
        staging: Where its files are; what does not fit into memory goes to disk there.

    Raises:
        LakeError: The Parquet file of the release before is not what was released, so that a
            comparison with it would tell wrong.
    """
    name = before.file(".parquet")
    old = _side(before, before.folder)
    new = _side(draft, staging)
    if sha256_of(old.parquet) != name.sha256:
        raise LakeError(
            Problem(
                str(old.parquet),
                "its content is not what was released, so changes against it cannot be told",
                "Restore it from backup.",
            )
        )
    by, days = compare(old, new, staging / ".spill")
    return Changes(
        supersedes=before.number,
        version=before.version,
        contract_before=before.contract_version,
        contract_after=draft.contract_version,
        compared_by=by,
        days=days,
        columns=tuple(column_changes(before.columns, draft.columns)),
    )


def compare(old: Side, new: Side, spill: Path) -> tuple[tuple[str, ...], tuple[DayChanges, ...]]:
    """The columns that rows were matched by, and what changed on which day."""
    connection = duck.connect(extensions=())
    try:
        connection.execute(f"set temp_directory = {duck.literal(spill)}")
        _show(connection, "old", old, new)
        _show(connection, "new", new, old)
        shared = [one.name for one in new.columns if one.name in {c.name for c in old.columns}]
        key = _common_key(connection, old, new)
        query = _by_key(key, shared) if key else _by_row(shared)
        rows = connection.execute(
            f"""select cast(_day as varchar), added::bigint, changed::bigint, removed::bigint
            from ({query}) where added + changed + removed > 0 order by _day nulls first"""
        ).fetchall()
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)
    return key, tuple(DayChanges(*row) for row in rows)


def column_changes(old: Iterable[Column], new: Iterable[Column]) -> Iterator[ColumnChange]:
    """What became of the columns: those of today in their order, then those that are gone."""
    before = {column.name: column for column in old}
    after = {column.name: column for column in new}
    for name, column in after.items():
        was = before.get(name)
        if was is None:
            yield ColumnChange(name, "added", None, column.type)
            continue
        if was.type != column.type:
            yield ColumnChange(name, "type", was.type, column.type)
        if was.unit != column.unit:
            yield ColumnChange(name, "unit", was.unit, column.unit)
        if was.is_key != column.is_key:
            yield ColumnChange(name, "key", *("yes" if c.is_key else "no" for c in (was, column)))
    for name, column in before.items():
        if name not in after:
            yield ColumnChange(name, "removed", column.type, None)


def _side(release: Release, folder: Path) -> Side:
    name = release.file(".parquet").name
    return Side(folder / name, release.columns, release.publication.time_column)


def _show(connection: duckdb.DuckDBPyConnection, view: str, side: Side, other: Side) -> None:
    """Make a view of a release with its `_day`, shared columns of another type made comparable."""
    others = {column.name: column for column in other.columns}
    columns = ", ".join(
        f"{_comparable(column, others.get(column.name))} as {duck.identifier(column.name)}"
        for column in side.columns
    )
    time = next(column for column in side.columns if column.name == side.time_column)
    day = duck.identifier(time.name)
    if time.type == "timestamp":
        day = f"({day} at time zone 'UTC')"
    connection.execute(
        f"create temp view {view} as select {columns}, try_cast({day} as date) as _day "
        f"from read_parquet({duck.literal(side.parquet)})"
    )


def _comparable(column: Column, other: Column | None) -> str:
    name = duck.identifier(column.name)
    if other is None or other.type == column.type:
        return name
    if column.type in _NUMBERS and other.type in _NUMBERS:
        return f"cast({name} as double)"
    return f"cast({name} as varchar)"


def _common_key(connection: duckdb.DuckDBPyConnection, old: Side, new: Side) -> tuple[str, ...]:
    """The columns that tell the rows of both releases apart; none if nothing does.

    The time belongs to them, so that a row that has moved to another day is gone from the first.
    """
    if not new.key or set(new.key) != set(old.key):
        return ()
    names = ", ".join(duck.identifier(name) for name in new.key)
    for view in ("old", "new"):
        # The audit has seen to it; but where it has not, a join would count rows many times.
        query = f"select 1 from {view} group by {names} having count(*) > 1 limit 1"
        if connection.execute(query).fetchall():
            return ()
    is_common = new.time_column == old.time_column and new.time_column not in new.key
    return (*new.key, new.time_column) if is_common else new.key


def _by_key(key: Sequence[str], shared: Sequence[str]) -> str:
    on = " and ".join(f"o.{name} is not distinct from n.{name}" for name in map(_quoted, key))
    values = [_quoted(name) for name in shared if name not in key]
    differs = " or ".join(f"o.{name} is distinct from n.{name}" for name in values) or "false"
    return f"""
        select coalesce(n._day, o._day) as _day,
            count(*) filter (o._here is null) as added,
            count(*) filter (o._here and n._here and ({differs})) as changed,
            count(*) filter (n._here is null) as removed
        from (select *, true as _here from old) o full join (select *, true as _here from new) n
            on {on}
        group by 1"""


def _by_row(shared: Sequence[str]) -> str:
    columns = ", ".join(map(_quoted, shared))
    return f"""
        select _day, sum(greatest(n - o, 0)) as added, 0 as changed,
            sum(greatest(o - n, 0)) as removed
        from (
            select _day, sum(is_new) as n, sum(1 - is_new) as o
            from (select {columns}, _day, 1 as is_new from new
                union all select {columns}, _day, 0 from old)
            group by {columns}, _day)
        group by 1"""


def _quoted(name: str) -> str:
    return duck.identifier(name)
