"""The checks that rows must keep, one by one, chunk by chunk.

A chunk is some whole partitions with about a million rows, so memory does not follow the table.
Only what checks need is loaded: of a column that must only be there, whether it is there; of the
key, one integer, whose repetition is looked at again in the key itself. What partitions had that
are not looked at is carried over from the verdict that speaks of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import duckdb
import great_expectations.expectations as gxe
import numpy as np
import pandas as pd
import pyarrow as pa
from great_expectations.expectations.expectation import Expectation

from lakehouse.duck import identifier
from lakehouse.verdicts import Check, Verdict
from quality.audit.expectations import Result, Runner, Uncounted, error_of
from quality.audit.scope import PARTITION, Part, Scope
from quality.audit.suite import Planned

CHUNK: Final = 1_000_000
"""Rows of a chunk, about: a partition is not told apart unless it is larger than two."""

_KEY: Final = "key "
_TABLE: Final = "expect_table_"
_UNIQUE: Final = ("expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique")
_NOT_NULL: Final = "expect_column_values_to_not_be_null"


def is_row_check(planned: Planned) -> bool:
    """Whether single rows keep or break it, or rows of one partition."""
    return not planned.expectation.configuration.type.startswith(_TABLE)


@dataclass(slots=True)
class _Tally:
    """What has come of one check so far."""

    planned: Planned
    unexpected: Counter[str] = field(default_factory=Counter)
    error: str | None = None
    is_kept: bool = True
    observed: str | None = None


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Rows that are looked at together: some partitions, or a share of one that is too large."""

    parts: tuple[Part, ...]
    where: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """How a check is asked of a frame: by what expectation, of which columns (name to SQL)."""

    expectation: Expectation
    columns: Mapping[str, str]
    is_key: bool = False


def can_carry(base: Verdict, planned: Sequence[Planned]) -> bool:
    """Whether a verdict tells by partition what came of all these checks."""
    told = {_identity(check): check for check in base.checks}
    found = [told.get(_planned_identity(one)) for one in planned]
    return all(check and sum(check.unexpected_in.values()) == check.unexpected for check in found)


def check_rows(
    connection: duckdb.DuckDBPyConnection,
    scope: Scope,
    planned: Sequence[Planned],
    rows: int,
    chunk_rows: int = CHUNK,
) -> tuple[tuple[Check, ...], list[str]]:
    """Check the rows of a scope.

    Args:
        connection: What can read the table.
        scope: What to look at; its base can carry the checks (`can_carry`).
        planned: What to expect; row checks only.
        rows: Rows of the whole version.
        chunk_rows: Rows of a chunk.

    Returns:
        One check for each expectation, and what could not be checked.
    """
    if not planned:
        return (), []
    tallies = [_Tally(item) for item in planned]
    if scope.base and scope.changed is not None:
        _carry(tallies, scope.base, scope.changed)
    asked = [_ask(number, item) for number, item in enumerate(planned)]
    runner = Runner()
    try:
        for chunk in _chunks(scope, planned, chunk_rows):
            _look(connection, scope, chunk, runner, asked, tallies)
    except Uncounted as reason:
        return (), [str(reason)]
    checks = tuple(_check(tally, rows) for tally in tallies)
    return checks, [
        f"the check '{one.planned.expected}' on {one.planned.column or 'the table'} could not be "
        f"made: {one.error}"
        for one in tallies
        if one.error
    ]


def _carry(tallies: Sequence[_Tally], base: Verdict, changed: frozenset[str]) -> None:
    told = {_identity(check): check.unexpected_in for check in base.checks}
    for tally in tallies:
        before = told[_planned_identity(tally.planned)]
        tally.unexpected.update(
            {part: count for part, count in before.items() if part not in changed}
        )


def _chunks(scope: Scope, planned: Sequence[Planned], target: int) -> Iterator[_Chunk]:
    """At least one, if everything is looked at: no check may pass because nothing was asked."""
    together: list[Part] = []
    for part in scope.looked_at:
        if part.rows >= 2 * target:
            yield from _shares(scope, part, planned, target)
            continue
        if together and sum(one.rows for one in together) + part.rows > target:
            yield _Chunk(tuple(together), scope.among(together))
            together = []
        together.append(part)
    if together or (scope.is_whole and not scope.parts):
        yield _Chunk(tuple(together), scope.among(together))


def _shares(scope: Scope, part: Part, planned: Sequence[Planned], target: int) -> Iterator[_Chunk]:
    """Shares of a large partition; all rows of one key are in one of them, if there is one key."""
    keys = {key for item in planned if (key := key_of(item))}
    count = -(-part.rows // target)
    if len(keys) != 1:
        yield _Chunk((part,), scope.among([part]))
        return
    columns = ", ".join(map(identifier, next(iter(keys))))
    for number in range(count):
        share = f"hash({columns}) % {count} = {number}"
        yield _Chunk((part,), f"{scope.among([part])} and {share}")


def _ask(number: int, planned: Planned) -> _Asked:
    configuration = planned.expectation.configuration
    key = key_of(planned)
    if key:
        names = [identifier(name) for name in key]
        # As Great Expectations does, rows without any part of the key are left out.
        there = " or ".join(f"{name} is not null" for name in names)
        stand_in = f"{_KEY}{number}"
        sql = f"case when {there} then (hash({', '.join(names)}) >> 1)::bigint end"
        return _Asked(gxe.ExpectColumnValuesToBeUnique(column=stand_in), {stand_in: sql}, True)
    column = str(configuration.kwargs["column"])
    if configuration.type == _NOT_NULL:
        stand_in = f"present {number}"
        sql = f"case when {identifier(column)} is not null then 1::utinyint end"
        return _Asked(gxe.ExpectColumnValuesToNotBeNull(column=stand_in), {stand_in: sql})
    return _Asked(planned.expectation, {column: identifier(column)})


def key_of(planned: Planned) -> tuple[str, ...]:
    """The columns that a check says are unique together; none if it is another check."""
    configuration = planned.expectation.configuration
    if configuration.type not in _UNIQUE:
        return ()
    names = configuration.kwargs.get("column_list") or [configuration.kwargs["column"]]
    return tuple(map(str, names))


def _look(
    connection: duckdb.DuckDBPyConnection,
    scope: Scope,
    chunk: _Chunk,
    runner: Runner,
    asked: Sequence[_Asked],
    tallies: Sequence[_Tally],
) -> None:
    """Run all checks on one chunk, and those that are broken once more, to tell where."""
    columns = {name: sql for one in asked for name, sql in one.columns.items()}
    frame = _frame(connection, scope, chunk, columns)
    results = runner.results(frame, [one.expectation for one in asked])
    del frame
    for one, result, tally in zip(asked, results, tallies, strict=True):
        if one.is_key and not result.success and not error_of(result):
            result = _exactly(connection, scope, chunk, runner, tally.planned)  # noqa: PLW2901
        _add(tally, result, _where(connection, scope, chunk, runner, one, tally, result))


def _exactly(
    connection: duckdb.DuckDBPyConnection,
    scope: Scope,
    chunk: _Chunk,
    runner: Runner,
    planned: Planned,
) -> Result:
    """The same of the key itself: two keys may have one hash."""
    columns = {name: identifier(name) for name in key_of(planned)}
    (result,) = runner.results(_frame(connection, scope, chunk, columns), [planned.expectation])
    return result


def _where(
    connection: duckdb.DuckDBPyConnection,
    scope: Scope,
    chunk: _Chunk,
    runner: Runner,
    asked: _Asked,
    tally: _Tally,
    result: Result,
) -> Mapping[str, int]:
    """The rows that break a check, by partition."""
    count = int((result.result or {}).get("unexpected_count") or 0)
    if not count or error_of(result):
        return {}
    if len(chunk.parts) == 1:
        return {chunk.parts[0].value: count}
    expectation = tally.planned.expectation if asked.is_key else asked.expectation
    columns = (
        {name: identifier(name) for name in key_of(tally.planned)}
        if asked.is_key
        else asked.columns
    )
    # Not under its own name, which may be a column that is asked about.
    day = "partition of the row"
    frame = _frame(connection, scope, chunk, {**columns, day: f"{PARTITION}::varchar"})
    (told,) = runner.results(frame, [expectation], "COMPLETE")
    index = np.asarray((told.result or {})["unexpected_index_list"], dtype="int64")
    return Counter(frame[day].fillna("").iloc[index].astype(str).tolist())


def _frame(
    connection: duckdb.DuckDBPyConnection,
    scope: Scope,
    chunk: _Chunk,
    columns: Mapping[str, str],
) -> pd.DataFrame:
    chosen = ", ".join(f"{sql} as {identifier(name)}" for name, sql in columns.items())
    query = f"select {chosen} from {scope.relation} where {chunk.where}"
    rows = connection.execute(query).to_arrow_table()
    keys = [name for name in columns if name.startswith(_KEY)]
    if any(rows[name].null_count for name in keys):
        # Of integers with NULLs pandas makes floats, in which different keys are one.
        frame: pd.DataFrame = rows.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    else:
        frame = rows.to_pandas(split_blocks=True, self_destruct=True)
    return frame


def _add(tally: _Tally, result: Result, unexpected: Mapping[str, int]) -> None:
    tally.unexpected.update(unexpected)
    tally.error = tally.error or error_of(result)
    tally.is_kept = tally.is_kept and bool(result.success)


def _check(tally: _Tally, rows: int) -> Check:
    unexpected = sum(tally.unexpected.values())
    planned = tally.planned
    return Check(
        expectation=planned.expectation.configuration.type,
        column=planned.column,
        severity=planned.severity,
        passed=tally.is_kept and not unexpected and not tally.error,
        expected=planned.expected,
        observed=f"{unexpected:,} of {rows:,} rows break it",
        unexpected=unexpected,
        unexpected_in={part: count for part, count in sorted(tally.unexpected.items()) if count},
    )


def _identity(check: Check) -> tuple[str, str | None, str, str]:
    return check.expectation, check.column, check.severity, check.expected


def _planned_identity(planned: Planned) -> tuple[str, str | None, str, str]:
    kind = planned.expectation.configuration.type
    return kind, planned.column, planned.severity, planned.expected
