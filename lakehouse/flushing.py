"""Bytes that are on disk when they are said to be: files, folders and commits (fsync)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import unquote

from lakehouse import delta_log


def flush_commit(address: Path, version: int) -> None:
    """Flush one commit to disk: its files, log entry, checkpoint if it made one, and folders."""
    files = [
        address / unquote(action["add"]["path"])
        for action in delta_log.read_entry(address, version)
        if "add" in action
    ]
    for path in files:
        flush(path)
    for folder in {path.parent for path in files}:
        flush(folder)
    flush(delta_log.entry(address, version))
    for path in delta_log.checkpoint_files(address, version):
        flush(path)
    flush(delta_log.folder(address))


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
