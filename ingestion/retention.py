"""How long a source is kept: what its contract promises, done to its rows and bytes.

Rows go by whole partitions, once all of a partition is older than the promised time: a day, or a
year of the time before go-live. A mark of bronze, `kept_from`, tells the day that rows are kept
from; by it a row rule leaves older ones out of whatever is read later (`past_retention`), so that
neither a replay nor a late delivery brings them back. Bytes go with the last row they held.

Source: ODCS v3.1.0, "Service-Level Agreement", `retention`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake.transaction import RemoveAction

from ingestion import accounts, landing, quarantine
from ingestion.batches.rules import FUTURE_MINUTES, KEPT_FROM, PAST
from ingestion.erasing import delivered
from lakehouse import delta, landing_zone, tables
from lakehouse.contracts import SourceContract, promises
from lakehouse.delta import compaction, data_files, erasure
from lakehouse.duck import connect, literal
from lakehouse.locks import exclusive
from lakehouse.settings import Settings

_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Past:
    """What retention removed of a source, or would remove.

    Attributes:
        kept_from: The day, UTC, that rows are kept from.
        rows: Rows of bronze.
        partitions: Their partitions.
        held_rows: Rows of quarantine.
        deliveries: Landed deliveries whose bytes held nothing newer; None when only looked at.
    """

    kept_from: date
    rows: int
    partitions: int
    held_rows: int
    deliveries: int | None


def kept_from(contract: SourceContract, daily_from: int, now: datetime) -> date | None:
    """The first day that a contract keeps rows of; None if it keeps them for good.

    Args:
        contract: The source.
        daily_from: Year from which each day has a partition; before it each year has one.
        now: The time.
    """
    if contract.retention_s is None:
        return None
    day = promises.kept_from(contract.retention_s, now)
    return day if day.year >= daily_from else date(day.year, 1, 1)


def enforce(
    settings: Settings,
    contract: SourceContract,
    *,
    now: datetime | None = None,
    dry_run: bool = False,
) -> Past | None:
    """Remove what a source has held for longer than its contract keeps it.

    Silver and gold follow with the next build, which reads the source anew. Older versions of the
    tables stay readable for as long as upkeep keeps those.

    Args:
        settings: The lake.
        contract: The source.
        now: The time.
        dry_run: Only look.

    Returns:
        What went; None if nothing is so old, or the contract promises nothing.

    Raises:
        Busy: Another process is working on the source.
        LakeError: A table cannot be rewritten; it can be run again.
    """
    bronze = tables.bronze(settings, contract.id)
    if contract.retention_s is None or not delta.exists(bronze):
        return None
    year = delta.mark_of(bronze, "daily_from") or settings.daily_from.year
    day = kept_from(contract, year, datetime.now(UTC) if now is None else now)
    if day is None:
        return None
    with exclusive(settings, f"ingest.{contract.id}"):
        accounts.repair(settings, contract.id)
        reached = _day(delta.mark_of(bronze, KEPT_FROM))
        first = max(day, reached)
        old = _old_files(bronze, first)
        held = _of_quarantine(settings, contract.id, first, dry_run=True)
        mark = f"{KEPT_FROM}:{contract.id}"
        is_behind = _day(delta.mark_of(tables.ledger(settings), mark)) < reached  # it was killed
        if not (old or held or is_behind):
            return None
        rows = sum(one["num_records"] or 0 for one in old)
        partitions = len({one["partition.partition_date"] for one in old})
        if dry_run:
            return Past(first, rows, partitions, held, None)
        _of_bronze(bronze, first, old)
        _of_quarantine(settings, contract.id, first, dry_run=False)
        deliveries = _landed(settings, contract, first)
        _restate(settings, contract.id, {mark: (first - _EPOCH).days})
        return Past(first, rows, partitions, held, deliveries)


def _day(number: int) -> date:
    return _EPOCH + timedelta(days=number)


def _old_files(bronze: Path, first: date) -> list[dict[str, Any]]:
    told = pa.table(delta.open_table(bronze).get_add_actions(flatten=True))
    return [one for one in told.to_pylist() if one["partition.partition_date"] < first]


def _of_bronze(bronze: Path, first: date, old: list[dict[str, Any]]) -> None:
    """Take whole partitions out, and remember from which day on rows are kept."""
    reached = delta.marks_of(bronze, ["batch", "anew", KEPT_FROM])
    note = {"batch": str(reached.get("batch", 0)), "retention": first.isoformat()}
    marks = {KEPT_FROM: (first - _EPOCH).days}
    if not old:
        if reached.get(KEPT_FROM, 0) < marks[KEPT_FROM]:
            delta.append(
                bronze, tables.TELEMETRY.empty_table(), tables.TELEMETRY, marks=marks, note=note
            )
        return
    now = int(time.time() * 1000)
    gone = [
        RemoveAction(
            unquote(one["path"]),
            True,
            now,
            one["size_bytes"],
            {"partition_date": one["partition.partition_date"].isoformat()},
        )
        for one in old
    ]
    compaction.rearrange(bronze, [], gone, note, marks | {"anew": reached.get("anew", 0) + 1})


def _of_quarantine(settings: Settings, source_id: str, first: date, *, dry_run: bool) -> int:
    """Take out what was received before a day: a broken row may tell no time of its own."""
    address = tables.quarantine(settings, source_id)
    if not delta.exists(address):
        return 0
    old = f"_received_at < timestamptz '{first} 00:00:00+00'"
    return erasure.take_out(address, old, dry_run=dry_run).rows


# --- what is left of deliveries -----------------------------------------------------------------


def _landed(settings: Settings, contract: SourceContract, first: date) -> int:
    """Remove the bytes of deliveries that hold nothing newer."""
    held = counted(settings, contract.id)
    done = 0
    for line in accounts.lines(settings, contract.id, ("delivery", "name", "received_at")):
        sha256 = line["delivery"]
        path = landing_zone.at_hand(settings, contract.id, sha256) if sha256 else None
        if path is None or not path.is_file() or any(held.get(sha256, (0, 0))):
            continue
        received = datetime.fromisoformat(line["received_at"])
        latest = received + timedelta(minutes=FUTURE_MINUTES)
        if latest >= datetime(first.year, first.month, first.day, tzinfo=UTC):
            newest = delivered.newest(settings, contract, path, line["name"], received)
            if newest is None or newest.date() >= first:
                continue
        landing.erase(settings, contract.id, path.name, None)
        done += 1
    return done


def counted(settings: Settings, source_id: str) -> dict[str, tuple[int, int]]:
    """Rows that bronze and quarantine hold of each delivery."""
    found: dict[str, tuple[int, int]] = {}
    with connect(extensions=()) as connection:
        rows = data_files.whole(connection, delta.open_table(tables.bronze(settings, source_id)))
        if rows:
            query = f"select _delivery, count(*) from {rows} group by _delivery"
            found |= {sha: (n, 0) for sha, n in connection.execute(query).fetchall()}
        if quarantine.show_held(connection, settings, source_id):
            query = """select _delivery, count(*) from held where rule <> 'delivery_refused'
                group by _delivery"""
            for sha, n in connection.execute(query).fetchall():
                found[sha] = (found.get(sha, (0, 0))[0], n)
    return found


def _restate(settings: Settings, source_id: str, marks: Mapping[str, int]) -> None:
    """Let the ledger count what went as left out by a rule, so that it adds up as before."""
    address = tables.ledger(settings)
    if not delta.exists(address):
        return
    held = counted(settings, source_id)
    standing = accounts.standing(settings, source_id, ("batch", "landed", "quarantined"))
    changed = {
        sha: held.get(sha, (0, 0))
        for sha, line in standing.items()
        if held.get(sha, (0, 0)) != (line["landed"], line["quarantined"])
    }

    def prepare(connection: duckdb.DuckDBPyConnection) -> None:
        connection.create_function("with_past", _with_past, ["varchar", "bigint"], "varchar")
        for name, place in (("landed_now", 0), ("held_now", 1)):
            connection.execute(
                f"set variable {name} = map(?::varchar[], ?::bigint[])",
                [[*changed], [counts[place] for counts in changed.values()]],
            )

    landed, quarantined = (
        f"map_extract_value(getvariable('{name}'), delivery)" for name in ("landed_now", "held_now")
    )
    stands = (
        f"source_id = {literal(source_id)} and outcome in ('landed', 'replayed') "
        f"and {landed} is not null"
    )
    past = f"(landed + quarantined - {landed} - {quarantined})"
    erasure.take_out(
        address,
        "false",
        replaced={
            "landed": f"case when {stands} then {landed} else landed end",
            "quarantined": f"case when {stands} then {quarantined} else quarantined end",
            "filtered": f"case when {stands} then filtered + {past} else filtered end",
            "filtered_by_rule": f"case when {stands} then with_past(filtered_by_rule, {past}) "
            "else filtered_by_rule end",
        },
        prepare=prepare,
    )
    delta.append(address, tables.LEDGER.empty_table(), tables.LEDGER, marks=marks)


def _with_past(rules: str, rows: int) -> str:
    told: dict[str, int] = json.loads(rules)
    return json.dumps(told | {PAST: told.get(PAST, 0) + rows}, sort_keys=True)
