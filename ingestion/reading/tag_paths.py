"""Historians name what they hold by paths; a contract says which part is device and channel."""

from __future__ import annotations

from lakehouse.contracts import SourceContract
from lakehouse.duck import literal
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


def split(tag: str, pattern: str) -> str:
    """SQL of the columns `device`, `channel`, `rule` and `reason` that a tag's name gives."""
    path = f"regexp_extract({tag}, {literal(pattern)}, ['device', 'channel'])"
    return f"""nullif({path}.device, '') as device, nullif({path}.channel, '') as channel,
        case when {path}.device = '' or {tag} is null then 'tag_path' end as rule,
        case when rule is not null
            then format('the tag path ''{{}}'' does not fit the contract', {tag}) end as reason"""
