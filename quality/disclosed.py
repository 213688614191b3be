"""The disclosure scan as checks of an audit: what must not leave, and was found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import duckdb

from lakehouse.contracts import ProductContract
from lakehouse.duck import delta_scan, identifier
from lakehouse.verdicts import Check
from quality.disclosure import Hit, scan
from quality.disclosure.kinds import KINDS

EXPECTATION: Final = "nothing_disclosed"
"""What these checks are called beside those of Great Expectations."""


def disclosed(
    connection: duckdb.DuckDBPyConnection, contract: ProductContract, address: Path, version: int
) -> tuple[tuple[Check, ...], list[str]]:
    """Look through the promised columns of a version for what tells of a person or a home.

    What a contract accepts in a column is told and stops nothing; nor does anything where the
    product is classified as personal data, for the receivers that may have them.

    Returns:
        A check for each finding, or one that says that there is none; and the reasons against a
        release. No value is in them.
    """
    reasons = [
        f"column '{column.name}' may hold '{kind}', which is no kind that is looked for; "
        f"known: {', '.join(KINDS)}"
        for column in contract.columns
        for kind in column.may_hold
        if kind not in KINDS
    ]
    chosen = ", ".join(identifier(column.name) for column in contract.columns)
    found = scan(
        connection,
        f"select {chosen} from {delta_scan(address, version)}",
        contract.columns,
        least_m=contract.publication.place_precision_m,
        accepted={column.name: column.may_hold for column in contract.columns},  # type: ignore[misc]
    )
    levels = contract.classification
    is_personal = levels is not None and levels.personal_data
    severity: Literal["critical", "warning"] = "warning" if is_personal else "critical"
    checks = [
        *_told(found.hits, severity, passed=False),
        *_told(found.accepted, "warning", passed=True),
        *_told(found.doubtful, "warning", passed=True),
    ]
    if severity == "critical":
        reasons += [hit.said_en for hit in found.hits]
    if not found.hits:
        checks.append(_clean(len(found.columns_scanned)))
    return tuple(checks), reasons


def _told(
    hits: tuple[Hit, ...], severity: Literal["critical", "warning"], *, passed: bool
) -> Iterator[Check]:
    for hit in hits:
        yield Check(
            expectation=EXPECTATION,
            column=hit.column,
            severity=severity,
            passed=passed,
            expected=f"no {hit.kind.replace('_', ' ')}",
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
