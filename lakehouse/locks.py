"""One process at a time for one piece of work: advisory file locks in the home folder.

Correctness does not rest on these (Delta transactions see to that); they keep two runs from
doing the same work twice and publishing from interleaving.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lakehouse.errors import Busy, Problem
from lakehouse.settings import Settings

POLL_S = 0.1


@contextmanager
def exclusive(settings: Settings, work: str, *, poll_s: float = POLL_S) -> Iterator[None]:
    """Hold the lock of `work` while the block runs.

    Args:
        settings: Says where lock files live and how long to wait.
        work: Name of the work, such as `transformation` or `ingest.hamnar_elmatare`.
        poll_s: Seconds between attempts; less where the work takes milliseconds.

    Raises:
        Busy: Another process held the lock for longer than `settings.patience_s` seconds.
    """
    settings.locks.mkdir(parents=True, exist_ok=True)
    path = settings.locks / f"{work}.lock"
    with path.open("a+") as file:
        deadline = time.monotonic() + settings.patience_s
        while not _taken(file.fileno()):
            if time.monotonic() >= deadline:
                file.seek(0)
                raise Busy(
                    Problem(
                        str(path),
                        f"process {file.read().strip() or 'unknown'} is already doing '{work}'",
                        "Wait for it to finish, or raise SJOSTAD_PATIENCE_S.",
                    )
                )
            time.sleep(poll_s)
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield  # closing the file releases the lock


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
