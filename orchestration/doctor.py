"""Looking for what is broken: the installation, the contracts, the lake's tables, the disk."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa

from ingestion import balance
from lakehouse import delta, tables
from lakehouse.contracts import Contracts
from lakehouse.delta import compaction, transaction_log
from lakehouse.duck import connect
from lakehouse.errors import SjostadError
from lakehouse.settings import Settings
from lakehouse.timeline import city_today
from orchestration.dbt_manifest import MANIFEST
from orchestration.lake import open_lake

_LEAST_FREE: Final = 0.15
_MANY_SMALL: Final = 300
"""Small files that wait to be put together: three days of a delivery each quarter of an hour."""
_WEEKS_TO_DECIDE: Final = 8
"""A board that meets once a month must know two meetings ahead."""
_LONG_LOG: Final = 150
"""Commits without a checkpoint: one is made with every hundredth, so one has failed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    is_well: bool
    what: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; a broken part does not stop the rest."""
    findings = [_python(), _duckdb(), _manifest(), _disk(settings), _inbox(settings)]
    try:
        contracts = open_lake(settings)
    except SjostadError as error:
        findings += [Finding(p.place, False, p.what, p.remedy) for p in error.problems]
        return findings
    findings.append(
        Finding(
            "contracts",
            True,
            f"{len(contracts.sources)} sources, {len(contracts.products)} products",
        )
    )
    findings += _approvals(contracts, city_today())
    findings += _tables(settings)
    findings += _ledgers(settings, contracts)
    return findings


def _approvals(contracts: Contracts, today: date) -> Iterator[Finding]:
    """Decisions to share that end soon, or have ended: the product is then shown no more."""
    for product in contracts.products:
        made = contracts.approval(product)
        if made is None:
            continue
        left = (date.fromisoformat(made.valid_until) - today).days
        is_well = left >= _WEEKS_TO_DECIDE * 7
        what = (
            f"{made.decision} holds until {made.valid_until}"
            if left >= 0
            else (f"{made.decision} ended on {made.valid_until}: it is shared no more")
        )
        if not is_well:
            remedy = f"Let {made.decided_by} decide anew, then 'sjostad approve {product}'."
            yield Finding(f"decision on {product}", False, what, remedy)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", sys.version_info >= (3, 11), version, "Use Python 3.11 or newer.")


def _duckdb() -> Finding:
    return _attempt("duckdb", lambda: connect().close(), "reads Delta tables, offline")


def _manifest() -> Finding:
    return Finding(
        "dbt", MANIFEST.is_file(), "project parsed" if MANIFEST.is_file() else "not parsed yet",
        "Run 'sjostad prepare'.",
    )  # fmt: skip


def _disk(settings: Settings) -> Finding:
    place = settings.home if settings.home.exists() else Path.cwd()
    usage = shutil.disk_usage(place)
    share = usage.free / usage.total
    return Finding(
        "disk",
        share >= _LEAST_FREE,
        f"{share:.0%} free ({usage.free / 1e9:,.0f} GB)",
        "Free space: a full disk stops every source.",
    )


def _inbox(settings: Settings) -> Finding:
    there = settings.inbox.is_dir()
    return Finding(
        "inbox", there, str(settings.inbox) if there else f"{settings.inbox} does not exist",
        "Create it, or name another with SJOSTAD_INBOX.",
    )  # fmt: skip


def _tables(settings: Settings) -> Iterator[Finding]:
    found = tables.every(settings)
    for name, address in found.items():
        subject = f"{address.parent.name}/{address.name}"
        finding = _attempt(subject, partial(_whole, address), "whole")
        if finding.is_well:
            yield from _neglected(subject, name, address)
        else:
            yield finding
    yield Finding("lake", True, f"{len(found)} tables looked at")


def _neglected(subject: str, name: str, address: Path) -> Iterator[Finding]:
    """What the nightly upkeep would have seen to."""
    remedy = f"Run 'sjostad maintain {name}', and see whether the schedule every_night is on."
    table = delta.open_table(address)
    bundles = compaction.plan(table)
    small = sum(len(bundle.files) for bundle in bundles)
    if small > _MANY_SMALL:
        partitions = len({tuple(bundle.partition.items()) for bundle in bundles})
        where = f" in {partitions:,} partitions" if partitions > 1 else ""
        yield Finding(subject, False, f"{small:,} small files{where}: reading is slow", remedy)
    commits = transaction_log.since_checkpoint(address, table.version())
    if commits > _LONG_LOG:
        what = f"{commits:,} commits since the last checkpoint: opening is slow"
        yield Finding(subject, False, what, remedy)


def _whole(address: Path) -> None:
    """Raise if the newest commit is torn or a file is missing or of another size."""
    table = delta.open_table(address)
    newest = max(int(path.stem) for path in (address / "_delta_log").glob("*.json"))
    transaction_log.read_entry(address, newest)
    files = pa.table(table.get_add_actions(flatten=True))
    for path, size in zip(files["path"].to_pylist(), files["size_bytes"].to_pylist(), strict=True):
        held = address / unquote(path)
        if not held.is_file() or held.stat().st_size != size:
            raise FileNotFoundError(f"{held} is missing or not {size} bytes long")


def _ledgers(settings: Settings, contracts: Contracts) -> Iterator[Finding]:
    for source_id in contracts.sources:
        address = tables.bronze(settings, source_id)
        if not delta.exists(address):
            continue
        batches = delta.mark_of(address, "batch")
        followed = delta.mark_of(tables.ledger(settings), f"source:{source_id}")
        account = balance(settings, source_id)
        if batches == followed and not account.is_kept:
            yield Finding(
                f"ledger of {source_id}", False,
                f"it says {account.landed:,} rows landed and {account.quarantined:,} quarantined, "
                f"the tables hold {account.bronze_rows:,} and {account.quarantine_rows:,}",
                "See docs/operations.md, 'Repair'.",
            )  # fmt: skip
        if batches != followed:
            yield Finding(
                f"ledger of {source_id}", False, f"{batches} batches, {followed} of them recorded",
                f"Run 'sjostad ingest {source_id}'; it fills the gap from the bronze log.",
            )  # fmt: skip


def _attempt(subject: str, look: Callable[[], None], well: str) -> Finding:
    try:
        look()
    except (SjostadError, OSError) as error:
        return Finding(subject, False, str(error), "See docs/operations.md, 'Repair'.")
    return Finding(subject, True, well)
