"""Public addresses: one place decides what every IRI and URL looks like.

Identifiers are promises: a harvester recognises a dataset by them for years. They hang on the
product's id alone, never on titles, versions or places in a list.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_NAMESPACE: Final = uuid.UUID("6f1f1c4e-52c1-5a39-9c1d-3f0c6a7e5b10")
"""Namespace of the UUIDv5 identifiers; must never change."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses under one public base URL (no trailing slash)."""

    base_url: str

    def catalogue(self) -> str:
        """IRI of the catalogue."""
        return f"{self.base_url}/id/catalog"

    def dataset(self, product: str) -> str:
        """IRI of a dataset."""
        return f"{self.base_url}/id/dataset/{product}"

    def distribution(self, product: str, form: str) -> str:
        """IRI of a distribution, such as the form `csv` of a product."""
        return f"{self.base_url}/id/distribution/{product}/{form}"

    def contact(self, product: str) -> str:
        """IRI of the contact of a product."""
        return f"{self.base_url}/id/contact/{product}"

    def node(self, kind: str, product: str) -> str:
        """IRI of a node that only describes a dataset, such as its period."""
        return f"{self.base_url}/id/{kind}/{product}"

    def page(self, product: str) -> str:
        """URL of a product's page."""
        return f"{self.base_url}/dataset/{product}/index.html"

    def card(self, product: str, language: str) -> str:
        """URL of a product's Markdown card."""
        return f"{self.base_url}/dataset/{product}/card.{language}.md"

    def file(self, product: str, name: str) -> str:
        """URL of a released file."""
        return f"{self.base_url}/files/{product}/{name}"


def identifier(product: str) -> str:
    """The stable UUIDv5 of a product, the same wherever the site is published."""
    return str(uuid.uuid5(_NAMESPACE, product))


def agent(organisation_id: str, organisation_number: str, elsewhere: Callable[[str], str]) -> str:
    """IRI of an organisation: the national one when it has a Swedish organisation number.

    Args:
        organisation_id: Id in the vocabulary.
        organisation_number: Ten digits, with or without a hyphen; may be empty.
        elsewhere: Makes an IRI of our own from the id.
    """
    digits = organisation_number.replace("-", "").strip()
    if len(digits) == 10 and digits.isdigit():
        return f"http://dataportal.se/organisation/SE{digits}"
    return elsewhere(organisation_id)
