"""A folder that a supplier delivers files to; they are read where they lie and left there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ingestion.deliveries import Offer
from lakehouse.contracts import SourceContract
from lakehouse.errors import Problem, SourceUnavailable
from lakehouse.settings import Settings


def offers(
    contract: SourceContract, settings: Settings, _cursor: int, _scratch: Path
) -> Iterator[Offer]:
    """The files of the inbox that match the contract's path pattern, oldest name first.

    Args:
        contract: Its location is a glob pattern relative to the inbox; `**` spans folders.
        settings: Says where the inbox is.

    Raises:
        SourceUnavailable: The inbox does not exist.
    """
    if not settings.inbox.is_dir():
        raise SourceUnavailable(
            Problem(str(settings.inbox), "the inbox does not exist", "Create it or name another.")
        )
    for path in sorted(settings.inbox.glob(contract.location)):
        if path.is_file() or path.is_symlink():
            received = datetime.fromtimestamp(os.lstat(path).st_mtime, UTC)
            yield Offer(path.relative_to(settings.inbox).as_posix(), path, received)
