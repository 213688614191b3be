"""Bytes that are on disk when they are said to be: files and folders (fsync)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside, flush it and put it in place of what was there."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fresh.write_bytes(content)
    flush(fresh)
    os.replace(fresh, path)
    flush(path.parent)


def flush(path: Path) -> None:
    """Flush one file or folder to disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
