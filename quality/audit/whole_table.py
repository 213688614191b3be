"""What a contract asks of a table as a whole: how many rows it has."""

from __future__ import annotations

from collections.abc import Sequence

from lakehouse.verdicts import Check
from quality.audit.suite import Planned


def check_table(planned: Sequence[Planned], rows: int) -> tuple[tuple[Check, ...], list[str]]:
    """Hold the number of rows against what is expected of it.

    Returns:
        One check for each expectation, and those that nobody can evaluate.
    """
    checks = []
    unmade = []
    for item in planned:
        configuration = item.expectation.configuration
        if configuration.type != "expect_table_row_count_to_be_between":
            unmade.append(f"the check '{item.expected}' on the table cannot be made")
            continue
        least, most = (configuration.kwargs.get(name) for name in ("min_value", "max_value"))
        is_within = (least is None or rows >= least) and (most is None or rows <= most)
        checks.append(
            Check(configuration.type, None, item.severity, is_within, item.expected, f"{rows}")
        )
    return tuple(checks), unmade
