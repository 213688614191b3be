"""Running a product's suite on the exact Delta version that would be released.

Great Expectations says «success» to an empty suite and to an empty table, and leaves out what
could not run. So the verdict is made here, from counted results: every expectation must have
been evaluated, none may have raised, and there must be rows to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import great_expectations as gx
import pandas as pd
from great_expectations.core import ExpectationSuite
from great_expectations.core.expectation_validation_result import ExpectationValidationResult

from lakehouse import audit_log, delta, tables
from lakehouse.contracts import ProductContract
from lakehouse.duck import connect, delta_scan, identifier
from lakehouse.errors import LakeError, Problem
from lakehouse.settings import Settings
from lakehouse.verdicts import Check, Verdict, save_verdict
from quality.disclosed import disclosed
from quality.suite import Planned, Suite, identity, suite_of


def audit_product(settings: Settings, contract: ProductContract) -> Verdict:
    """Audit the newest version of a product's model and keep the verdict.

    Raises:
        LakeError: The model has not been built.
    """
    address = tables.model(settings, "gold", contract.model)
    version = delta.version_of(address)
    if version is None:
        raise LakeError(
            Problem(str(address), "the model has not been built", "Run 'sjostad build' first.")
        )
    verdict = judge(contract, address, version, suite_of(contract))
    save_verdict(settings, verdict)
    audit_log.note(
        settings,
        "audited",
        f"product/{contract.id}",
        "done" if verdict.passed else "refused",
        delta_version=version,
        rows=verdict.rows,
        checks=len(verdict.checks),
    )
    return verdict


def judge(contract: ProductContract, address: Path, version: int, suite: Suite) -> Verdict:
    """Judge one version of a table by a suite.

    Args:
        contract: The product.
        address: Its gold table.
        version: The Delta version to read.
        suite: What to expect of it.
    """
    columns = [column.name for column in contract.columns]
    held = {field.name for field in delta.open_table(address, version).schema().fields}
    missing = [name for name in columns if name not in held]
    reasons = [f"the table lacks the promised column '{name}'" for name in missing]
    reasons += [f"a rule of the contract cannot be run: {rule}" for rule in suite.not_understood]
    if not suite.planned:
        reasons.append("the contract promises nothing that could be checked")
    checks: tuple[Check, ...] = ()
    rows = 0
    if not missing:
        frame = _frame(address, version, columns)
        rows = len(frame)
        if rows == 0:
            reasons.append("the table is empty")
        checks, faults = run(frame, suite.planned, contract.id)
        with connect() as connection:
            told, objections = disclosed(connection, contract, address, version)
        checks += told
        reasons += faults + objections
    return Verdict(
        product=contract.id,
        model=contract.model,
        delta_version=version,
        contract_version=contract.version,
        contract_digest=contract.digest,
        rows=rows,
        checks=checks,
        reasons=tuple(reasons),
        audited_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def run(
    frame: pd.DataFrame, planned: Sequence[Planned], name: str
) -> tuple[tuple[Check, ...], list[str]]:
    """Run expectations on a frame.

    Args:
        frame: The rows; pandas' default types (`benchmarks/audit_frames.py` says why).
        planned: The expectations.
        name: Name of the suite.

    Returns:
        One check for each evaluated expectation, and the reasons against a release.
    """
    if not planned:
        return (), []
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    definition = (
        context.data_sources.add_pandas(name)
        .add_dataframe_asset(name)
        .add_batch_definition_whole_dataframe(name)
    )
    suite = ExpectationSuite(name=name, expectations=[item.expectation for item in planned])
    batch = definition.get_batch({"dataframe": frame})
    results = batch.validate(suite, result_format="SUMMARY").results
    if len(results) != len(planned):
        return (), [f"{len(planned)} checks were planned, {len(results)} were made"]
    paired = _pair(planned, results)
    if len(paired) != len(planned):
        return (), [f"only {len(paired)} of {len(planned)} planned checks were made"]
    checks = tuple(_check(item, result) for item, result in paired)
    raised = [
        f"the check '{item.expected}' on {item.column or 'the table'} could not be made: {error}"
        for item, result in paired
        if (error := _exception(result))
    ]
    failed = [
        f"{check.column or 'table'}: expected {check.expected}, found {check.observed}"
        for check, (_, result) in zip(checks, paired, strict=True)
        if not check.passed and check.severity == "critical" and not _exception(result)
    ]
    return checks, raised + failed


def _frame(address: Path, version: int, columns: Sequence[str]) -> pd.DataFrame:
    chosen = ", ".join(identifier(name) for name in columns)
    with connect() as connection:
        query = f"select {chosen} from {delta_scan(address, version)}"
        frame: pd.DataFrame = connection.execute(query).to_arrow_table().to_pandas()
    return frame


def _pair(
    planned: Sequence[Planned], results: Sequence[ExpectationValidationResult]
) -> list[tuple[Planned, ExpectationValidationResult]]:
    """Match results to what was planned by content; their order is not promised."""
    left = list(results)
    pairs = []
    for item in planned:
        wanted = identity(item.expectation.configuration)
        found = next((r for r in left if identity(r.expectation_config) == wanted), None)
        if found is not None:
            left.remove(found)
            pairs.append((item, found))
    return pairs


def _check(item: Planned, result: ExpectationValidationResult) -> Check:
    outcome = result.result or {}
    unexpected = int(outcome.get("unexpected_count") or 0)
    observed = outcome.get("observed_value")
    if observed is not None:
        found = str(observed)
    else:
        found = f"{unexpected:,} of {outcome.get('element_count', 0):,} rows break it"
    return Check(
        expectation=item.expectation.configuration.type,
        column=item.column,
        severity=item.severity,
        passed=bool(result.success) and not _exception(result),
        expected=item.expected,
        observed=found,
        unexpected=unexpected,
    )


def _exception(result: ExpectationValidationResult) -> str | None:
    """The first exception of an expectation; metrics may each have one of their own."""
    info = result.exception_info or {}
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if isinstance(entry, dict) and entry.get("raised_exception"):
            return str(entry.get("exception_message") or "unknown error").splitlines()[0]
    return None
