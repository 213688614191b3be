"""The verdict of an audit, bound to the exact Delta version and contract it was made for.

Verdicts stand between quality, which makes them, and publishing, which obeys them. They are
kept as JSON files in the home folder, one for each product, version and contract.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from lakehouse import delta, tables
from lakehouse.contracts import ProductContract
from lakehouse.flushing import write_whole
from lakehouse.settings import Settings


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation and what came of it.

    Attributes:
        expectation: Great Expectations type, such as `expect_column_values_to_not_be_null`.
        column: Column or columns it looks at; None for the whole table.
        severity: A failed critical check fails the audit; a warning is told.
        passed: Whether the expectation held.
        expected: What was asked, in words.
        observed: What was found, in words.
        unexpected: Number of rows that broke it.
        unexpected_in: The same by partition, where it is not 0; empty for what is asked of the
            whole table. The next audit carries over what it does not look at again.
    """

    expectation: str
    column: str | None
    severity: Literal["critical", "warning"]
    passed: bool
    expected: str
    observed: str
    unexpected: int = 0
    unexpected_in: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_against(self) -> bool:
        """Whether it stops a release."""
        return not self.passed and self.severity == "critical"

    @property
    def said(self) -> str:
        """What came of it, in a line."""
        return f"{self.column or 'table'}: expected {self.expected}, found {self.observed}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one version of one product may be released.

    Attributes:
        product: Product id.
        model: Gold model the rows come from.
        delta_version: Version of that model's Delta table that was audited.
        contract_version: Semantic version of the contract.
        contract_digest: sha-256 of the contract's content.
        rows: Rows that were audited.
        checks: Every check that was made, in the suite's order.
        reasons: Why the verdict is `failed`; empty when it passed. Each failed critical check
            is one, in its own words.
        audited_at: When, ISO 8601 in UTC.
        table_id: Id of the Delta table, so that no verdict is carried over to a table that was
            made again in its place; empty in verdicts made before it was kept.
    """

    product: str
    model: str
    delta_version: int
    contract_version: str
    contract_digest: str
    rows: int
    checks: tuple[Check, ...]
    reasons: tuple[str, ...]
    audited_at: str
    table_id: str = ""

    @property
    def passed(self) -> bool:
        """True only if checks were made and nothing speaks against the release."""
        return bool(self.checks) and not self.reasons

    @property
    def unmade(self) -> tuple[str, ...]:
        """The reasons that are no failed check: what could not be checked, or not be made."""
        told = {check.said for check in self.checks if check.is_against}
        return tuple(reason for reason in self.reasons if reason not in told)

    def covers(self, contract: ProductContract, delta_version: int) -> bool:
        """Whether this verdict was made for this contract and this version."""
        return (
            self.product == contract.id
            and self.contract_digest == contract.digest
            and self.delta_version == delta_version
        )


def save_verdict(settings: Settings, verdict: Verdict) -> Path:
    """Keep a verdict; an earlier one of the same product, version and contract is replaced."""
    path = _path(settings, verdict.product, verdict.delta_version, verdict.contract_digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(asdict(verdict), ensure_ascii=False, indent=2).encode())
    return path


def load_verdict(
    settings: Settings, contract: ProductContract, delta_version: int
) -> Verdict | None:
    """The verdict of this contract on this version; None when no audit has been made."""
    path = _path(settings, contract.id, delta_version, contract.digest)
    return _read(path) if path.is_file() else None


def passed_before(
    settings: Settings, contract: ProductContract, delta_version: int, table_id: str
) -> Verdict | None:
    """The newest passed verdict of this contract on an earlier version of this very table."""
    kept = (settings.audits / contract.id).glob(f"*-{contract.digest[:12]}.json")
    earlier = [path for path in kept if int(path.name.partition("-")[0]) < delta_version]
    for path in sorted(earlier, reverse=True):
        found = _read(path)
        is_same = found.table_id == table_id and found.contract_digest == contract.digest
        if is_same and found.passed:
            return found
    return None


def told_before(
    settings: Settings, contract: ProductContract, delta_version: int, table_id: str
) -> Verdict | None:
    """The newest passed verdict of a product that is not of this version of this table.

    Whatever its contract said then, and whichever table it was of: what was told is told.
    """
    found = [_read(path) for path in (settings.audits / contract.id).glob("*-*.json")]
    return max(
        (
            one
            for one in found
            if one.passed and (one.table_id, one.delta_version) != (table_id, delta_version)
        ),
        key=lambda one: (one.audited_at, one.delta_version),
        default=None,
    )


def newest_verdict(settings: Settings, contract: ProductContract) -> Verdict | None:
    """The verdict on the newest version of a product's table; None when no audit has been made."""
    version = delta.version_of(tables.model(settings, "gold", contract.model))
    return None if version is None else load_verdict(settings, contract, version)


def verdict_digest(verdict: Verdict) -> str:
    """sha-256 of a verdict's content."""
    content = json.dumps(asdict(verdict), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


def verdict_from(data: Mapping[str, Any]) -> Verdict:
    """A verdict from its JSON."""
    checks = tuple(Check(**check) for check in data["checks"])
    return Verdict(**{**data, "checks": checks, "reasons": tuple(data["reasons"])})


def _read(path: Path) -> Verdict:
    return verdict_from(json.loads(path.read_text(encoding="utf-8")))


def _path(settings: Settings, product: str, delta_version: int, digest: str) -> Path:
    return settings.audits / product / f"{delta_version:08d}-{digest[:12]}.json"
