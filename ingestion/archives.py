"""Unpacking deliveries: an archive is verified to its last byte before any of it is read.

DuckDB reads a truncated or corrupt gzip without complaint, so no reader ever sees compressed
bytes: they see plain files that were checked here. Bombs, links and paths that lead out of the
archive are refused.

Source: RFC 1952 (gzip), POSIX.1-2001 pax (tar), APPNOTE 6.3.10 (zip).
"""

from __future__ import annotations

import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

from ingestion.deliveries import Landed
from lakehouse.errors import DeliveryRefused, Problem

MAX_BYTES: Final = 2 << 30
"""Unpacked bytes of one delivery; more is a bomb or belongs in several deliveries."""
MAX_RATIO: Final = 200
"""Unpacked bytes to packed ones; sensor data stay far below it, zeros reach 1,000."""
MAX_FILES: Final = 100_000
_CHUNK: Final = 1 << 20
_FREE: Final = 1 << 20
_DAMAGE: Final = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    RuntimeError,  # zipfile: encrypted, or packed in a way it does not know
)


def unpack(landed: Landed, scratch: Path) -> list[tuple[str | None, Path]]:
    """The plain files of a delivery, verified.

    Args:
        landed: The delivery; its name's ending says what it is (`.gz`, `.tar.gz`, `.tgz`,
            `.zip`, `.tar`), anything else is a plain file.
        scratch: Empty folder of this delivery for what is unpacked.

    Returns:
        Pairs of name in the archive (None for a plain or gzipped file) and path, in the
        archive's order.

    Raises:
        DeliveryRefused: It is empty, damaged, a bomb, or holds links or unsafe paths.
    """
    name = landed.offer.name.lower()
    if landed.size == 0:
        raise _refuse(landed, "the delivery is empty (0 bytes)")
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        if name.endswith((".tar.gz", ".tgz")):
            return _untar(landed, _gunzip(landed, scratch / "archive.tar"), scratch)
        if name.endswith(".tar"):
            return _untar(landed, landed.path, scratch)
        if name.endswith(".gz"):
            return [(None, _gunzip(landed, scratch / "plain"))]
        if name.endswith(".zip"):
            return _unzip(landed, scratch)
    except _DAMAGE as error:
        raise _refuse(landed, f"the archive is damaged: {error}") from error
    return [(None, landed.path)]


def _gunzip(landed: Landed, target: Path) -> Path:
    with gzip.open(landed.path, "rb") as packed:
        size = _pour(landed, packed, target, 0)
    if size == 0:
        raise _refuse(landed, "the archive holds nothing")
    return target


def _untar(landed: Landed, archive: Path, scratch: Path) -> list[tuple[str | None, Path]]:
    found: list[tuple[str | None, Path]] = []
    total = 0
    with tarfile.open(archive, "r:") as tar:
        for entry in tar:
            if entry.isdir():
                continue
            if not entry.isfile():
                raise _refuse(landed, f"'{entry.name}' in the archive is a link or a device")
            packed = tar.extractfile(entry)
            if packed is None:
                raise _refuse(landed, f"'{entry.name}' in the archive cannot be read")
            target = _place(landed, entry.name, scratch, len(found))
            total += _pour(landed, packed, target, total)
            found.append((entry.name, target))
        end = tar.offset
    _require_end(landed, archive, end)
    return _some(landed, found)


def _require_end(landed: Landed, archive: Path, end: int) -> None:
    """What follows the last entry must be the zeros that end an archive.

    tarfile takes a broken entry, or a file cut between two entries, for the end.
    """
    size = 0
    with archive.open("rb") as file:
        file.seek(end)
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            if chunk.strip(b"\0"):
                raise _refuse(landed, "the archive is damaged: an entry in it cannot be read")
    if size < tarfile.BLOCKSIZE:
        raise _refuse(landed, "the archive is cut: its end is missing")


def _unzip(landed: Landed, scratch: Path) -> list[tuple[str | None, Path]]:
    found: list[tuple[str | None, Path]] = []
    total = 0
    with zipfile.ZipFile(landed.path) as archive:
        for entry in _files(archive):
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _refuse(landed, f"'{entry.filename}' in the archive is a link")
            target = _place(landed, entry.filename, scratch, len(found))
            with archive.open(entry) as packed:  # reading to the end checks the CRC
                total += _pour(landed, packed, target, total)
            found.append((entry.filename, target))
    return _some(landed, found)


def _files(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    return (entry for entry in archive.infolist() if not entry.is_dir())


def _place(landed: Landed, name: str, scratch: Path, number: int) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\x00" in name:
        raise _refuse(landed, f"'{name}' in the archive leads out of it")
    if number >= MAX_FILES:
        raise _refuse(landed, f"the archive holds more than {MAX_FILES:,} files")
    return scratch / f"{number:06d}"


def _pour(landed: Landed, packed: IO[bytes] | gzip.GzipFile, target: Path, before: int) -> int:
    size = 0
    limit = min(MAX_BYTES, max(_FREE, landed.size * MAX_RATIO))
    with target.open("wb") as plain:
        while chunk := packed.read(_CHUNK):
            size += len(chunk)
            if before + size > limit:
                raise _refuse(landed, f"it unpacks to more than {limit:,} bytes: a bomb")
            plain.write(chunk)
    return size


def _some(landed: Landed, found: list[tuple[str | None, Path]]) -> list[tuple[str | None, Path]]:
    if not found:
        raise _refuse(landed, "the archive holds no files")
    return found


def _refuse(landed: Landed, what: str) -> DeliveryRefused:
    return DeliveryRefused(
        Problem(landed.offer.name, what, "Ask the supplier to deliver it again.")
    )
