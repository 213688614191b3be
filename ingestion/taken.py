"""Deliveries that were dealt with before, as they lie in the landing zone."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime

from ingestion import accounts
from ingestion.accounts import Line
from ingestion.deliveries import Landed, Offer
from ingestion.landing import address
from lakehouse.errors import LakeError, Problem
from lakehouse.settings import Settings


def refused(settings: Settings, source_id: str, standing: Container[str]) -> list[Line]:
    """The newest line of each delivery that was refused and never taken, oldest first.

    Args:
        settings: Says where the ledger is.
        source_id: The source.
        standing: Deliveries that have been taken, by sha-256.
    """
    found = {
        line["delivery"]: line
        for line in accounts.lines(settings, source_id)
        if line["outcome"] == "refused" and line["delivery"] not in standing and line["delivery"]
    }
    return list(found.values())


def landed(settings: Settings, source_id: str, line: Line) -> Landed:
    """The delivery of a line of the ledger, with the time it was received at.

    Raises:
        LakeError: Its bytes are gone.
    """
    path = address(settings, source_id, line["delivery"])
    if not path.is_file():
        raise LakeError(
            Problem(str(path), f"the bytes of {line['name']} are gone", "Restore the landing zone.")
        )
    received = datetime.fromisoformat(line["received_at"])
    return Landed(Offer(line["name"], path, received), line["delivery"], path, line["bytes"])
