"""What a protocol is asked with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lakehouse.contracts import SourceContract
from lakehouse.settings import Settings


@dataclass(frozen=True, slots=True)
class Fetch:
    """One fetching of one source.

    Attributes:
        contract: The source.
        settings: Says where the inbox and the landing zone are.
        cursor: Mark `cursor` of the source's bronze table, 0 when there is none yet; what it
            counts is the protocol's own affair.
        scratch: Folder for files that are offered.
        is_taken: Whether bytes with this sha-256 have been taken before.
    """

    contract: SourceContract
    settings: Settings
    cursor: int
    scratch: Path
    is_taken: Callable[[str], bool]
