"""What a rule says of a product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Answer(NamedTuple):
    """Whether a rule holds for a product that it concerns, and why, in both languages."""

    holds: bool
    sv: str
    en: str


AUDIENCES: Final[Mapping[str, tuple[str, str]]] = {
    "open": ("alla", "everybody"),
    "internal": ("stadens medarbetare", "the city's staff"),
    "restricted": ("namngivna mottagare", "named receivers"),
}
"""Who an audience is, in both languages."""
