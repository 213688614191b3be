"""Deliveries that were dealt with before, as they lie in the landing zone."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import datetime

from ingestion import accounts
from ingestion.accounts import Line
from ingestion.deliveries import Landed, Offer
from lakehouse.errors import LakeError, Problem
from lakehouse.landing_zone import address, at_hand
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
        LakeError: Its bytes are gone, or were erased.
    """
    path = at_hand(settings, source_id, line["delivery"])
    if path is None:
        raise LakeError(was_erased(source_id, line))
    if not path.is_file():
        lost = address(settings, source_id, line["delivery"])
        raise LakeError(
            Problem(str(lost), f"the bytes of {line['name']} are gone", "Restore the landing zone.")
        )
    received = datetime.fromisoformat(line["received_at"])
    return Landed(Offer(line["name"], path, received), line["delivery"], path, line["bytes"])


def offered(settings: Settings, source_id: str) -> dict[str, Landed]:
    """Every delivery of the ledger whose bytes are there, by what they lie under now."""
    found: dict[str, Landed] = {}
    for line in accounts.lines(settings, source_id):
        if not line["delivery"]:
            continue
        path = at_hand(settings, source_id, line["delivery"])
        if path is not None and path.is_file() and path.name not in found:
            received = datetime.fromisoformat(line["received_at"])
            offer = Offer(line["name"], path, received)
            found[path.name] = Landed(offer, path.name, path, path.stat().st_size)
    return found


def is_erased(settings: Settings, source_id: str, line: Line) -> bool:
    """Whether nothing is left of the bytes of a line's delivery, because they were erased."""
    return at_hand(settings, source_id, line["delivery"]) is None


def readable(settings: Settings, source_id: str, lines: Sequence[Line]) -> list[Line]:
    """The lines whose deliveries can be read again, for who reads all of them.

    Raises:
        LakeError: The bytes of a delivery were erased that others have rows of.
    """
    erased = [line for line in lines if is_erased(settings, source_id, line)]
    if lost := [line for line in erased if line["landed"] + line["quarantined"]]:
        raise LakeError(*(was_erased(source_id, line) for line in lost))
    gone = {line["delivery"] for line in erased}
    return [line for line in lines if line["delivery"] not in gone]


def was_erased(source_id: str, line: Line) -> Problem:
    """What to say where erased bytes should be read; rows that others have of it stand."""
    rows = line["landed"] + line["quarantined"]
    return Problem(
        f"{source_id}, delivery {line['name']}",
        f"its bytes were erased on request and cannot be read again; {rows:,} rows that others "
        "have of it are kept as they were read",
        "Nothing to restore: leave it out, or ask the supplier for a delivery without the subject.",
    )
