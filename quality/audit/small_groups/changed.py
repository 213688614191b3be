"""What a change tells: a number that is told anew, held against what was told of it before.

Who has kept what was told before knows how much a number has changed. If few units stand behind
the change, it is a number of few, however many stand behind the numbers themselves: a late event of
one home. Units are known to stand behind a change only if their own number says so.
"""

from __future__ import annotations

from typing import Final, Literal

import duckdb

from lakehouse import delta
from lakehouse.contracts import ProductContract
from lakehouse.contracts.statistics import Statistics
from lakehouse.duck import delta_scan, identifier
from lakehouse.errors import LakeError
from lakehouse.settings import Settings
from lakehouse.verdicts import Check, told_before
from quality.audit.scope import Scope

EXPECTATION: Final = "no_small_change"


def check_changes(
    connection: duckdb.DuckDBPyConnection,
    contract: ProductContract,
    statistics: Statistics,
    scope: Scope,
    settings: Settings,
) -> tuple[Check, ...]:
    """Hold the numbers of a version against those of the newest that passed an audit before.

    Rows that are new, or there no longer, are no change: nothing is told twice of them.

    Args:
        connection: What can read the lake.
        contract: The product.
        statistics: What it says of its numbers.
        scope: The version.
        settings: Where the earlier verdicts are.

    Returns:
        A check for each column of which a change tells of few, or one that says that there is none.
        Of a version that can no longer be read it is a warning.
    """
    severity: Literal["critical", "warning"]
    severity = "warning" if contract.publication.audience == "restricted" else "critical"
    few = f"{statistics.least} {statistics.counted.en}"
    told = f"no number tells of fewer than {few} by its change"
    before = told_before(settings, contract, scope.version, scope.table_id)
    if before is None:
        return (Check(EXPECTATION, None, severity, True, told, "nothing was told before"),)
    told = f"{told} since version {before.delta_version}"
    gone = Check(EXPECTATION, None, "warning", False, told, "it can no longer be read")
    if before.table_id != scope.table_id:  # it was of a table that stood here before
        return (gone,)
    try:
        rows, found = _changes(connection, contract, statistics, scope, before.delta_version)
    except (LakeError, duckdb.IOException):  # what it was made of has been cleared away
        return (gone,)
    checks = [
        Check(EXPECTATION, name, severity, False, told, f"{count:,} of {rows:,} rows do", count)
        for name, count in found.items()
        if count
    ]
    return (*checks,) or (
        Check(EXPECTATION, None, severity, True, told, f"none of {rows:,} rows does"),
    )


def _changes(
    connection: duckdb.DuckDBPyConnection,
    contract: ProductContract,
    statistics: Statistics,
    scope: Scope,
    version: int,
) -> tuple[int, dict[str, int]]:
    """Rows that both versions have, and how many changes of each number tell of few."""
    table = delta.open_table(scope.address, version)
    held = {field.name for field in table.schema().fields}
    if not held >= set(contract.key):
        return 0, {}  # another key: no row of it is one of these
    # What was told under another contract may lack a column; of that nothing was told.
    names = [name for name in statistics.numbers if name in held]
    asked = [f"count(*) filter (where {_tells(name, names, statistics)})" for name in names]
    key = " and ".join(
        f"now.{column}::varchar is not distinct from old.{column}::varchar"
        for column in map(identifier, contract.key)
    )
    ((rows, *counts),) = connection.execute(
        f"""select {", ".join(["count(*)", *asked])}
        from {scope.relation} now join {delta_scan(scope.address, version)} old on {key}"""
    ).fetchall()
    return rows, dict(zip(names, counts, strict=True))


def _tells(name: str, names: list[str], statistics: Statistics) -> str:
    """The SQL of whether a number has changed, and nothing says that enough stand behind that."""
    column, least = identifier(name), statistics.least
    has_changed = f"now.{column} is distinct from old.{column}"
    units = statistics.numbers[name].units
    if units is None or units not in names:
        return has_changed
    now, old = f"now.{identifier(units)}", f"old.{identifier(units)}"
    # What is withheld is less than the least number; if larger ones are, it may be anything.
    hidden = "null" if statistics.larger_withheld else str(least - 1)
    enough = f"""coalesce(case
        when {now} is null then {old} - {hidden}
        when {old} is null then {now} - {hidden}
        else abs({now} - {old}) end >= {least}, false)"""
    return f"{has_changed} and not {enough}"
