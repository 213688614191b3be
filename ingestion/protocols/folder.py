"""A folder that a supplier delivers files to; they are read where they lie and left there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from lakehouse.errors import Problem, SourceUnavailable


def offers(fetch: Fetch) -> Iterator[Offer]:
    """The files of the inbox that match the contract's path pattern, oldest name first.

    Args:
        fetch: Its contract's location is a glob pattern relative to the inbox; `**` spans folders.

    Raises:
        SourceUnavailable: The inbox does not exist.
    """
    settings = fetch.settings
    if not settings.inbox.is_dir():
        raise SourceUnavailable(
            Problem(str(settings.inbox), "the inbox does not exist", "Create it or name another.")
        )
    for path in sorted(settings.inbox.glob(fetch.contract.location)):
        if path.is_file() or path.is_symlink():
            received = datetime.fromtimestamp(os.lstat(path).st_mtime, UTC)
            yield Offer(path.relative_to(settings.inbox).as_posix(), path, received)
