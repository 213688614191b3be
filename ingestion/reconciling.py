"""Reconciling: a source's own count of its rows, day by day, beside what bronze has of them.

Rows that were committed late at the source, with a time before the overlap of the next pull, are
found by nothing else. A day that lacks rows is pulled once more by the ordinary way, so what is
known is a duplicate and the ledger adds up.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from ingestion import accounts, landing
from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from ingestion.protocols import PROTOCOLS
from ingestion.protocols.sql_days import ByDay, Counts, Days
from ingestion.source import ingest_source, require_known
from lakehouse import delta, landing_zone, tables
from lakehouse.contracts import SourceContract
from lakehouse.delta import data_files
from lakehouse.duck import connect, delta_scan, literal
from lakehouse.errors import ContractError, Problem
from lakehouse.settings import Settings

USUAL_DAYS: Final = 31
"""Days up to yesterday that are looked at unless others are asked for."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day on which the two differ.

    Attributes:
        day: It, on the clock that `Reconciled.zone` names.
        at_source: What the source counts.
        in_lake: What bronze and quarantine have.
        is_read: Whether the whole of it was pulled once more: what still differs then is no row
            that the lake does not know.
    """

    day: date
    at_source: Counts
    in_lake: Counts
    is_read: bool = False

    @property
    def missing(self) -> int:
        """Rows that the source has and the lake has not; at least so many."""
        keys = self.at_source.keys - self.in_lake.keys
        return max(keys, self.at_source.rows - self.in_lake.rows, 0)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What reconciling a source came to.

    Attributes:
        source_id: The source.
        first: First day that was compared.
        last: Last one.
        zone: Zone of the clock that its days are told by.
        days: Those that differ; after a repair as they are then.
        landed: Rows that a repair has landed.
        quarantined: Rows of it that broke the contract.
        refused: Why pages of it were refused.
    """

    source_id: str
    first: date
    last: date
    zone: str
    days: tuple[Day, ...]
    landed: int = 0
    quarantined: int = 0
    refused: tuple[str, ...] = ()

    @property
    def lacking(self) -> tuple[Day, ...]:
        """Days with rows that the lake lacks, so far as anybody has looked."""
        return tuple(day for day in self.days if day.missing and not day.is_read)


def can_be_reconciled(contract: SourceContract) -> bool:
    """Whether the source's protocol can count."""
    return PROTOCOLS[contract.protocol].by_day is not None


def reconcile(
    settings: Settings,
    contract: SourceContract,
    first: date | None = None,
    last: date | None = None,
    *,
    repair: bool = False,
) -> Reconciled:
    """Compare a source's rows with bronze's, day by day.

    Args:
        settings: Says where the lake is.
        contract: A source that is pulled from a database.
        first: First day; 31 days in all if it is not given.
        last: Last day; yesterday if it is not given, since the last pull may be of this morning.
        repair: Pull days that lack rows once more.

    Raises:
        ContractError: The source's protocol cannot count.
        SourceUnavailable: The source did not answer; what was taken before that is kept.
        Busy: A repair found another process ingesting this source.
    """
    by_day = _by_day(contract)
    last = last or datetime.now(UTC).date() - timedelta(days=1)
    first = first or last - timedelta(days=USUAL_DAYS - 1)
    period = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    with tempfile.TemporaryDirectory() as scratch:
        with by_day(_fetch(settings, contract, Path(scratch))) as days:
            at_source = {day: days.count(day) for day in period}
        found = Reconciled(
            contract.id, first, last, days.zone, _differing(settings, contract, days, at_source)
        )
    if not repair or not found.lacking:
        return found
    return _repaired(settings, contract, days, at_source, found)


def _by_day(contract: SourceContract) -> ByDay:
    require_known(contract)
    by_day = PROTOCOLS[contract.protocol].by_day
    if by_day is None:
        able = ", ".join(name for name, one in PROTOCOLS.items() if one.by_day)
        raise ContractError(
            Problem(
                f"{contract.path}: customProperties.delivery.protocol",
                f"the protocol {contract.protocol} cannot count the rows of a day",
                f"Those that can: {able}.",
            )
        )
    return by_day


def _fetch(settings: Settings, contract: SourceContract, scratch: Path) -> Fetch:
    cursor = delta.mark_of(tables.bronze(settings, contract.id), "cursor")
    return Fetch(contract, settings, cursor, scratch, is_taken=lambda _: False)


def _repaired(
    settings: Settings,
    contract: SourceContract,
    days: Days,
    at_source: Mapping[date, Counts],
    found: Reconciled,
) -> Reconciled:
    read: dict[date, set[str]] = {}

    def offers(fetch: Fetch) -> Iterator[Offer]:
        with _by_day(contract)(fetch) as again:
            for lacking in found.lacking:
                pages = set()
                for offer in again.offers(lacking.day):
                    pages.add(landing.digest(offer.path))
                    yield offer
                read[lacking.day] = pages

    outcome = ingest_source(settings, contract, offers)
    refused = accounts.Seen.of(settings, contract).refused  # now, or the same page before
    whole = {day for day, pages in read.items() if not pages & refused}
    left = _differing(settings, contract, days, at_source)
    return replace(
        found,
        days=tuple(replace(one, is_read=one.day in whole) for one in left),
        landed=outcome.ledger.landed,
        quarantined=outcome.ledger.quarantined,
        refused=tuple(receipt.reason or receipt.name for receipt in outcome.refused),
    )


def _differing(
    settings: Settings, contract: SourceContract, days: Days, at_source: Mapping[date, Counts]
) -> tuple[Day, ...]:
    in_lake = _in_lake(settings, contract, days, list(at_source))
    compared = (Day(day, counts, in_lake.get(day, Counts())) for day, counts in at_source.items())
    return tuple(day for day in compared if day.at_source != day.in_lake)


def _in_lake(
    settings: Settings, contract: SourceContract, days: Days, period: Sequence[date]
) -> dict[date, Counts]:
    """What the lake has of each day: what has landed, and the broken rows that are held back."""
    bronze = tables.bronze(settings, contract.id)
    if not period or not delta.exists(bronze):
        return {}
    # A day on a local clock begins up to 14 hours before that of UTC, or after it.
    first = datetime.combine(period[0], datetime.min.time(), UTC) - timedelta(days=1)
    last = datetime.combine(period[-1], datetime.min.time(), UTC) + timedelta(days=2)
    with connect() as connection:
        scan = data_files.scan(connection, delta.open_table(bronze), "phenomenon_time", first, last)
        clock = f"phenomenon_time at time zone {literal(days.zone)}"  # the source's own
        key = f"device, {clock}" + (", channel" if days.has_channel else "")
        connection.execute(
            f"""create temp table landed as
            select ({clock})::date as day, hash({key}) as key, _delivery, _row
            from {scan or "(select * from " + delta_scan(bronze) + " limit 0)"}
            where phenomenon_time between ? and ?""",
            [first, last],
        )
        rows = connection.execute(
            """select day, count(distinct key), count(distinct (_delivery, _row))
            from landed group by day"""
        ).fetchall()
        found = {day: Counts(keys, number) for day, keys, number in rows}
        for day, held in _held(connection, settings, contract, days):
            before = found.get(day, Counts())
            found[day] = Counts(before.keys + held.keys, before.rows + held.rows)
    return found


def _held(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    days: Days,
) -> Iterator[tuple[date, Counts]]:
    """Rows of which quarantine holds a part and bronze has none; their pages tell the day."""
    quarantine = tables.quarantine(settings, contract.id)
    if not delta.exists(quarantine):
        return
    held = connection.execute(
        f"""select _delivery, list(distinct _row) from {delta_scan(quarantine)}
        where rule <> 'delivery_refused'
            and (_delivery, _row) not in (select (_delivery, _row) from landed)
        group by _delivery"""
    ).fetchall()
    for delivery, rows in held:
        page = landing_zone.address(settings, contract.id, delivery)
        if not page.is_file():
            continue
        counted = connection.execute(
            f"""select {days.page_day} as day, count(distinct ({", ".join(days.page_key)}, 0)),
                count(*)
            from read_parquet({literal(page)}, file_row_number = true)
            where file_row_number + 1 in (select unnest(?::bigint[]))
            group by day having day is not null""",
            [rows],
        ).fetchall()
        yield from ((day, Counts(keys, number)) for day, keys, number in counted)
