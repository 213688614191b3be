"""Building a source anew: all its landed bytes read under the present contract, in one commit.

The source is first taken into a lake of its own beside the real one, by the same code as any
delivery, so that its tables are those of a fresh lake. Then its broken rows are added to
quarantine, where nothing holds them yet, and one commit of bronze replaces every row. That commit
decides: before it nothing has changed for anybody, and after it the ledger follows as it always
does. The table as it was stays reachable by Delta's time travel.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

import duckdb

from ingestion import accounts, quarantine, taken
from ingestion.batches.batch import take
from ingestion.batches.rules import KEPT_FROM
from ingestion.deliveries import Again, Landed, delivery_mark
from lakehouse import delta, tables
from lakehouse.contracts import SourceContract
from lakehouse.delta import data_files
from lakehouse.duck import connect, delta_scan, identifier, literal
from lakehouse.errors import DeliveryRefused, LakeError, Problem
from lakehouse.ledger import Receipt
from lakehouse.locks import exclusive
from lakehouse.settings import Settings

_BATCH_BYTES: Final = 256 << 20
_BATCH_DELIVERIES: Final = 500
_RELEASED: Final = "released:"
"""What `quality_code` starts with where a person has set a rule aside for a row."""

_CONTENT: Final = ", ".join(
    identifier(name)
    for name in tables.TELEMETRY.names
    if name not in (*(field.name for field in tables.TECHNICAL), "partition_date")
)
_HELD: Final = "name, _delivery, _member, _row, rule, reason, channel, raw"

Waived = Mapping[str, frozenset[str]]
"""Rules that people have set aside, by the delivery they did it for."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What building a source anew came to, or would come to.

    Attributes:
        deliveries: How many were read.
        rows_before: Rows of bronze before.
        rows_after: Rows of bronze after.
        gone: Rows that are not read like this any more.
        new: Rows that are read now and were not before.
        held_before: Rows in quarantine before.
        held_after: Rows in quarantine after.
        refused: Reasons of deliveries that were refused before and cannot be trusted even now.
        version_before: Version of bronze that has the rows as they were.
        version: Version of bronze that was committed; None when nothing was.
    """

    deliveries: int
    rows_before: int
    rows_after: int
    gone: int
    new: int
    held_before: int
    held_after: int
    refused: tuple[str, ...]
    version_before: int
    version: int | None = None


@dataclass(frozen=True, slots=True)
class _Staged:
    """The source as a fresh lake has it."""

    settings: Settings
    receipts: tuple[Receipt, ...]
    refused: tuple[str, ...]


def build_anew(
    settings: Settings,
    contract: SourceContract,
    *,
    decision: Mapping[str, str] | None = None,
    dry_run: bool = False,
) -> Rebuilt:
    """Read all landed bytes of a source under its present contract, in place of its rows.

    Rows that a person has released from a rule stay released. If no row would be read
    differently, nothing is committed.

    Args:
        settings: Says where landing zone and lake are.
        contract: The source.
        decision: Who decided it and why; kept in the commit.
        dry_run: Only count what would differ.

    Raises:
        Busy: Another process is ingesting this source.
        LakeError: Nothing has landed, bytes are missing, bronze has rows of no known delivery, or a
            delivery that had been taken would be refused; nothing was changed.
        LakeConflict: Another writer was first; nothing was changed.
    """
    with exclusive(settings, f"ingest.{contract.id}"):
        accounts.repair(settings, contract.id)
        bronze = tables.bronze(settings, contract.id)
        if not delta.exists(bronze):
            raise LakeError(
                Problem(
                    str(bronze), "nothing has landed", f"Run 'sjostad ingest {contract.id}' first."
                )
            )
        before = delta.version_of(bronze) or 0
        staging = settings.home / "anew" / contract.id
        shutil.rmtree(staging, ignore_errors=True)  # a killed attempt's
        staging.mkdir(parents=True)
        try:
            staged = _stage(settings, contract, staging)
            with connect() as connection:
                connection.execute(f"set temp_directory = {literal(staging / 'spill')}")
                outcome, is_same = _compare(connection, settings, contract.id, staged, before)
                if dry_run or is_same:
                    return outcome
                version = _swap(connection, settings, contract, staged, before, decision or {})
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        accounts.repair(settings, contract.id)
        return replace(outcome, version=version)


def _stage(settings: Settings, contract: SourceContract, staging: Path) -> _Staged:
    """Take every delivery of the source into a fresh lake, in the order they were taken in."""
    bronze = tables.bronze(settings, contract.id)
    year = delta.mark_of(bronze, "daily_from") or settings.daily_from.year
    fresh = replace(settings, home=staging, daily_from=date(year, 1, 1))
    contract = replace(contract, kept_from=delta.mark_of(bronze, KEPT_FROM))
    standing = accounts.standing(settings, contract.id)
    _require_accounted(bronze, sum(line["landed"] for line in standing.values()))
    lines = [*standing.values(), *taken.refused(settings, contract.id, standing)]
    lines = taken.readable(settings, contract.id, lines)
    deliveries = [taken.landed(settings, contract.id, line) for line in lines]
    waived = _waived(bronze)
    receipts: list[Receipt] = []
    refused: list[str] = []
    for group in _groups(deliveries, waived, standing):
        for receipt in _take(fresh, contract, group, waived, staging / "scratch"):
            if receipt.outcome != "refused":
                is_known = receipt.delivery in standing
                receipts.append(replace(receipt, outcome="replayed") if is_known else receipt)
            elif receipt.delivery in standing:
                raise _would_be_lost(contract, receipt)
            else:
                refused.append(str(receipt.reason))
        accounts.repair(fresh, contract.id)  # what is usual for the source is read from it
    if not delta.exists(tables.bronze(fresh, contract.id)):
        raise LakeError(
            Problem(contract.id, "none of its deliveries can be taken", "Mend the contract.")
        )
    return _Staged(fresh, tuple(receipts), tuple(refused))


def _require_accounted(bronze: Path, landed: int) -> None:
    """Stop where bronze holds rows that no delivery is known for: they could not be read again."""
    held = data_files.extent_of(delta.open_table(bronze)).rows
    if held != landed:
        raise LakeError(
            Problem(
                str(bronze),
                f"it holds {held:,} rows where the ledger tells of {landed:,} that have landed",
                "Nothing was changed: rows without a delivery would be lost. Run 'sjostad doctor'.",
            )
        )


def _waived(bronze: Path) -> Waived:
    """What people have released, as the rows that landed by it say."""
    start = len(_RELEASED) + 1
    with connect() as connection:
        rows = connection.execute(
            f"""select _delivery, list(distinct quality_code[{start}:]) from {delta_scan(bronze)}
            where starts_with(quality_code, {literal(_RELEASED)}) group by _delivery"""
        ).fetchall()
    return {delivery: frozenset(rules) for delivery, rules in rows}


def _groups(
    deliveries: Sequence[Landed], waived: Waived, standing: Mapping[str, object]
) -> Iterator[list[Landed]]:
    """Deliveries in groups that make a batch each, in their order; one set of waived rules each.

    Deliveries that were refused stay alone: they may be refused again.
    """
    group: list[Landed] = []
    for one in deliveries:
        is_known = one.sha256 in standing
        is_other = group and waived.get(group[0].sha256) != waived.get(one.sha256)
        is_full = (
            sum(member.size for member in group) >= _BATCH_BYTES or len(group) >= _BATCH_DELIVERIES
        )
        if group and (is_other or is_full or not is_known):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _take(
    fresh: Settings,
    contract: SourceContract,
    group: Sequence[Landed],
    waived: Waived,
    scratch: Path,
) -> Iterator[Receipt]:
    """Take a group; if one of it is refused, each by itself, as an ingest does."""
    rules = waived.get(group[0].sha256)
    again = Again(landed={}, batches=frozenset(), waived=rules) if rules else None
    try:
        scratch.mkdir()
        yield from take(fresh, contract, group, scratch, again).receipts
    except DeliveryRefused as refusal:
        if len(group) == 1:
            only = group[0]
            yield Receipt(only.sha256, only.offer.name, only.size, "refused", reason=str(refusal))
            return
        shutil.rmtree(scratch)
        for one in group:
            yield from _take(fresh, contract, [one], waived, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _would_be_lost(contract: SourceContract, receipt: Receipt) -> LakeError:
    return LakeError(
        Problem(
            str(contract.path),
            f"{receipt.name} has landed and would be refused under this contract: {receipt.reason}",
            "Nothing was changed. Mend the contract so that what was taken can be read.",
        )
    )


def _compare(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    source_id: str,
    staged: _Staged,
    before: int,
) -> tuple[Rebuilt, bool]:
    """Count what differs, and say whether nothing does, in bronze and in quarantine."""
    old = delta_scan(tables.bronze(settings, source_id), before)
    new = delta_scan(tables.bronze(staged.settings, source_id))
    gone, added = _differing(connection, old, new, _CONTENT)
    held: list[str] = []
    for view, where in (("held_before", settings), ("held_after", staged.settings)):
        is_there = quarantine.show_held(connection, where, source_id, view)
        columns = "null::varchar as " + ", null::varchar as ".join(_HELD.split(", "))
        rows = f"select {_HELD} from {view} where rule <> 'delivery_refused'"
        held.append(f"({rows if is_there else f'select {columns} where false'})")
    held_gone, held_new = _differing(connection, held[0], held[1], _HELD)
    outcome = Rebuilt(
        deliveries=len(staged.receipts) + len(staged.refused),
        rows_before=_count(connection, old),
        rows_after=_count(connection, new),
        gone=gone,
        new=added,
        held_before=_count(connection, held[0]),
        held_after=_count(connection, held[1]),
        refused=staged.refused,
        version_before=before,
    )
    return outcome, not gone + added + held_gone + held_new


def _differing(
    connection: duckdb.DuckDBPyConnection, old: str, new: str, columns: str
) -> tuple[int, int]:
    """Rows of one relation that another lacks, and the other way round; equal rows are counted."""
    gone, added = connection.execute(
        f"""select coalesce(sum(greatest(o - n, 0)), 0)::bigint,
            coalesce(sum(greatest(n - o, 0)), 0)::bigint
        from (
            select sum(is_old) as o, sum(1 - is_old) as n
            from (select {columns}, 1 as is_old from {old}
                union all select {columns}, 0 from {new})
            group by {columns})"""
    ).fetchall()[0]
    return gone, added


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    rows: int = connection.execute(f"select count(*) from {relation}").fetchall()[0][0]
    return rows


def _swap(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    staged: _Staged,
    before: int,
    decision: Mapping[str, str],
) -> int:
    """Put the staged rows in the place of those that are there."""
    bronze = tables.bronze(settings, contract.id)
    reached = delta.marks_of(bronze, ["batch", "anew"])
    since = reached.get("batch", 0)
    fresh = tables.bronze(staged.settings, contract.id)
    number = since + delta.mark_of(fresh, "batch")
    identity = _identity(connection, contract, staged, since)
    _quarantine(connection, settings, contract.id, staged, since, identity)
    done = delta.replace_query(
        bronze,
        connection,
        f"select * replace (_batch + {since} as _batch) from {delta_scan(fresh)}",
        tables.TELEMETRY,
        partition_by=["partition_date"],
        since={"batch": since, "anew": reached.get("anew", 0)},
        marks={"batch": number, "anew": reached.get("anew", 0) + 1}
        | {
            delivery_mark(one.delivery): number
            for one in staged.receipts
            if one.outcome != "replayed"
        },
        note={
            "batch": str(number),
            "batch_id": identity,
            "receipts": json.dumps([asdict(r) for r in staged.receipts], ensure_ascii=False),
            "built_anew_from": str(before),
            "contract_digest": contract.digest,
            **decision,
        },
    )
    return done.version


def _identity(
    connection: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    staged: _Staged,
    since: int,
) -> str:
    """The identity of this attempt: of what it replaces and of every row it brings."""
    parts = ["anew", contract.id, contract.digest, str(since)]
    for address, columns in (
        (tables.bronze(staged.settings, contract.id), f"{_CONTENT}, _delivery, _member, _row"),
        (tables.quarantine(staged.settings, contract.id), _HELD),
    ):
        if delta.exists(address):
            rows = f"(select {columns} from {delta_scan(address)}) t"
            parts.append(
                str(
                    connection.execute(
                        f"select count(*), coalesce(sum(hash(t)::hugeint), 0) from {rows}"
                    ).fetchall()
                )
            )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _quarantine(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    source_id: str,
    staged: _Staged,
    since: int,
    identity: str,
) -> None:
    """Add the staged broken rows; they are held once bronze's commit has this identity."""
    fresh = tables.quarantine(staged.settings, source_id)
    if delta.exists(fresh):
        delta.append_query(
            tables.quarantine(settings, source_id),
            connection,
            f"""select * replace ({literal(identity)} as _batch_id, _batch + {since} as _batch)
            from {delta_scan(fresh)}""",
            tables.QUARANTINE,
            marks={f"batch:{identity}": 1},
            description=f"Rows of {source_id} that broke its contract.",
        )
