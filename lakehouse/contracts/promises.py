"""What a contract promises in spans of time: how often, how long kept.

Source: ODCS v3.1.0, "Service-Level Agreement": `frequency`, `retention`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

from lakehouse.contracts.odcs import Document
from lakehouse.errors import ContractError, Problem

_UNITS_S: Final = {
    "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600,
}  # fmt: skip
"""Units of a promised span, in seconds; a year is 365.25 days."""


def promised_s(document: Document, name: str) -> int | None:
    """The span that a contract promises under a name, in seconds; None if it promises none.

    Raises:
        ContractError: It is no span of time.
    """
    for index, promise in enumerate(document.data.get("slaProperties", ())):
        if promise["property"].lower() != name:
            continue
        value, unit = promise.get("value"), promise.get("unit", "d")
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            what, remedy = f"'{value}' is no {name}", "Write a number above 0."
        elif unit not in _UNITS_S:
            what, remedy = f"the unit '{unit}' is unknown", f"Write one of: {', '.join(_UNITS_S)}."
        else:
            return int(value * _UNITS_S[unit])
        raise ContractError(Problem(f"{document.path}: slaProperties[{index}]", what, remedy))
    return None


def kept_from(retention_s: int, now: datetime) -> date:
    """The first day, UTC, that rows are kept of.

    Args:
        retention_s: How long they are, in seconds.
        now: The time.
    """
    return (now - timedelta(seconds=retention_s)).astimezone(UTC).date()
