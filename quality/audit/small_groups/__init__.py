"""The checks of numbers about people: none is of few, and none that is withheld can be worked out.

They ask the rows what the contract of a product with `statistics` says of them. Told are columns
and numbers of cells; no value and no key of a row is in any check.

Critical is what tells somebody a number that is to be withheld, be it of several cells together.
That only fewer values are left for it is a warning: each total that is told leaves fewer, and none
could ever be told if that stopped a release. What a change tells is critical, too, but for named
receivers, who may have personal data: they are meant to see late data arrive, so it is a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import duckdb

from lakehouse import delta, tables
from lakehouse.contracts import ProductContract
from lakehouse.contracts.statistics import Statistics
from lakehouse.duck import delta_scan, identifier
from lakehouse.settings import Settings
from lakehouse.verdicts import Check
from quality.audit.scope import Scope
from quality.audit.small_groups.changed import check_changes
from quality.audit.small_groups.sums import Told, read
from quality.audit.small_groups.withheld import check_withheld

EXPECTATION: Final = "no_small_group"


def check_groups(
    connection: duckdb.DuckDBPyConnection,
    contract: ProductContract,
    scope: Scope,
    settings: Settings | None,
    beside: Iterable[ProductContract],
) -> tuple[Check, ...]:
    """Hold a version of a product's numbers about people against what its contract promises.

    Args:
        connection: What can read the lake.
        contract: The product; without `statistics` nothing is asked.
        scope: The version.
        settings: Where the other products and earlier verdicts are; None asks of neither.
        beside: Products that are told beside it. Those with `statistics` that are made from one of
            its sources count, as they stand in the lake now.
    """
    statistics = contract.statistics
    if statistics is None:
        return ()
    checks = [*_small(connection, contract, scope, statistics)]
    told = [
        found
        for one in beside
        if settings and _is_of(contract, one) and (found := _beside(connection, settings, one))
    ]
    if told or statistics.totals:  # else nothing is a total of anything, and no row need be read
        told.insert(0, read(connection, contract, statistics, scope.relation))
    checks += check_withheld(contract.id, statistics, told)
    if settings:
        checks += check_changes(connection, contract, statistics, scope, settings)
    return tuple(checks)


def _is_of(contract: ProductContract, other: ProductContract) -> bool:
    """Whether another product tells numbers about the same people."""
    is_of_same = set(contract.publication.sources) & set(other.publication.sources)
    return bool(other.id != contract.id and other.statistics and is_of_same)


def _beside(
    connection: duckdb.DuckDBPyConnection, settings: Settings, other: ProductContract
) -> Told | None:
    """What another product tells; None if it is not there as its contract says."""
    address = tables.model(settings, "gold", other.model)
    version = delta.version_of(address)
    if version is None or other.statistics is None:
        return None
    held = {field.name for field in delta.open_table(address, version).schema().fields}
    if not held >= {column.name for column in other.columns}:
        return None  # its own audit does not let it out like that
    return read(connection, other, other.statistics, delta_scan(address, version))


def _small(
    connection: duckdb.DuckDBPyConnection,
    contract: ProductContract,
    scope: Scope,
    statistics: Statistics,
) -> Iterator[Check]:
    """That no number is told of fewer units than are to stand behind it."""
    names = [*statistics.numbers]
    asked = [f"count(*) filter (where {_is_small(name, statistics)})" for name in names]
    query = f"select {', '.join(['count(*)', *asked])} from {scope.relation}"
    ((rows, *counts),) = connection.execute(query).fetchall()
    for name, count in zip(names, counts, strict=True):
        if count:
            yield _check(statistics, name, f"{count:,} of {rows:,} rows tell one", count)
    if not any(counts):
        yield _check(statistics, None, f"none in {len(names)} columns", 0)


def _check(statistics: Statistics, column: str | None, observed: str, count: int) -> Check:
    return Check(
        expectation=EXPECTATION,
        column=column,
        severity="critical",
        passed=not count,
        expected=f"no number of fewer than {statistics.least} {statistics.counted.en}",
        observed=observed,
        unexpected=count,
    )


def _is_small(name: str, statistics: Statistics) -> str:
    """The SQL of whether a number is told of fewer units, or of nobody knows how many."""
    told, least = identifier(name), statistics.least
    units = identifier(statistics.numbers[name].units or name)
    if units == told:
        return f"({told} is not null and {told} <> 0 and {told} < {least})"
    has_enough = f"{units} >= {least} or ({told} = 0 and {units} = 0)"
    return f"({told} is not null and not coalesce({has_enough}, false))"
