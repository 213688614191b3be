"""One batch: deliveries read together, judged, compared with what is known, and committed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import duckdb
import pyarrow as pa

from ingestion.archives import unpack
from ingestion.batches import (
    broken_share,
    committing,
    completeness,
    judging,
    novelty,
    receipts,
    reconsidered,
)
from ingestion.deliveries import Again, Landed, Member
from ingestion.formats import FORMATS
from ingestion.landing import flush_landed
from lakehouse import places
from lakehouse.contracts import SourceContract
from lakehouse.duck import connect
from lakehouse.errors import DeliveryRefused, Problem
from lakehouse.ledger import Receipt, require_balance
from lakehouse.settings import Settings

_MEMORY: Final = "512MB"
"""What DuckDB may use for one batch; a larger one goes through disk."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch came to.

    Attributes:
        receipts: One for each delivery.
        version: Bronze version it was committed as; None when there was nothing to commit.
    """

    receipts: tuple[Receipt, ...]
    version: int | None


def take(
    settings: Settings,
    contract: SourceContract,
    deliveries: Sequence[Landed],
    scratch: Path,
    again: Again | None = None,
) -> Batch:
    """Read, judge and commit deliveries as one batch.

    Args:
        settings: Says where the lake is.
        contract: The source.
        deliveries: Landed deliveries, none of them taken before unless `again` says how.
        scratch: Empty folder for unpacked files.
        again: For a replay: what stands of the deliveries, and which rules are waived.

    Raises:
        DeliveryRefused: One of the deliveries cannot be trusted, or is too large to be read;
            nothing was committed.
        LakeConflict: Another writer was first; nothing was committed.
        LakeError: A replay would read rows differently that have landed before.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="flush") as beside:
        flushed = beside.submit(flush_landed, deliveries)
        try:
            with connect(memory_limit=_MEMORY, extensions=()) as connection:
                connection.execute(f"set temp_directory = '{scratch}'")
                read = _read(connection, settings, contract, deliveries, scratch, again)
                flushed.result()
                version = committing.commit(
                    connection, settings, contract, deliveries, read.receipts, read.given,
                    batch_id(contract, deliveries, again), again,
                )  # fmt: skip
        except duckdb.OutOfMemoryException as error:
            raise DeliveryRefused(
                Problem(
                    ", ".join(dict.fromkeys(one.offer.name for one in deliveries))[:300],
                    f"reading it takes more than the {_MEMORY} that a batch may use",
                    "Ask for smaller files; one document is read whole, lines are not.",
                )
            ) from error
    return Batch(read.receipts, version)


class _Read(NamedTuple):
    receipts: tuple[Receipt, ...]
    given: frozenset[str]


def _read(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    deliveries: Sequence[Landed],
    scratch: Path,
    again: Again | None,
) -> _Read:
    """Read and judge deliveries, compare them with what is known, and account for each."""
    members = _members(deliveries, scratch)
    _show_files(connection, members)
    position = contract.delivery.position
    if position and position.crs:
        places.show(connection, position.crs)
    reading = FORMATS[contract.delivery.format].read(connection, members, contract)
    released = frozenset({"quality", "quality_code"}) if again else frozenset()
    given = judging.judge(connection, settings, contract, reading, keep=released)
    if again:
        reconsidered.waive(connection, again)
    judging.count(connection)
    judging.require_no_drift(connection, contract)
    broken_share.require_few(connection, contract)
    identity = batch_id(contract, deliveries, again)
    novelty.compare(connection, settings, contract, identity, given, reading.raw)
    if again:
        reconsidered.compare(connection, settings, contract, deliveries)
    accounted = receipts.of(connection, contract, deliveries, again)
    accounted = completeness.check(settings, contract, deliveries, accounted)
    for receipt in accounted:
        require_balance(contract.id, receipt)
    return _Read(accounted, given)


def _members(deliveries: Sequence[Landed], scratch: Path) -> list[Member]:
    members: list[Member] = []
    for delivery in deliveries:
        for name, path in unpack(delivery, scratch / delivery.sha256[:16]):
            members.append(Member(len(members), delivery, name, path))
    return members


def _show_files(connection: duckdb.DuckDBPyConnection, members: Sequence[Member]) -> None:
    """Make table `files`, one row for each member.

    What many rows share is an ENUM: it is then written to Parquet without a look at each row.
    """
    files = pa.table(
        {
            "_file": pa.array([m.number for m in members], pa.int32()),
            "_delivery": pa.array([m.delivery.sha256 for m in members], pa.string()),
            "_member": pa.array([m.name for m in members], pa.string()),
            "name": pa.array([m.delivery.offer.name for m in members], pa.string()),
            "received_at": pa.array(
                [m.delivery.offer.received_at.replace(tzinfo=None) for m in members],
                pa.timestamp("us"),
            ),
        }
    )
    connection.register("members", files)
    connection.execute(
        """
        create type delivery as enum (select distinct _delivery from members);
        create type quality as enum ('good', 'uncertain', 'bad');
        create temp table files as
        select * replace (_delivery::delivery as _delivery) from members
        """
    )
    connection.unregister("members")


def batch_id(
    contract: SourceContract, deliveries: Sequence[Landed], again: Again | None = None
) -> str:
    """The identity of an attempt at a batch, never made from the clock.

    Returns:
        sha-256 over the source, the contract (under another one other rows are broken) and the
        deliveries; for a replay also over what it replays and which rules it waives.
    """
    parts = [contract.id, contract.digest, *sorted(one.sha256 for one in deliveries)]
    if again:
        parts += [f"waived {rule}" for rule in sorted(again.waived)]
        parts += [f"after {batch}" for batch in sorted(again.batches)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
