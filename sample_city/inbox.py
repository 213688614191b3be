"""Files appear in the inbox whole or not at all, and stay untouched when nothing has changed."""

from __future__ import annotations

import os
from pathlib import Path


def place(inbox: Path, folder: str, name: str, content: bytes) -> bool:
    """Put one file into a source's folder.

    Args:
        inbox: The inbox.
        folder: The source's folder in it; made when missing.
        name: File name.
        content: The bytes.

    Returns:
        Whether the file was written; False when it already had these bytes.
    """
    target = inbox / folder / name
    if _holds(target, content):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not in the source's folder: there, a pattern such as *.csv could match half a file.
    fresh = inbox / f".arriving-{os.getpid()}"
    try:
        fresh.write_bytes(content)
        os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)
    return True


def _holds(target: Path, content: bytes) -> bool:
    try:
        return target.stat().st_size == len(content) and target.read_bytes() == content
    except FileNotFoundError:
        return False
