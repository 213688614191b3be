"""Where the log ends, and how bytes are put there so that they stay.

A crash may leave a line in part: it has no line end, or cannot be read. Nobody was told that it
was written. The next to write does not remove it. It ends it, and adds a line `closed_off` that
goes on from the last whole line and tells the length and hash of the bytes it passes over. So
nothing that ever was in the file is lost, the chain goes on, and verification accepts those bytes
and no others in that place. A line that lacks only its line end is whole and gets it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lakehouse.audit_log.lines import ZEROS, Details, Entry, names_in, read
from lakehouse.errors import LakeError, Problem
from lakehouse.flushing import flush

_CHUNK: Final = 1 << 16
_MODE: Final = 0o640


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of the log.

    Attributes:
        path: Newest file that has anything in it; None when nothing has been written.
        number: Number of the last whole line.
        digest: sha-256 of it, which the next line bears.
        torn: What follows it, if it is no line.
        is_ended: Whether the file ends with a line end.
    """

    path: Path | None = None
    number: int = 0
    digest: str = ZEROS
    torn: bytes = b""
    is_ended: bool = True


def tail_of(folder: Path) -> Tail:
    """Find the end of the log; only the last bytes are read."""
    newest: Path | None = None
    torn, is_ended = b"", True
    for name in reversed(names_in(folder, ".jsonl")):
        path = folder / name
        data = _end_of(path)
        if not data:  # a crash came between making the file and its first line
            continue
        if newest is None:
            newest, is_ended = path, data.endswith(b"\n")
        found = last_whole(data)
        if found is not None:
            entry, digest, rest = found
            return Tail(newest, entry.number, digest, torn or rest, is_ended)
        torn = torn or data  # the first line of its day; the last whole one is in a file before
    return Tail(newest, torn=torn, is_ended=is_ended)


def closing(tail: Tail, path: Path, actor: str, now: datetime) -> Entry:
    """The line that closes off what a crash has left in a file."""
    return Entry(
        number=tail.number + 1,
        at=stamp(now),
        actor=actor,
        action="closed_off",
        object=f"log/{path.stem}",
        outcome="done",
        details=_told_of(tail.torn),
        previous=tail.digest,
    )


def closes(entry: Entry, torn: bytes) -> bool:
    """Whether a line is the one that closes off these bytes."""
    return entry.action == "closed_off" and entry.details == _told_of(torn)


def append(path: Path, data: bytes) -> None:
    """Put bytes at the end of a file and flush them.

    Raises:
        LakeError: The disk did not take them, wholly or in part; the event counts as not noted.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        is_new = not path.exists()
        if is_new:
            path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, flags, _MODE)
        try:
            while data:  # a disk that fills up takes a part
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
                flush(folder)
    except OSError as error:
        raise LakeError(
            Problem(
                str(path),
                f"the audit log could not be written ({error.strerror})",
                "See to the disk and run it again; what was torn is closed off by the next line.",
            )
        ) from error


def stamp(now: datetime) -> str:
    """A time as lines have it: UTC, always with six decimals."""
    return now.astimezone(UTC).isoformat(timespec="microseconds")


def last_whole(data: bytes) -> tuple[Entry, str, bytes] | None:
    """The last line that can be read, its hash, and what follows it."""
    end = len(data)
    while end > 0:
        start = data.rfind(b"\n", 0, end - 1) + 1
        content = data[start:end].removesuffix(b"\n")
        entry = read(content)
        if entry is not None:
            return entry, hashlib.sha256(content).hexdigest(), data[end:]
        end = start
    return None


def _end_of(path: Path) -> bytes:
    """The last bytes of a file that hold a whole line, else all of it."""
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - _CHUNK)
        file.seek(start)
        data = file.read()
        if start and last_whole(data) is None:
            file.seek(0)
            data = file.read()
    return data


def _told_of(torn: bytes) -> Details:
    """What a closing line says of torn bytes, whether or not they have been ended."""
    bare = torn.removesuffix(b"\n")
    return {"torn_bytes": len(bare), "torn_sha256": hashlib.sha256(bare).hexdigest()}
