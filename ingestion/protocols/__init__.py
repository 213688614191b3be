"""How bytes are fetched. A protocol takes a contract and yields offers; it never reads them.

To add one: a module with an `offers` function, a line here, a test, a heading in docs/sources.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ingestion.deliveries import Offer
from ingestion.protocols import folder, ignition_historian
from lakehouse.contracts import SourceContract
from lakehouse.settings import Settings

Protocol = Callable[[SourceContract, Settings, int, Path], Iterator[Offer]]
"""(contract, settings, cursor, scratch folder) → offers, oldest first. `cursor` is the mark of
that name in the source's bronze table, 0 when there is none yet."""

PROTOCOLS: Final[Mapping[str, Protocol]] = MappingProxyType(
    {
        "folder": folder.offers,
        "ignition_historian": ignition_historian.offers,
    }
)
