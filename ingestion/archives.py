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
from lakehouse.errors import DeliveryRefused, Problem, SourceUnavailable

MAX_BYTES: Final = 2 << 30
"""Unpacked bytes of one delivery; more is a bomb or belongs in several deliveries."""
MAX_RATIO: Final = 200
"""Unpacked bytes to packed ones; sensor data stay far below it, zeros reach 1,000."""
MAX_FILES: Final = 100_000
_CHUNK: Final = 1 << 20
_FREE: Final = 1 << 20
_AHEAD: Final = 256 << 20
"""Unpacked bytes after which the ratio must hold for the part that was read, not only in all."""
_PACKED: Final = (".gz", ".tgz", ".tar", ".zip")
_ENTRY: Final = b"PK\x01\x02"
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
        SourceUnavailable: The machine could not read it, or write what it unpacks to.
    """
    name = landed.offer.name.lower()
    if landed.size == 0:
        raise _refuse(landed, "the delivery is empty (0 bytes)")
    if not name.endswith(_PACKED):
        return [(None, landed.path)]
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        if name.endswith((".tar.gz", ".tgz")):
            return _untar(landed, _gunzip(landed, scratch / "archive.tar"), scratch)
        if name.endswith(".tar"):
            return _untar(landed, landed.path, scratch)
        if name.endswith(".gz"):
            return [(None, _gunzip(landed, scratch / "plain"))]
        return _unzip(landed, scratch)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise unreadable(landed.offer.name, error) from error
        raise _refuse(landed, f"the archive is damaged: {error}") from error


def unreadable(place: str, error: Exception) -> SourceUnavailable:
    """What a failing disk is: nothing is known of the bytes, so no delivery is refused for it."""
    told = str(error).splitlines()[0]
    return SourceUnavailable(
        Problem(place, f"reading it failed: {told}", "Look at the disk; the next run tries again.")
    )


def _gunzip(landed: Landed, target: Path) -> Path:
    with landed.path.open("rb") as file, gzip.GzipFile(fileobj=file) as packed:
        size = _pour(landed, packed, target, 0, file)
    if size == 0:
        raise _refuse(landed, "the archive holds nothing")
    return target


def _untar(landed: Landed, archive: Path, scratch: Path) -> list[tuple[str | None, Path]]:
    found: list[tuple[str | None, Path]] = []
    total = 0
    with tarfile.open(archive, "r:") as tar:
        for number, entry in enumerate(tar, start=1):
            _require_few(landed, number)
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
    _require_few(landed, entries(landed.path))
    with zipfile.ZipFile(landed.path) as archive:
        # No entry gives more than it says it will; what says too much is not unpacked at all.
        _require_small(landed, sum(entry.file_size for entry in archive.infolist()))
        for entry in _files(archive):
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _refuse(landed, f"'{entry.filename}' in the archive is a link")
            target = _place(landed, entry.filename, scratch, len(found))
            with archive.open(entry) as packed:  # reading to the end checks the CRC
                total += _pour(landed, packed, target, total)
            found.append((entry.filename, target))
    return _some(landed, found)


def entries(path: Path) -> int:
    """How many entries a zip has at most, before zipfile makes an object of each."""
    found, rest = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            chunk = rest + chunk
            found += chunk.count(_ENTRY)
            rest = chunk[-len(_ENTRY) + 1 :]
    return found


def _files(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    return (entry for entry in archive.infolist() if not entry.is_dir())


def _place(landed: Landed, name: str, scratch: Path, number: int) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\x00" in name:
        raise _refuse(landed, f"'{name}' in the archive leads out of it")
    return scratch / f"{number:06d}"


def _require_few(landed: Landed, number: int) -> None:
    if number > MAX_FILES:
        raise _refuse(landed, f"the archive holds more than {MAX_FILES:,} files")


def _require_small(landed: Landed, size: int, read: int | None = None) -> None:
    """Refuse a bomb by the size of what it unpacks to, of which `read` packed bytes were read."""
    limit = min(MAX_BYTES, max(_FREE, landed.size * MAX_RATIO))
    if read is not None:
        limit = min(limit, max(_AHEAD, read * MAX_RATIO))
    if size > limit:
        raise _refuse(landed, f"it unpacks to more than {limit:,} bytes: a bomb")


def _pour(
    landed: Landed,
    packed: IO[bytes] | gzip.GzipFile,
    target: Path,
    before: int,
    file: IO[bytes] | None = None,
) -> int:
    size = 0
    with target.open("wb") as plain:
        while chunk := packed.read(_CHUNK):
            size += len(chunk)
            _require_small(landed, before + size, file.tell() if file else None)
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
