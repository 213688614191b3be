"""What the lake knows of itself: tables that no source delivers and products can be made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lakehouse.contracts.classification import Classification

OWN: Final[Mapping[str, Classification]] = {
    # The contracts and the vocabulary, which stand in the catalogue as well.
    "reference": Classification(k=0, r=1, t=1, personal_data=False),
    # Receipts, audits and metering: how the city's systems work, day by day. Names of files and of
    # devices that broke a contract are in quarantine, which is none of these.
    "operations": Classification(k=1, r=1, t=1, personal_data=False),
}
"""How these tables are classified, by the name that a product says in `sources`."""
