"""Upkeep of a lake: what is kept no longer goes, and small files are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion import Past, enforce
from lakehouse import audit_log, tables
from lakehouse.contracts import load_contracts
from lakehouse.delta.upkeep import Lock, Upkeep
from lakehouse.delta.upkeep import maintain as maintain_table
from lakehouse.errors import Problem, SettingsError, SjostadError
from lakehouse.locks import exclusive
from lakehouse.settings import Settings

if TYPE_CHECKING:  # importing it takes a second, which other commands need not wait for
    from publishing.retention import Expired

Done = tuple[str, Upkeep | SjostadError]
"""A table's name, and what its upkeep came to."""
Gone = tuple[str, "Past | Expired | SjostadError"]
"""A source or a product, and what its retention came to."""


def retention_of(settings: Settings, *, dry_run: bool = False) -> Iterator[Gone]:
    """Remove what sources and products keep no longer; one that fails does not stop the rest.

    Args:
        settings: The lake.
        dry_run: Only look.
    """
    from publishing.retention import expire

    try:
        contracts = load_contracts(settings.contracts)
    except SjostadError as error:  # the tables can be seen to all the same
        yield "contracts", error
        return
    for product_id, product in contracts.products.items():
        try:
            expired = expire(settings, product, dry_run=dry_run)
            if expired:
                yield product_id, expired
        except SjostadError as error:
            yield product_id, error
    for source_id, contract in contracts.sources.items():
        try:
            past = enforce(settings, contract, dry_run=dry_run)
            if past and not dry_run:
                audit_log.note(
                    settings,
                    "erased",
                    f"source/{source_id}",
                    rows=past.rows + past.held_rows,
                    deliveries=past.deliveries or 0,
                    rule="retention",
                )
            if past:
                yield source_id, past
        except SjostadError as error:
            yield source_id, error


def upkeep_of(
    settings: Settings,
    names: Sequence[str] = (),
    *,
    dry_run: bool = False,
    keep_days: int | None = None,
    is_short_meant: bool = False,
    tell: Callable[[str], None] = lambda _name: None,
) -> Iterator[Done]:
    """Do the upkeep of tables, one after the other; one that fails does not stop the rest.

    Args:
        settings: The lake.
        names: Tables, as `tables.every` names them; all by default.
        dry_run: Only look.
        keep_days: Days that older versions stay readable for; the setting's by default.
        is_short_meant: Whether less than a week is no mistake.
        tell: Called with a table's name before it is seen to.

    Raises:
        SettingsError: There is no table of such a name.
    """
    known = tables.every(settings)
    for name in names:
        if name not in known:
            listed = ", ".join(known) or "none yet"
            raise SettingsError(
                Problem(name, f"there is no such table in {settings.lake}", f"Tables: {listed}.")
            )
    keep = timedelta(days=settings.keep_days if keep_days is None else keep_days)
    for name in names or known:
        tell(name)
        try:
            yield (
                name,
                maintain_table(
                    known[name],
                    _lock(settings, known[name]),
                    keep=keep,
                    dry_run=dry_run,
                    is_short_meant=is_short_meant,
                ),
            )
        except SjostadError as error:
            yield name, error


def _lock(settings: Settings, address: Path) -> Lock:
    """The lock of whoever replaces rows of a table; appending is safe without."""
    layer = address.parent.name
    if layer in ("bronze", "quarantine"):
        return partial(exclusive, settings, f"ingest.{address.name}")
    if layer in ("silver", "gold"):
        return partial(exclusive, settings, "transformation")
    return nullcontext


def told_of(gone: Past | Expired) -> str:
    """What went, in numbers."""
    if not isinstance(gone, Past):
        return f"rows of releases {', '.join(map(str, gone.numbers))}"
    bytes_of = "" if gone.deliveries is None else f", the bytes of {gone.deliveries:,} deliveries"
    rows = f"{gone.rows:,} rows of {gone.partitions:,} partitions"
    return f"{rows}, {gone.held_rows:,} of quarantine{bytes_of}"
