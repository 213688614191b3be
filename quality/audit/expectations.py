"""Running expectations on a frame, and counting what came of them.

Great Expectations says «success» to an empty suite and leaves out what could not run. So here
every expectation must have a result of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import great_expectations as gx
import pandas as pd
from great_expectations.core import ExpectationSuite
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.expectations.expectation import Expectation

from quality.audit.suite import identity

Result: TypeAlias = ExpectationValidationResult

_NAME: Final = "audit"


class Uncounted(Exception):
    """Great Expectations gave other results than were asked for."""


class Runner:
    """Runs expectations on one frame after another."""

    def __init__(self) -> None:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        self._definition = (
            context.data_sources.add_pandas(_NAME)
            .add_dataframe_asset(_NAME)
            .add_batch_definition_whole_dataframe(_NAME)
        )

    def results(
        self,
        frame: pd.DataFrame,
        expectations: Sequence[Expectation],
        form: Literal["SUMMARY", "COMPLETE"] = "SUMMARY",
    ) -> list[Result]:
        """One result for each expectation, in their order.

        Args:
            frame: The rows; pandas' default types (`benchmarks/audit_frames.py` says why).
            expectations: What to expect of them; no two are alike.
            form: `COMPLETE` also tells which rows break one.

        Raises:
            Uncounted: There are fewer or other results.
        """
        if not expectations:
            return []
        suite = ExpectationSuite(name=_NAME, expectations=list(expectations))
        batch = self._definition.get_batch({"dataframe": frame})
        found = batch.validate(suite, result_format=form).results
        if len(found) != len(expectations):
            raise Uncounted(f"{len(expectations)} checks were planned, {len(found)} were made")
        paired = _in_order(expectations, found)
        if len(paired) != len(expectations):
            raise Uncounted(f"only {len(paired)} of {len(expectations)} planned checks were made")
        return paired


def error_of(result: Result) -> str | None:
    """The first exception of an expectation; metrics may each have one of their own."""
    info = result.exception_info or {}
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if isinstance(entry, dict) and entry.get("raised_exception"):
            return str(entry.get("exception_message") or "unknown error").splitlines()[0]
    return None


def _in_order(expectations: Sequence[Expectation], results: Sequence[Result]) -> list[Result]:
    """Match results to expectations by content; their order is not promised."""
    left = list(results)
    found: list[Result] = []
    for expectation in expectations:
        wanted = identity(expectation.configuration)
        result = next((one for one in left if identity(one.expectation_config) == wanted), None)
        if result is not None:
            left.remove(result)
            found.append(result)
    return found
