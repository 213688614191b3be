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

from ingestion import frame_counters, rules, uplinks
from ingestion.archives import unpack
from ingestion.deliveries import Landed, Member, delivery_mark
from ingestion.formats import FORMATS
from ingestion.offered import show
from lakehouse import delta, tables
from lakehouse.contracts import SourceContract
from lakehouse.duck import connect, delta_scan
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
    connection = connect()
    try:
        connection.execute(f"set temp_directory = '{scratch}'")
        connection.register("files", _files(members))
        show(connection, FORMATS[contract.delivery.format].read(connection, members, contract))
        rules.judge(connection, settings, contract)
        _compare(connection, settings, contract)
        receipts = _receipts(connection, contract, deliveries)
        for receipt in receipts:
            require_balance(contract.id, receipt)
        return Batch(receipts, _commit(connection, settings, contract, deliveries, receipts))
    finally:
        connection.close()


def _members(deliveries: Sequence[Landed], scratch: Path) -> list[Member]:
    members: list[Member] = []
    for delivery in deliveries:
        for name, path in unpack(delivery, scratch / delivery.sha256[:16]):
            members.append(Member(len(members), delivery, name, path))
    return members


def _files(members: Sequence[Member]) -> pa.Table:
    return pa.table(
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


_SAME_CONTENT = """b.device = s.device and b.channel = s.channel
    and b.phenomenon_time = s.phenomenon_time
    and b.phenomenon_time_end is not distinct from s.phenomenon_time_end
    and b.value is not distinct from s.value and b.text is not distinct from s.text
    and b.quality = s.quality and b.quality_code is not distinct from s.quality_code
    and b.result_time is not distinct from s.result_time"""


def _compare(
    connection: duckdb.DuckDBPyConnection, settings: Settings, contract: SourceContract
) -> None:
    """Make `settled`: every judged row with its fate.

    A fate is `landed`, `quarantined`, `duplicate` or `filtered`. A sound row is a duplicate if
    the batch or bronze already has one with the same content, or the same reading of the same
    LoRaWAN uplink, brought by another gateway; the same key with another value is a correction
    and lands. A broken row is one if quarantine holds the same row of another
    delivery; of this delivery, an attempt that was cut short has left it there (`is_held`).
    """
    connection.execute(
        f"""
        create or replace temp table sound as
        select _file, _row, device, channel, timezone('UTC', t) as phenomenon_time,
            timezone('UTC', t_end) as phenomenon_time_end, value, text, unit, quality,
            quality_code, timezone('UTC', result_time) as result_time, longitude, latitude,
            attributes, is_known, {uplinks.identity("attributes")} as uplink,
            row_number() over (
                partition by device, channel, t, t_end, value, text, quality, quality_code,
                    result_time
                order by _file, _row) as occurrence
        from judged where verdict = 'sound';

        create or replace temp table broken as
        select j._file, j._row, j.channel, j.rule, j.reason, r._raw as raw, f._delivery, f._member,
            row_number() over (
                partition by j.channel, j.rule, r._raw order by j._file, j._row) as occurrence
        from judged j join records r using (_file, _row) join files f using (_file)
        where verdict = 'broken';
        """
    )
    connection.execute(
        f"""
        create or replace temp table landing as
        select s.*, case when occurrence > 1 or {_is_known(connection, settings, contract)}
                or s.rowid in ({uplinks.repeats("sound")})
            then 'duplicate' else 'landed' end as fate
        from sound s;

        create or replace temp table quarantining as
        select w.* exclude (_delivery, _member),
            case when occurrence > 1 or {_is_held(settings, contract, "q._delivery <> w._delivery")}
            then 'duplicate' else 'quarantined' end as fate,
            {_is_held(settings, contract, _SAME_PLACE)} as is_held
        from broken w;

        create or replace temp table settled as
        select _file, fate, null::varchar as rule from landing
        union all select _file, fate, null from quarantining
        union all select _file, verdict, rule from judged where verdict = 'filtered'
        """
    )


def _is_known(
    connection: duckdb.DuckDBPyConnection, settings: Settings, contract: SourceContract
) -> str:
    """SQL: whether bronze has a row with the content of `s`."""
    bronze = tables.bronze(settings, contract.id)
    first, last, has_uplinks = connection.execute(
        """select min(phenomenon_time)::varchar, max(phenomenon_time)::varchar, count(uplink) > 0
        from sound"""
    ).fetchall()[0]
    if first is None or not delta.exists(bronze):
        return "false"
    of_uplink = f" or {uplinks.is_known(delta_scan(bronze), first, last)}" if has_uplinks else ""
    # Delta statistics cut times to milliseconds, so the range is widened by one.
    return f"""exists (
        select 1 from {delta_scan(bronze)} b
        where b.phenomenon_time >= timestamptz '{first}' - interval 1 millisecond
            and b.phenomenon_time <= timestamptz '{last}' + interval 1 millisecond
            and {_SAME_CONTENT}){of_uplink}"""


_SAME_PLACE = """q._delivery = w._delivery and q._member is not distinct from w._member
    and q._row = w._row"""


def _is_held(settings: Settings, contract: SourceContract, where: str) -> str:
    """SQL: whether quarantine has the row `w`, in a place that fulfils `where`."""
    quarantine = tables.quarantine(settings, contract.id)
    if not delta.exists(quarantine):
        return "false"
    return f"""exists (
        select 1 from {delta_scan(quarantine)} q
        where q.raw = w.raw and q.rule = w.rule and q.channel is not distinct from w.channel
            and {where})"""


def _receipts(
    connection: duckdb.DuckDBPyConnection, contract: SourceContract, deliveries: Sequence[Landed]
) -> tuple[Receipt, ...]:
    """Count every delivery's rows: offered from the reader's table, fates from the last one."""
    records, offered = _count(connection, "records"), _count(connection, "judged")
    fates = {
        fate: _count(connection, "settled", f"fate = '{fate}'")
        for fate in ("landed", "quarantined", "duplicate")
    }
    filtered: dict[str, dict[str, int]] = {}
    for delivery, rule, rows in connection.execute(
        """select _delivery, rule, count(*) from settled join files using (_file)
        where fate = 'filtered' group by all order by rule"""
    ).fetchall():
        filtered.setdefault(delivery, {})[rule] = rows
    findings = _findings(connection, contract)
    for delivery, finding in frame_counters.findings(connection):
        findings.setdefault(delivery, []).append(finding)
    return tuple(
        Receipt(
            delivery=delivery.sha256,
            name=delivery.offer.name,
            size=delivery.size,
            outcome="landed",
            ledger=Ledger(
                records=records.get(delivery.sha256, 0),
                rows_in=offered.get(delivery.sha256, 0),
                landed=fates["landed"].get(delivery.sha256, 0),
                quarantined=fates["quarantined"].get(delivery.sha256, 0),
                duplicates=fates["duplicate"].get(delivery.sha256, 0),
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
        f"""select _delivery, count(*) from {table} join files using (_file)
        where {condition} group by _delivery"""
    )
    return dict(rows.fetchall())


def _findings(
    connection: duckdb.DuckDBPyConnection, contract: SourceContract
) -> dict[str, list[str]]:
    """What no rule forbids but somebody should look at, by delivery."""
    found: dict[str, list[str]] = {}
    unknown = connection.execute(
        """select _delivery, channel, count(*) from landing join files using (_file)
        where not is_known group by all order by all"""
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
            """select _delivery, device, count(*) from landing join files using (_file)
            where device not in (select device from known_devices) group by all order by all"""
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
) -> int | None:
    total = sum((receipt.ledger for receipt in receipts), Ledger())
    if all(d.offer.is_pulled for d in deliveries) and not total.landed + total.quarantined:
        return None  # the overlap of a pull brought nothing new; there is nothing to remember
    bronze = tables.bronze(settings, contract.id)
    number = delta.mark_of(bronze, "batch") + 1
    identity = batch_id(contract.id, [delivery.sha256 for delivery in deliveries])
    technical = f"""{number}::bigint as _batch, _delivery, _member, _row,
        timestamptz '{datetime.now(UTC).isoformat()}' as _landed_at"""
    if connection.execute(f"select exists (from quarantining where {_PENDING})").fetchall()[0][0]:
        delta.append(
            tables.quarantine(settings, contract.id),
            _rows(
                connection,
                f"""select reason, rule, channel, raw, name, {technical}
                from quarantining join files using (_file)
                where {_PENDING} order by _file, _row""",
                tables.QUARANTINE,
            ),
            tables.QUARANTINE,
            # Under another contract other rows may be broken: that is another attempt.
            marks={f"batch:{identity}:{contract.digest}": 1},
            description=f"Rows of {contract.id} that broke its contract.",
        )
    commit = delta.append(
        bronze,
        _rows(
            connection,
            f"""select device, channel, phenomenon_time, phenomenon_time_end, value, text, unit,
                quality, quality_code, result_time, longitude, latitude, attributes, {technical}
            from landing join files using (_file) where fate = 'landed' order by _file, _row""",
            tables.TELEMETRY,
        ),
        tables.TELEMETRY,
        marks={"batch": number}
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


def batch_id(source_id: str, deliveries: Sequence[str]) -> str:
    """The identity of a batch: sha-256 over its source and its deliveries, never the clock."""
    return hashlib.sha256("\n".join([source_id, *sorted(deliveries)]).encode()).hexdigest()


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema
) -> pa.RecordBatchReader:
    """The rows of a query, streamed in exactly this schema; a lossy cast is an error."""
    reader = connection.execute(query).to_arrow_reader(100_000)
    return pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in reader))
