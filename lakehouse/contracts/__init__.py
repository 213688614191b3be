"""Contracts (ODCS v3.1.0) and vocabulary as frozen objects, checked before anything runs."""

from lakehouse.contracts.collection import Contracts, load_contracts
from lakehouse.contracts.product import ProductContract, load_product
from lakehouse.contracts.source import SourceContract, load_source
from lakehouse.contracts.vocabulary import Vocabulary, load_vocabulary

__all__ = [
    "Contracts",
    "ProductContract",
    "SourceContract",
    "Vocabulary",
    "load_contracts",
    "load_product",
    "load_source",
    "load_vocabulary",
]
