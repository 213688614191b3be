"""Where the bytes of deliveries lie once they have landed, and what an erasure has left of them.

`landing/<source>/<first two digits>/<sha-256>`; `<sha-256>.erased` in their place names the bytes
that are left of them, which lie there as any others do, or nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lakehouse.settings import Settings

ERASED: Final = ".erased"


def address(settings: Settings, source_id: str, sha256: str) -> Path:
    """Where a delivery's bytes lie once landed."""
    return settings.landing / source_id / sha256[:2] / sha256


def at_hand(settings: Settings, source_id: str, sha256: str) -> Path | None:
    """Where the bytes of a delivery lie, or what an erasure has left of them; None if nothing."""
    path = address(settings, source_id, sha256)
    while (erased := path.with_name(path.name + ERASED)).is_file():
        rest = erased.read_text(encoding="ascii").strip()
        if not rest:
            return None
        path = address(settings, source_id, rest)
    return path


def is_erased(settings: Settings, source_id: str, sha256: str) -> bool:
    """Whether something of a delivery's bytes was erased."""
    path = address(settings, source_id, sha256)
    return path.with_name(path.name + ERASED).is_file()
