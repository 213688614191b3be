"""What the lake knows of itself: tables that no source delivers and products can be made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lakehouse.contracts.classification import Classification

OWN: Final[Mapping[str, Classification]] = {
    # The contracts and the vocabulary, which stand in the catalogue as well.
    "reference": Classification(k=0, r=1, t=1, personal_data=False),
    # How the city's systems work, day by day: which source and product took how much.
    "metering": Classification(k=1, r=1, t=1, personal_data=False),
}
"""How these tables are classified, by the name that a product says in `sources`."""
