"""What the sharing policy asks about a product, gathered from the contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from lakehouse.contracts import Contracts, ProductContract, SourceContract
from lakehouse.contracts.approvals import Approval, Audience
from lakehouse.contracts.classification import Classification, Levels, Processing
from lakehouse.contracts.own import OWN
from lakehouse.contracts.product import ProductColumn, Statistics

_PLACES: Final = ("longitude", "latitude", "northing_m", "easting_m")
"""How columns that tell a place end."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A source that a product is made from.

    Attributes:
        name: Source id.
        classification: With the highest levels of its columns; None if nobody has classified it.
        licence: SPDX id of the data as delivered; None where the city chooses.
        processing: Where the data were processed before; None if that is not told.
        place_precision_m: Metres that the places of its things must be rounded to in open data.
        retention_s: How long its rows are kept; None for good.
    """

    name: str
    classification: Classification | None
    licence: str | None = None
    processing: Processing | None = None
    place_precision_m: float | None = None
    retention_s: int | None = None

    @property
    def has_personal_data(self) -> bool:
        """Whether it is known to hold personal data."""
        return self.classification is not None and self.classification.personal_data


@dataclass(frozen=True, slots=True)
class Facts:
    """A product as the policy sees it.

    Attributes:
        audience: With whom it is to be shared.
        version: Semantic version of its contract.
        classification: Of the whole, as the contract says; None if nobody has classified it.
        columns: Each column, with its own levels where it has any.
        origins: What it is made from.
        licence: SPDX id.
        attribution: Words that the licence asks to be repeated.
        statistics: How numbers about people are protected; None if there are none.
        shows_places: Whether a column tells a place.
        place_precision_m: Metres that its places are rounded to; None if they are exact.
        receivers: Who may have it, if it is restricted.
        retention_s: How long its rows are kept; None for good.
        approval: The newest decision to share it with this audience.
        today: The day of the decision.
    """

    audience: Audience
    version: str
    classification: Classification | None
    columns: tuple[tuple[str, Levels | None], ...]
    origins: tuple[Origin, ...]
    licence: str
    attribution: str | None
    statistics: Statistics | None
    shows_places: bool
    place_precision_m: float | None
    receivers: tuple[str, ...]
    retention_s: int | None
    approval: Approval | None
    today: date

    @property
    def has_personal_data(self) -> bool:
        """Whether the product is known to hold personal data."""
        return self.classification is not None and self.classification.personal_data

    @property
    def is_about_people(self) -> bool:
        """Whether it, or what it is made from, holds personal data."""
        return self.has_personal_data or any(one.has_personal_data for one in self.origins)

    @property
    def classified(self) -> tuple[tuple[str, Classification], ...]:
        """The product (an empty name) and its origins, those that have been classified."""
        named = [
            ("", self.classification),
            *((one.name, one.classification) for one in self.origins),
        ]
        return tuple((name, found) for name, found in named if found)

    def named(self, chosen: Callable[[Classification], object]) -> tuple[str, str]:
        """What a choice falls on, named in Swedish and in English; empty texts for nothing."""
        names = [name for name, found in self.classified if chosen(found)]
        return (
            ", ".join(name or "produkten" for name in names),
            ", ".join(name or "the product" for name in names),
        )

    @property
    def k(self) -> int:
        """The highest K of the product and its columns; 0 if there is none."""
        own = [self.classification.k] if self.classification else []
        return max([*own, *(levels.k for _, levels in self.columns if levels)], default=0)


def facts_of(contracts: Contracts, contract: ProductContract, today: date) -> Facts:
    """Gather what the policy asks about a product.

    Args:
        contracts: Every contract and approval.
        contract: The product.
        today: The day of the decision.
    """
    publication = contract.publication
    return Facts(
        audience=publication.audience,
        version=contract.version,
        classification=contract.classification,
        columns=tuple((column.name, column.levels) for column in contract.columns),
        origins=tuple(_origins(contracts, publication.sources)),
        licence=publication.licence,
        attribution=publication.attribution,
        statistics=contract.statistics,
        shows_places=any(map(_tells_place, contract.columns)),
        place_precision_m=publication.place_precision_m,
        receivers=publication.receivers,
        retention_s=contract.retention_s,
        approval=contracts.approval(contract.id),
        today=today,
    )


def _origins(contracts: Contracts, names: tuple[str, ...]) -> Iterator[Origin]:
    for name in names:
        if name in OWN:
            yield Origin(name, OWN[name])
            continue
        source = contracts.sources.get(name)
        if source is None:  # still a draft: nothing in it has been decided
            yield Origin(name, None)
            continue
        yield Origin(
            name,
            source.classification,
            source.ownership.licence,
            source.ownership.processing,
            _asked_precision(source),
            source.retention_s,
        )


def _asked_precision(source: SourceContract) -> float | None:
    asked = [thing.public_precision_m for thing in source.things if thing.public_precision_m]
    return max(asked, default=None)


def _tells_place(column: ProductColumn) -> bool:
    return column.name.endswith(_PLACES)
