"""Key files: made once, flushed, readable by their owner and nobody else."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lakehouse.errors import Problem, SettingsError
from lakehouse.flushing import flush

_SECRET: Final = 0o600
_LARGEST: Final = 1 << 16


def read_secret(path: Path) -> bytes:
    """Read a secret file that only its owner may read.

    Permissions are those of the very file that is read: it is opened first, then looked at.

    Raises:
        SettingsError: It is not there, is no file, is too large, or others may read or write it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SettingsError(
            Problem(str(path), f"the key cannot be read ({error.strerror})", "Put it there.")
        ) from error
    with open(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_size > _LARGEST:
            raise SettingsError(
                Problem(str(path), "this is no key file", "Name the file of a private key.")
            )
        if state.st_mode & 0o077:
            raise SettingsError(
                Problem(
                    str(path),
                    f"others may read or write it (mode {stat.S_IMODE(state.st_mode):04o})",
                    f"Run `chmod 600 {path}`; if others have been here, make a new key.",
                )
            )
        return file.read()


def secret_made_once(path: Path, make: Callable[[], bytes]) -> bytes:
    """Read a secret file; the first to ask makes it. Of several at once, all get the same."""
    if not path.exists():
        make_once(path, make(), _SECRET)
    return read_secret(path)


def make_once(path: Path, content: bytes, mode: int) -> None:
    """Write a file unless there is one; it appears whole and flushed, or not at all.

    A hard link is what cannot replace a file and needs no lock: a second process that made its
    own at the same time loses it.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(fresh, path)
        except FileExistsError:
            return
    finally:
        fresh.unlink()
    flush(path.parent)
    flush(path.parent.parent)
