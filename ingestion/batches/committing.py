"""The commit of a batch.

It is one commit of the source's bronze table. It carries a mark for every delivery, the number
of the batch, the cursor of a pull source and the ledger, so that rows and the knowledge that they
were taken can never disagree. Broken rows are committed to quarantine before that; their mark is
the batch's identity, so a repeated attempt adds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from ingestion.batches import rules
from ingestion.deliveries import Again, Landed, delivery_mark
from lakehouse import delta, tables
from lakehouse.contracts import SourceContract
from lakehouse.duck import literal
from lakehouse.ledger import Ledger, Receipt
from lakehouse.settings import Settings


def commit(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    deliveries: Sequence[Landed],
    receipts: Sequence[Receipt],
    given: frozenset[str],
    identity: str,
    again: Again | None = None,
) -> int | None:
    """Commit the broken rows to quarantine, then the batch to bronze.

    Args:
        connection: Holds `judged`, `repeats`, `broken` and `files`.
        settings: Says where the lake is.
        contract: The source.
        deliveries: What the batch is made of.
        receipts: Their account.
        given: The columns that are not null in every row.
        identity: Of this attempt; quarantine takes its rows once.
        again: For a replay: who decided it, and why.

    Returns:
        The version of bronze; None when a pull's overlap brought nothing new.

    Raises:
        LakeConflict: Another writer was first.
    """
    total = sum((receipt.ledger for receipt in receipts), Ledger())
    if all(d.offer.is_pulled for d in deliveries) and not total.landed + total.quarantined:
        return None  # the overlap of a pull brought nothing new; there is nothing to remember
    bronze = tables.bronze(settings, contract.id)
    number = delta.mark_of(bronze, "batch") + 1
    landed_at = f"timestamptz '{datetime.now(UTC).isoformat()}'"
    if total.quarantined:
        delta.append(
            tables.quarantine(settings, contract.id),
            _rows(
                connection,
                f"""select reason, rule, channel, raw, name, {literal(identity)} as _batch_id,
                    {number}::bigint as _batch, _delivery::varchar as _delivery, _member, _row,
                    make_timestamptz(epoch_us(received_at)) as _received_at,
                    {landed_at} as _landed_at
                from broken where fate = 'quarantined' order by _file, _row""",
                tables.QUARANTINE,
            ),
            tables.QUARANTINE,
            marks={f"batch:{identity}": 1},
            description=f"Rows of {contract.id} that broke its contract.",
        )
    daily_from = delta.mark_of(bronze, "daily_from") or settings.daily_from.year
    done = delta.append_query(
        bronze,
        connection,
        _landing(connection, contract, given, number, landed_at, daily_from),
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
            **(again.decision if again else {}),
        },
        description=f"{contract.name}: rows as delivered.",
    )
    return done.version


_INSTANTS = {"t_end": "phenomenon_time_end", "result_time": "result_time"}


def _landing(
    connection: duckdb.DuckDBPyConnection,
    contract: SourceContract,
    given: frozenset[str],
    number: int,
    landed_at: str,
    daily_from: int,
) -> str:
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
    is_new = "_id not in (from repeats)"
    if not connection.execute("select exists (from repeats)").fetchall()[0][0]:
        is_new = "true"  # an empty list would still be asked for each row
    return f"""
        select device, {_named(connection, contract)},
            make_timestamptz(epoch_us(t)) as phenomenon_time,
            {", ".join(optional)}, {number}::bigint as _batch, _delivery, _member, _row,
            make_timestamptz(epoch_us(received_at)) as _received_at, {landed_at} as _landed_at,
            case when year({day}) >= {daily_from} then {day}
                else make_date(year({day}), 1, 1) end as partition_date
        from {_with_files(connection)} where verdict = 'sound' and {is_new}"""


def _with_files(connection: duckdb.DuckDBPyConnection) -> str:
    """SQL of the judged rows with what is known of their file; a constant if there is one."""
    files = connection.execute(
        "select _delivery, _member, received_at from files limit 2"
    ).fetchall()
    if len(files) > 1:
        return "judged join files using (_file)"
    ((delivery, member, received_at),) = files
    return f"""(select *, {literal(delivery)}::delivery as _delivery,
        {"null" if member is None else literal(member)}::varchar as _member,
        timestamp {literal(received_at)} as received_at from judged)"""


def _named(connection: duckdb.DuckDBPyConnection, contract: SourceContract) -> str:
    """SQL of the columns `channel` and `unit`.

    If the contract names the channel of every sound row they are ENUMs, which are written to
    Parquet without a look at each text.
    """
    known = "select bool_and(is_known) from judged where verdict = 'sound'"
    if not connection.execute(known).fetchall()[0][0]:
        return "channel, unit"
    for name, words in (
        ("name", {channel.name for channel in contract.channels}),
        ("unit", {channel.unit for channel in contract.channels if channel.unit}),
    ):
        listed = ", ".join(literal(word) for word in sorted(words))
        connection.execute(
            f"""create type channel_{name} as enum ({listed});
            set variable written_{name} = getvariable('channel_{name}')::channel_{name}[]"""
        )
    return """getvariable('written_name')[place] as channel,
            getvariable('written_unit')[place] as unit"""


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema
) -> pa.RecordBatchReader:
    """The rows of a query, streamed in exactly this schema; a lossy cast is an error."""
    reader = connection.execute(query).to_arrow_reader(100_000)
    return pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in reader))
