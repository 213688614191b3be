"""One batch: deliveries read together, judged, compared with what is known, and committed.

A batch is one commit of the source's bronze table. It carries a mark for every delivery, the
number of the batch, the cursor of a pull source and the ledger, so that rows and the knowledge
that they were taken can never disagree. Broken rows are committed to quarantine before that;
their mark is the batch's identity, so a repeated attempt adds nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from ingestion import novelty, rules
from ingestion.archives import unpack
from ingestion.deliveries import Landed, Member, delivery_mark
from ingestion.formats import FORMATS
from ingestion.offered import show
from lakehouse import delta, tables
from lakehouse.contracts import SourceContract
from lakehouse.duck import connect
from lakehouse.ledger import Ledger, Receipt, require_balance
from lakehouse.settings import Settings


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
    settings: Settings, contract: SourceContract, deliveries: Sequence[Landed], scratch: Path
) -> Batch:
    """Read, judge and commit deliveries as one batch.

    Args:
        settings: Says where the lake is.
        contract: The source.
        deliveries: Landed deliveries, none of them taken before.
        scratch: Empty folder for unpacked files.

    Raises:
        DeliveryRefused: One of the deliveries cannot be trusted; nothing was committed.
        LakeConflict: Another writer was first; nothing was committed.
    """
    members = _members(deliveries, scratch)
    connection = connect(delta=False)
    try:
        connection.execute(f"set temp_directory = '{scratch}'")
        _show_files(connection, members)
        reading = FORMATS[contract.delivery.format].read(connection, members, contract)
        given = show(connection, reading)
        rules.judge(connection, settings, contract, given, may_be_silent=reading.may_be_silent)
        novelty.compare(connection, settings, contract, reading.raw)
        receipts = _receipts(connection, contract, deliveries)
        for receipt in receipts:
            require_balance(contract.id, receipt)
        version = _commit(connection, settings, contract, deliveries, receipts, given)
        return Batch(receipts, version)
    finally:
        connection.close()


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


def _receipts(
    connection: duckdb.DuckDBPyConnection, contract: SourceContract, deliveries: Sequence[Landed]
) -> tuple[Receipt, ...]:
    """Count every delivery's rows: offered from the reader's table, fates from the last one."""
    records, offered = _count(connection, "records"), _count(connection, "judged")
    sound = _count(connection, "judged", "verdict = 'sound'")
    repeated = _count(connection, "judged", "_id in (from repeats)")
    held = _count(connection, "broken", "fate = 'quarantined'")
    known = _count(connection, "broken", "fate = 'duplicate'")
    filtered: dict[str, dict[str, int]] = {}
    for delivery, rule, rows in connection.execute(
        """select _delivery, rule, count(*) from judged join files using (_file)
        where verdict = 'filtered' group by all order by rule"""
    ).fetchall():
        filtered.setdefault(delivery, {})[rule] = rows
    findings = _findings(connection, contract)
    return tuple(
        Receipt(
            delivery=delivery.sha256,
            name=delivery.offer.name,
            size=delivery.size,
            outcome="landed",
            ledger=Ledger(
                records=records.get(delivery.sha256, 0),
                rows_in=offered.get(delivery.sha256, 0),
                landed=sound.get(delivery.sha256, 0) - repeated.get(delivery.sha256, 0),
                quarantined=held.get(delivery.sha256, 0),
                duplicates=repeated.get(delivery.sha256, 0) + known.get(delivery.sha256, 0),
                filtered=filtered.get(delivery.sha256, {}),
            ),
            findings=tuple(findings.get(delivery.sha256, ())),
        )
        for delivery in deliveries
    )


def _count(
    connection: duckdb.DuckDBPyConnection, table: str, condition: str = "true"
) -> dict[str, int]:
    """Rows of a table that fulfil a condition, by delivery."""
    rows = connection.execute(
        f"""select _delivery::varchar, sum(rows)::bigint from files join (
            select _file, count(*) as rows from {table} where {condition} group by _file
        ) using (_file) group by _delivery"""
    )
    return dict(rows.fetchall())


def _findings(
    connection: duckdb.DuckDBPyConnection, contract: SourceContract
) -> dict[str, list[str]]:
    """What no rule forbids but somebody should look at, by delivery."""
    found: dict[str, list[str]] = {}
    unknown = connection.execute(
        """select _delivery, channel, count(*) from judged join files using (_file)
        where verdict = 'sound' and not is_known group by all order by all"""
    ).fetchall()
    for delivery, channel, rows in unknown:
        found.setdefault(delivery, []).append(
            f"channel '{channel}' is not in the contract ({rows} rows)"
        )
    if contract.things:
        connection.register(
            "known_devices", pa.table({"device": [thing.device for thing in contract.things]})
        )
        strangers = connection.execute(
            """select _delivery, device, count(*) from judged join files using (_file)
            where verdict = 'sound' and device not in (select device from known_devices)
            group by all order by all"""
        ).fetchall()
        for delivery, device, rows in strangers:
            found.setdefault(delivery, []).append(
                f"device '{device}' is not in the contract ({rows} rows)"
            )
    return found


_PENDING = "fate = 'quarantined' and not is_held"


def _commit(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    deliveries: Sequence[Landed],
    receipts: Sequence[Receipt],
    given: frozenset[str],
) -> int | None:
    total = sum((receipt.ledger for receipt in receipts), Ledger())
    if all(d.offer.is_pulled for d in deliveries) and not total.landed + total.quarantined:
        return None  # the overlap of a pull brought nothing new; there is nothing to remember
    bronze = tables.bronze(settings, contract.id)
    number = delta.mark_of(bronze, "batch") + 1
    identity = batch_id(contract.id, [delivery.sha256 for delivery in deliveries])
    landed_at = f"timestamptz '{datetime.now(UTC).isoformat()}'"
    if connection.execute(f"select exists (from broken where {_PENDING})").fetchall()[0][0]:
        delta.append(
            tables.quarantine(settings, contract.id),
            _rows(
                connection,
                f"""select reason, rule, channel, raw, name, {number}::bigint as _batch,
                    _delivery::varchar as _delivery, _member, _row, {landed_at} as _landed_at
                from broken where {_PENDING} order by _file, _row""",
                tables.QUARANTINE,
            ),
            tables.QUARANTINE,
            # Under another contract other rows may be broken: that is another attempt.
            marks={f"batch:{identity}:{contract.digest}": 1},
            description=f"Rows of {contract.id} that broke its contract.",
        )
    daily_from = delta.mark_of(bronze, "daily_from") or settings.daily_from.year
    commit = delta.append_query(
        bronze,
        connection,
        _landing(given, number, landed_at, daily_from),
        tables.TELEMETRY,
        partition_by=["partition_date"],
        marks={"batch": number}
        | ({"daily_from": daily_from} if number == 1 else {})
        | {delivery_mark(delivery.sha256): number for delivery in deliveries}
        | {name: value for d in deliveries for name, value in d.offer.marks.items()},
        note={
            "batch": str(number),
            "batch_id": identity,
            "receipts": json.dumps([asdict(r) for r in receipts], ensure_ascii=False),
        },
        description=f"{contract.name}: rows as delivered.",
    )
    return commit.version


_INSTANTS = {"t_end": "phenomenon_time_end", "result_time": "result_time"}


def _landing(given: frozenset[str], number: int, landed_at: str, daily_from: int) -> str:
    """The query of the rows that land. Columns that no row has are left to be null."""
    optional = []
    for name in rules.OPTIONAL:
        if name in _INSTANTS and name in given:
            optional.append(f"make_timestamptz(epoch_us({name})) as {_INSTANTS[name]}")
        elif name == "quality":
            optional.append("quality::quality as quality")
        elif name in given:
            optional.append(name)
    day = "t::date"
    return f"""
        select device, channel, make_timestamptz(epoch_us(t)) as phenomenon_time,
            {", ".join(optional)}, unit, {number}::bigint as _batch, _delivery, _member, _row,
            {landed_at} as _landed_at,
            case when year({day}) >= {daily_from} then {day}
                else make_date(year({day}), 1, 1) end as partition_date
        from judged join files using (_file)
        where verdict = 'sound' and _id not in (from repeats)"""


def batch_id(source_id: str, deliveries: Sequence[str]) -> str:
    """The identity of a batch: sha-256 over its source and its deliveries, never the clock."""
    return hashlib.sha256("\n".join([source_id, *sorted(deliveries)]).encode()).hexdigest()


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema
) -> pa.RecordBatchReader:
    """The rows of a query, streamed in exactly this schema; a lossy cast is an error."""
    reader = connection.execute(query).to_arrow_reader(100_000)
    return pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in reader))
