"""The landing zone: raw bytes by sha-256, flushed to disk before anything reads them.

The same bytes under another name are one delivery. What lies here is never changed, so that
every table can be made again from it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from ingestion.deliveries import Landed, Offer
from lakehouse.delta import flush
from lakehouse.errors import DeliveryRefused, Problem
from lakehouse.settings import Settings

_CHUNK: Final = 1 << 20


def digest(path: Path) -> str:
    """The sha-256 of a file, lower-case hex.

    Raises:
        DeliveryRefused: It is or lies behind a symbolic link, or cannot be read.
    """
    if path.parent.resolve() != path.parent.absolute():
        raise DeliveryRefused(
            Problem(str(path), "the folder is reached through a link", "Deliver a plain file.")
        )
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise DeliveryRefused(
            Problem(str(path), f"the file cannot be opened: {error}", "Deliver a plain file.")
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def address(settings: Settings, source_id: str, sha256: str) -> Path:
    """Where a delivery's bytes lie once landed."""
    return settings.landing / source_id / sha256[:2] / sha256


def land(settings: Settings, source_id: str, offer: Offer, sha256: str) -> Landed:
    """Copy an offer's bytes into the landing zone, once, and flush them to disk.

    Args:
        settings: Says where the landing zone is.
        source_id: The source it is a delivery of.
        offer: The bytes.
        sha256: Their digest, computed before.

    Raises:
        DeliveryRefused: The bytes changed while they were being copied.
    """
    target = address(settings, source_id, sha256)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f"{sha256}.{os.getpid()}.new")
        shutil.copyfile(offer.path, fresh)
        if digest(fresh) != sha256:
            fresh.unlink()
            raise DeliveryRefused(
                Problem(offer.name, "the file changed while it was read", "It is tried next run.")
            )
        flush(fresh)
        os.replace(fresh, target)
        flush(target.parent)
    return Landed(offer, sha256, target, target.stat().st_size)


def discard(landed: Landed) -> None:
    """Remove the bytes of a pull that brought nothing new; every row of it is already kept."""
    landed.path.unlink(missing_ok=True)
