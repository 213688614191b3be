"""The disclosure scan as checks of an audit: what must not leave, and was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import duckdb

from lakehouse.contracts import ProductContract
from lakehouse.duck import identifier
from lakehouse.verdicts import Check
from quality.audit.scope import Scope
from quality.disclosure import Hit, scan
from quality.disclosure.kinds import KINDS

EXPECTATION: Final = "nothing_disclosed"
"""What these checks are called beside those of Great Expectations."""


SMALL: Final = 2_000_000
"""Rows up to which a version is always scanned whole: what tells of somebody may be told by few
rows of many days, and only all of them together show it."""


def disclosed(
    connection: duckdb.DuckDBPyConnection, contract: ProductContract, scope: Scope, rows: int
) -> tuple[tuple[Check, ...], list[str]]:
    """Look through the promised columns of a version for what tells of a person or a home.

    What a contract accepts in a column is told and stops nothing; nor does anything where the
    product is classified as personal data, for the receivers that may have them.

    Args:
        connection: What can read the table.
        contract: The product.
        scope: What to look at of a large version; what earlier audits found in the rest of it is
            told again.
        rows: Rows of the version.

    Returns:
        A check for each finding, or one that says that there is none; and what could not be
        looked for. No value is in them.
    """
    unknown = [
        f"column '{column.name}' may hold '{kind}', which is no kind that is looked for; "
        f"known: {', '.join(KINDS)}"
        for column in contract.columns
        for kind in column.may_hold
        if kind not in KINDS
    ]
    chosen = ", ".join(identifier(column.name) for column in contract.columns)
    is_part = rows > SMALL and not scope.is_whole
    where = scope.among(scope.looked_at) if is_part else "true"
    found = scan(
        connection,
        f"select {chosen} from {scope.relation} where {where}",
        contract.columns,
        least_m=contract.publication.place_precision_m,
        accepted={column.name: column.may_hold for column in contract.columns},  # type: ignore[misc]
    )
    levels = contract.classification
    is_personal = levels is not None and levels.personal_data
    severity: Literal["critical", "warning"] = "warning" if is_personal else "critical"
    checks = [
        *_told(found.hits, severity, "no {}", passed=False),
        *_told(found.accepted, "warning", "{}, which the contract accepts", passed=True),
        *_told(found.doubtful, "warning", "nothing but what looks like {} by chance", passed=True),
    ]
    if is_part and scope.base:
        now = {(one.column, one.expected) for one in checks}
        checks += [
            one
            for one in scope.base.checks
            if one.expectation == EXPECTATION
            and one.column
            and (one.column, one.expected) not in now
        ]
    if not found.hits:
        checks.append(_clean(len(found.columns_scanned)))
    return tuple(checks), unknown


def _told(
    hits: tuple[Hit, ...], severity: Literal["critical", "warning"], expected: str, *, passed: bool
) -> Iterator[Check]:
    for hit in hits:
        yield Check(
            expectation=EXPECTATION,
            column=hit.column,
            severity=severity,
            passed=passed,
            expected=expected.format(hit.kind.replace("_", " ")),
            observed=f"{hit.rows:,} rows, {hit.count:,} different",
            unexpected=hit.rows,
        )


def _clean(columns: int) -> Check:
    return Check(
        expectation=EXPECTATION,
        column=None,
        severity="critical",
        passed=True,
        expected="nothing that tells of a person or a home",
        observed=f"none in {columns} columns",
    )
