"""The detailed report of an audit: Data Docs of Great Expectations, one page for each product.

The results of all chunks are one result here, so that the page speaks of the whole version. What
Great Expectations did not run, as days and history, is in the verdict alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from great_expectations.core import ExpectationSuiteValidationResult
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.render.renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from lakehouse.flushing import write_whole
from lakehouse.settings import Settings
from lakehouse.verdicts import Check, Verdict
from quality.audit.suite import Planned

_ALONE: Final = (
    '<meta http-equiv="Content-Security-Policy" '
    """content="default-src 'none'; style-src 'unsafe-inline'">"""
)
"""The page names scripts, styles and pictures on others' servers; none of them is fetched."""


def write_docs(settings: Settings, verdict: Verdict, planned: Sequence[Planned]) -> Path | None:
    """Write the page of a product's newest audit.

    Args:
        settings: Where the audits are kept.
        verdict: What came of it.
        planned: The expectations, which the first checks of the verdict are of.

    Returns:
        The page; None if some expectation has no check, and then none is there.
    """
    path = settings.audits / verdict.product / "docs" / "index.html"
    told = {(one.expectation, one.column, one.expected): one for one in verdict.checks}
    results = []
    for item in planned:
        kind = item.expectation.configuration.type
        check = told.get((kind, item.column, item.expected))
        if check is None:
            path.unlink(missing_ok=True)  # it would be of an earlier audit
            return None
        results.append(_result(item, check, verdict.rows))
    held = sum(bool(one.success) for one in results)
    page = ExpectationSuiteValidationResult(
        success=held == len(results),
        results=results,
        suite_name=f"{verdict.product} {verdict.contract_version}",
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": held,
            "unsuccessful_expectations": len(results) - held,
            "success_percent": 100 * held / len(results) if results else None,
        },
        meta={
            "delta_version": verdict.delta_version,
            "rows": verdict.rows,
            "run_id": {"run_name": verdict.model, "run_time": verdict.audited_at},
        },
    )
    document = ValidationResultsPageRenderer(run_info_at_end=True).render(page)
    html = DefaultJinjaPageView().render(document)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, html.replace("<head>", f"<head>{_ALONE}", 1).encode())
    return path


def _result(planned: Planned, check: Check, rows: int) -> ExpectationValidationResult:
    configuration = planned.expectation.configuration
    share = 100 * check.unexpected / rows if rows else 0.0
    found: dict[str, float] = {"observed_value": rows}
    if not configuration.type.startswith("expect_table_"):
        found = {
            "element_count": rows,
            "unexpected_count": check.unexpected,
            "unexpected_percent": share,
            "unexpected_percent_total": share,
        }
    return ExpectationValidationResult(
        success=check.passed,
        expectation_config=configuration,
        result=found,
        exception_info={
            "raised_exception": False,
            "exception_traceback": None,
            "exception_message": None,
        },
    )
