"""Texts in contracts that people read."""

from __future__ import annotations

from pydantic import Field

from lakehouse.contracts.odcs import Frozen


class Text(Frozen):
    """A text for people: Swedish first, English beside it."""

    sv: str = Field(min_length=1)
    en: str = Field(min_length=1)
