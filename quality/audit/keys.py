"""That no key is in two partitions: uniqueness within each is the business of row checks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import duckdb
import pyarrow as pa

from lakehouse.duck import identifier
from lakehouse.verdicts import Check
from quality.audit.rows import key_of
from quality.audit.scope import PARTITION, Scope
from quality.audit.suite import Planned

EXPECTATION: Final = "no_key_in_two_partitions"


def check_keys(
    connection: duckdb.DuckDBPyConnection, scope: Scope, planned: Sequence[Planned]
) -> tuple[Check, ...]:
    """A check for each unique key of a partitioned table.

    Statistics of files tell it, if the partitions follow each other by a time of the key. Else the
    whole table is asked, by the hash of its keys; what does not fit in memory goes to disk.
    """
    if not scope.is_partitioned or len(scope.parts) < 2:
        return ()
    return tuple(_check(connection, scope, item, key) for item in planned if (key := key_of(item)))


def _check(
    connection: duckdb.DuckDBPyConnection, scope: Scope, planned: Planned, key: Sequence[str]
) -> Check:
    is_told = any(_follow_each_other(scope.files, name) for name in key)
    found = 0 if is_told else _in_two(connection, scope, key)
    return Check(
        expectation=EXPECTATION,
        column=planned.column,
        severity=planned.severity,
        passed=not found,
        expected="no key in two partitions",
        observed=f"{found:,} keys in more than one of {len(scope.parts):,}",
        unexpected=found,
    )


def _follow_each_other(files: pa.Table, name: str) -> bool:
    """Whether no two partitions have a time of a column in common, by the files' statistics."""
    columns = [f"{kind}.{name}" for kind in ("min", "max", "null_count")]
    if not set(columns) <= set(files.column_names):
        return False
    kind = files.schema.field(columns[0]).type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return False
    told = [files[column].to_pylist() for column in columns]
    if any(nulls != 0 for nulls in told[2]) or None in told[0] or None in told[1]:
        return False
    ranges: dict[Any, tuple[Any, Any]] = {}
    for day, least, most in zip(
        files[f"partition.{PARTITION}"].to_pylist(), *told[:2], strict=True
    ):
        before = ranges.get(day, (least, most))
        ranges[day] = min(before[0], least), max(before[1], most)
    ordered = sorted(ranges.values())
    return all(one[1] < other[0] for one, other in pairwise(ordered))


def _in_two(connection: duckdb.DuckDBPyConnection, scope: Scope, key: Sequence[str]) -> int:
    """Keys that are in two partitions; by their hash first, then exactly."""
    names = [identifier(name) for name in key]
    columns = ", ".join(names)
    there = " or ".join(f"{name} is not null" for name in names)
    part = f"coalesce({PARTITION}::varchar, '')"
    in_two = f"having min({part}) <> max({part})"
    hashes = f"""select hash({columns}) as hashed from {scope.relation} where {there}
        group by hashed {in_two}"""
    connection.execute(f"create or replace temp table suspicious as {hashes}")
    ((found,),) = (
        connection.execute(
            f"""select count(*) from (
            select {columns} from {scope.relation}
            where ({there}) and hash({columns}) in (from suspicious)
            group by {columns} {in_two})"""
        ).fetchall()
        if connection.execute("from suspicious limit 1").fetchall()
        else ((0,),)
    )
    connection.execute("drop table suspicious")
    return int(found)
