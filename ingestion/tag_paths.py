"""Historians name what they hold by paths; a contract says which part is device and channel."""

from __future__ import annotations

from lakehouse.contracts import SourceContract
from lakehouse.errors import DeliveryRefused, Problem


def pattern(contract: SourceContract) -> str:
    """The contract's pattern with the named groups `device` and `channel`.

    Raises:
        DeliveryRefused: It has none.
    """
    found = contract.delivery.device.path if contract.delivery.device else None
    if found is None or "(?P<device>" not in found or "(?P<channel>" not in found:
        raise DeliveryRefused(
            Problem(
                f"{contract.path}: customProperties.delivery.device.path",
                "a historian needs a pattern that splits a tag path",
                "Write one such as '^(?P<device>.+)/(?P<channel>[^/]+)$'.",
            )
        )
    return found
