"""Semantic versions of contracts.

Source: Semantic Versioning 2.0.0, items 2 and 8; without labels, which no contract needs.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_VERSION = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})")


class SemanticVersion(NamedTuple):
    """Major, minor and patch number; compared in that order."""

    major: int
    minor: int
    patch: int

    @classmethod
    def read(cls, text: str) -> SemanticVersion | None:
        """The version that a text tells, such as `1.2.0`; None for another text."""
        found = _VERSION.fullmatch(text)
        return cls(*map(int, found.groups())) if found else None

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"
