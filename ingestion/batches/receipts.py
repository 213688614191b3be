"""The account of a batch, delivery by delivery."""

from __future__ import annotations

from collections.abc import Sequence

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
        connection: Holds `records`, `judged`, `repeats`, `broken` and `files`.
        contract: The source.
        deliveries: What the batch is made of.
        again: For a replay: rows that the delivery has landed before count as landed, so that
            its receipt stands for all takings of it.
    """
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
    for delivery, finding in frame_counters.findings(connection):
        findings.setdefault(delivery, []).append(finding)
    before = again.landed if again else {}
    return tuple(
        Receipt(
            delivery=delivery.sha256,
            name=delivery.offer.name,
            size=delivery.size,
            outcome="replayed" if again and delivery.sha256 in again.landed else "landed",
            ledger=Ledger(
                records=records.get(delivery.sha256, 0),
                rows_in=offered.get(delivery.sha256, 0),
                landed=sound.get(delivery.sha256, 0)
                - repeated.get(delivery.sha256, 0)
                + before.get(delivery.sha256, 0),
                quarantined=held.get(delivery.sha256, 0),
                duplicates=repeated.get(delivery.sha256, 0)
                + known.get(delivery.sha256, 0)
                - before.get(delivery.sha256, 0),
                filtered=filtered.get(delivery.sha256, {}),
            ),
            findings=tuple(findings.get(delivery.sha256, ())),
            received_at=delivery.offer.received_at.isoformat(),
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
