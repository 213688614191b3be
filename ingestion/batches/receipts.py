"""The account of a batch, delivery by delivery."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from ingestion.batches import frame_counters
from ingestion.deliveries import Again, Landed
from lakehouse.contracts import SourceContract
from lakehouse.ledger import Ledger, Receipt


def of(
    connection: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    deliveries: Sequence[Landed],
    again: Again | None = None,
) -> tuple[Receipt, ...]:
    """Count every delivery's rows: offered by the reader, and by what has become of each.

    Args:
        connection: Holds `records_of_files`, `judged`, `counted`, `repeats`, `broken` and `files`.
        contract: The source.
        deliveries: What the batch is made of.
        again: For a replay: rows that the delivery has landed before count as landed, so that
            its receipt stands for all takings of it.
    """
    records = _sums(connection, "records_of_files")
    judged = _count_judged(connection)
    repeated = (
        _count(connection, "judged", "_id in (from repeats)") if _has_repeats(connection) else {}
    )
    held = _count(connection, "broken", "fate = 'quarantined'")
    known = _count(connection, "broken", "fate = 'duplicate'")
    findings = _findings(connection, contract)
    for delivery, finding in frame_counters.findings(connection):
        findings.setdefault(delivery, []).append(finding)
    before = again.landed if again else {}
    nothing = _Judged()
    return tuple(
        Receipt(
            delivery=delivery.sha256,
            name=delivery.offer.name,
            size=delivery.size,
            outcome="replayed" if again and delivery.sha256 in again.landed else "landed",
            ledger=Ledger(
                records=records.get(delivery.sha256, 0),
                rows_in=judged.get(delivery.sha256, nothing).rows,
                landed=judged.get(delivery.sha256, nothing).sound
                - repeated.get(delivery.sha256, 0)
                + before.get(delivery.sha256, 0),
                quarantined=held.get(delivery.sha256, 0),
                duplicates=repeated.get(delivery.sha256, 0)
                + known.get(delivery.sha256, 0)
                - before.get(delivery.sha256, 0),
                filtered=judged.get(delivery.sha256, nothing).filtered,
            ),
            findings=tuple(findings.get(delivery.sha256, ())),
            received_at=delivery.offer.received_at.isoformat(),
        )
        for delivery in deliveries
    )


def _count(connection: duckdb.DuckDBPyConnection, table: str, condition: str) -> dict[str, int]:
    """Rows of a table that fulfil a condition, by delivery."""
    counted = f"select _file, count(*) as rows from {table} where {condition} group by _file"
    return _sums(connection, f"({counted})")


def _sums(connection: duckdb.DuckDBPyConnection, counted: str) -> dict[str, int]:
    """Rows by delivery, where those of each file have been counted."""
    rows = connection.execute(
        f"""select _delivery::varchar, sum(rows)::bigint
        from files join {counted} using (_file) group by _delivery"""
    )
    return dict(rows.fetchall())


def _has_repeats(connection: duckdb.DuckDBPyConnection) -> bool:
    return bool(connection.execute("select exists (from repeats)").fetchall()[0][0])


@dataclass(slots=True)
class _Judged:
    rows: int = 0
    sound: int = 0
    filtered: dict[str, int] = field(default_factory=dict)


def _count_judged(connection: duckdb.DuckDBPyConnection) -> dict[str, _Judged]:
    """Rows by delivery and verdict, and those that are left out by rule."""
    found: defaultdict[str, _Judged] = defaultdict(_Judged)
    for delivery, verdict, rows in connection.execute(
        """select _delivery::varchar, verdict::varchar, sum(rows)::bigint
        from files join counted using (_file) group by all"""
    ).fetchall():
        found[delivery].rows += rows
        if verdict == "sound":
            found[delivery].sound += rows
    if any(one.rows > one.sound for one in found.values()):
        for delivery, rule, rows in connection.execute(
            """select _delivery::varchar, rule, count(*) from judged join files using (_file)
            where verdict = 'filtered' group by all order by rule"""
        ).fetchall():
            found[delivery].filtered[rule] = rows
    return found


def _findings(
    connection: duckdb.DuckDBPyConnection, contract: SourceContract
) -> dict[str, list[str]]:
    """What no rule forbids but somebody should look at, by delivery."""
    found: dict[str, list[str]] = {}
    named = [column.delivered_as for column in contract.columns]
    unknown = connection.execute(
        """select _delivery::varchar, channel, count(*) from judged join files using (_file)
        where verdict = 'sound' and not is_known and not list_contains($1, channel)
        group by all order by all""",
        [named],
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
