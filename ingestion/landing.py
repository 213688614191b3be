"""The landing zone: raw bytes by sha-256, kept as they came and flushed to disk before a commit.

The same bytes under another name are one delivery. What lies here is never changed, so that
every table can be made again from it.

The one exception is what somebody has a right to have erased. Then the bytes are gone, and a file
`<sha-256>.erased` in their place names the bytes that are left of them, which lie here as any
others, or none. The delivery keeps its identity: the same bytes are never taken in again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader
from pathlib import Path
from typing import Final

from ingestion.deliveries import Landed, Offer
from lakehouse.errors import DeliveryRefused, Problem
from lakehouse.flushing import flush
from lakehouse.landing_zone import ERASED, address, is_erased
from lakehouse.settings import Settings

_CHUNK: Final = 1 << 20


class WasErased(DeliveryRefused):
    """Bytes that have landed before, and that were erased for good."""


def digest(path: Path) -> str:
    """The sha-256 of a file, lower-case hex.

    Raises:
        DeliveryRefused: It is or lies behind a symbolic link, or cannot be read.
    """
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _opened(path: Path) -> BufferedReader:
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
    return os.fdopen(descriptor, "rb")


def erase(settings: Settings, source_id: str, sha256: str, rest: Path | None) -> None:
    """Remove landed bytes for good, and keep in their place what is left of them.

    Stopped anywhere it has kept the bytes or removed them, and can be done again.

    Args:
        settings: Says where the landing zone is.
        source_id: The source.
        sha256: What the bytes lie under.
        rest: A file of what is left, which is moved; None if nothing is.
    """
    path = address(settings, source_id, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    left = ""
    if rest is not None:
        left = digest(rest)
        if left == sha256:
            raise AssertionError("what is left is what there was")
        target = address(settings, source_id, left)
        target.parent.mkdir(parents=True, exist_ok=True)
        flush(rest)
        os.replace(rest, target)
        flush(target.parent)
    erased = path.with_name(path.name + ERASED)
    fresh = path.with_name(path.name + ".erasing")
    fresh.write_text(left, encoding="ascii")
    flush(fresh)
    os.replace(fresh, erased)
    flush(path.parent)
    path.unlink(missing_ok=True)
    flush(path.parent)


def files(settings: Settings, source_id: str) -> list[Path]:
    """All landed bytes of a source, and what a crash may have left of some; no marks of erasure."""
    found = (settings.landing / source_id).rglob("*")
    return sorted(path for path in found if path.is_file() and path.suffix != ERASED)


def land(settings: Settings, source_id: str, offer: Offer) -> Landed:
    """Copy an offer's bytes into the landing zone, once.

    They are not yet flushed to disk, which takes as long as reading them: see `flush_landed`.

    Args:
        settings: Says where the landing zone is.
        source_id: The source it is a delivery of; one process at a time lands for it.
        offer: The bytes.

    Raises:
        DeliveryRefused: It is no plain file, cannot be read, or changed while it was copied.
        WasErased: These bytes were taken before, and something of them was erased.
    """
    fresh = settings.landing / source_id / "incoming"
    fresh.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _opened(offer.path) as file:
            before = os.stat(file.fileno())
            sha256 = _copied(file, fresh)
            after = os.stat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise DeliveryRefused(
                Problem(offer.name, "the file changed while it was read", "It is tried next run.")
            )
        if is_erased(settings, source_id, sha256):
            raise WasErased(
                Problem(offer.name, "its bytes were erased", "Nothing of it is taken again.")
            )
        target = address(settings, source_id, sha256)
        # What a power cut has left under this name may be less than all of it.
        if not target.is_file() or digest(target) != sha256:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)
    return Landed(offer, sha256, target, target.stat().st_size)


def _copied(file: BufferedReader, target: Path) -> str:
    """Copy a file; its sha-256, made meanwhile from the very bytes that were written."""
    digested = hashlib.sha256()
    with target.open("wb") as copy, ThreadPoolExecutor(max_workers=1) as beside:
        pending = beside.submit(digested.update, b"")
        while chunk := file.read(_CHUNK):
            copy.write(chunk)
            pending.result()  # of the chunk before: one is digested while the next is copied
            pending = beside.submit(digested.update, chunk)
    return digested.hexdigest()


def flush_landed(deliveries: Iterable[Landed]) -> None:
    """Flush landed bytes and their folders to disk."""
    for delivery in deliveries:
        flush(delivery.path)
        flush(delivery.path.parent)


def discard(landed: Landed) -> None:
    """Remove the bytes of a pull that brought nothing new; every row of it is already kept."""
    landed.path.unlink(missing_ok=True)
