"""How data may be handled: KLASSA levels, personal data, secrecy, and where they are processed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from lakehouse.contracts.odcs import Document, Frozen
from lakehouse.errors import ContractError, Problem

Level = Literal[0, 1, 2, 3, 4]

_TRIPLE = re.compile(r"([0-4])-([0-4])-([0-4])")


class Levels(NamedTuple):
    """Consequence levels of KLASSA: konfidentialitet, riktighet, tillgänglighet."""

    k: int
    r: int
    t: int

    @classmethod
    def read(cls, text: str) -> Levels | None:
        """Levels as ODCS writes them on a column, such as `1-2-1`; None for another text."""
        found = _TRIPLE.fullmatch(text)
        return cls(*map(int, found.groups())) if found else None

    def __str__(self) -> str:
        return f"{self.k}-{self.r}-{self.t}"


class Classification(Frozen):
    """KLASSA levels 0-4, personal data, and what law speaks of them.

    Attributes:
        k: Konfidentialitet.
        r: Riktighet.
        t: Tillgänglighet.
        personal_data: Whether somebody alive can be told from them, directly or not.
        special_category: Whether they tell of health or the like (GDPR article 9).
        legal_basis: What lets the city process personal data, by article and law.
        secrecy: Chapter and section of offentlighets- och sekretesslagen, if they are secret.

    Source: SKR KLASSA; regulation (EU) 2016/679 articles 4, 6 and 9; OSL (2009:400).
    """

    k: Level
    r: Level
    t: Level
    personal_data: bool
    special_category: bool = False
    legal_basis: str | None = None
    secrecy: str | None = None

    @model_validator(mode="after")
    def _special_is_personal(self) -> Self:
        if self.special_category and not self.personal_data:
            raise ValueError("expected 'personalData: true' beside 'specialCategory: true'")
        return self

    @property
    def levels(self) -> Levels:
        """The three levels."""
        return Levels(self.k, self.r, self.t)

    @property
    def is_shareable(self) -> bool:
        """Whether readings may stand in the tables that open products are made from."""
        return self.k < 2 and not self.personal_data and not self.secrecy

    def raised_to(self, others: Iterable[Levels]) -> Classification:
        """The same with the highest level of each aspect, its own or one of the others'."""
        k, r, t = (max(column) for column in zip(self.levels, *others, strict=True))
        return self.model_copy(update={"k": k, "r": r, "t": t})


def column_levels(document: Document, index: int, column: Mapping[str, Any]) -> Levels | None:
    """The levels that a contract gives one column; None if it gives none.

    Raises:
        ContractError: They are not written as K-R-T.
    """
    text = column.get("classification")
    levels = Levels.read(str(text)) if text is not None else None
    if text is not None and levels is None:
        raise ContractError(
            Problem(
                f"{document.path}: schema[0].properties[{index}].classification",
                f"'{text}' is no classification",
                "Write K-R-T with levels from 0 to 4, such as 1-2-1.",
            )
        )
    return levels


class Processing(Frozen):
    """Where data are processed before they come to the lake, and by whom.

    Attributes:
        country: ISO 3166-1 code of the country, such as `SE`.
        provider: Who processes them, if it is not the organisation itself.
        transfer: What lets personal data be processed outside the EEA (GDPR chapter V).
        assessment: Where the assessment of that transfer is recorded.
    """

    country: str = Field(pattern=r"^[A-Z]{2}$")
    provider: str | None = None
    transfer: Literal["adequacy_decision", "standard_clauses", "binding_rules"] | None = None
    assessment: str | None = None
