"""Which rows of a batch are new: compared with each other, with bronze and with quarantine.

A sound row is a duplicate if the batch or bronze already has one with the same content, or the
same reading of the same LoRaWAN uplink, brought by another gateway; the same key with another
value is a correction and lands. A broken row is one if quarantine holds the
same row of another delivery.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from ingestion.batches import uplinks
from ingestion.reading.offered import Lines, lines_of
from lakehouse import delta, tables
from lakehouse.contracts import SourceContract
from lakehouse.delta import data_files
from lakehouse.duck import literal
from lakehouse.settings import Settings

_CONTENT: Final = (
    "device", "channel", "t", "t_end", "value", "text", "quality", "quality_code", "result_time",
)  # fmt: skip
_AT_ONCE: Final = 4_000_000
"""Rows whose hashes are looked at together."""

_SAME_CONTENT: Final = """b.device = s.device and b.channel = s.channel
    and b.phenomenon_time = s.phenomenon_time
    and b.phenomenon_time_end is not distinct from s.phenomenon_time_end
    and b.value is not distinct from s.value and b.text is not distinct from s.text
    and b.quality = s.quality and b.quality_code is not distinct from s.quality_code
    and b.result_time is not distinct from s.result_time"""

_SAME_PLACE: Final = """q._delivery = w._delivery and q._member is not distinct from w._member
    and q._row = w._row"""


def compare(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    batch_id: str,
    given: frozenset[str],
    raw: Callable[[Lines], str] | None = None,
) -> None:
    """Make `repeats(_id)`, the sound rows that are duplicates, `uplink_readings` and `broken`.

    `uplink_readings` has the sound rows of LoRaWAN uplinks. `broken` has every broken row with its
    record as delivered (`raw`) and its `fate`: `quarantined`, or `duplicate` when quarantine has
    had the same row of another delivery. What an attempt of this batch that was cut short has
    quarantined stays as it decided.

    Args:
        connection: Holds `judged`, `counted`, `records` and `files`.
        settings: Says where the lake is.
        contract: The source.
        batch_id: The identity of this batch.
        given: The columns that are not null in every row.
        raw: Makes the query of some records as delivered, if `records` lacks their text.
    """
    connection.execute("create temp table repeats (_id bigint)")
    connection.execute(f"{_UPLINKS} and {'attributes' in given}")
    content = [name for name in _CONTENT if name in given | _ALWAYS]
    _repeats_in_batch(connection, contract, content)
    _repeats_of_bronze(connection, settings, contract)
    _broken(connection, settings, contract, batch_id, raw)


_ALWAYS: Final = frozenset({"device", "channel", "t"})

_UPLINKS: Final = f"""
create temp table uplink_readings as
select _id, _file, _row, device, channel, make_timestamptz(epoch_us(t)) as phenomenon_time,
    value, text, quality, attributes, {uplinks.identity("attributes")} as uplink
from judged where verdict = 'sound' and uplink is not null"""


def _repeats_in_batch(
    connection: duckdb.DuckDBPyConnection, contract: SourceContract, content: Sequence[str]
) -> None:
    """Find the rows that the batch has twice.

    Numbering equal rows costs far more than sorting hashes, so it is done only for rows that share
    theirs with another; some of them may do so by chance.
    """
    listed = ", ".join(content)
    rows, are_known = connection.execute(
        """select coalesce(sum(rows)::bigint, 0), bool_and(are_known)
        from counted where verdict = 'sound'"""
    ).fetchall()[0]
    names = [channel.name for channel in contract.channels]
    # A channel's place is hashed quicker than its name, where each has one of its own.
    by = "place" if are_known and len(names) == len(set(names)) else "channel"
    hashed = f"hash({', '.join(by if name == 'channel' else name for name in content)})"
    parts = rows // _AT_ONCE + 1
    for part in range(parts):
        is_part = f"and {hashed} % {parts} = {part}" if parts > 1 else ""
        hashes = connection.execute(
            f"select {hashed} as hash from judged where verdict = 'sound' {is_part}"
        ).fetchnumpy()["hash"]
        hashes.sort()
        shared = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        if not len(shared):
            continue
        connection.register("shared_hashes", pa.table({"hash": shared}))
        connection.execute(
            f"""insert into repeats
            select _id from (
                select _id, row_number() over (partition by {listed} order by _file, _row) as nth
                from judged where verdict = 'sound' and {hashed} in (from shared_hashes))
            where nth > 1"""
        )
        connection.unregister("shared_hashes")
    connection.execute(
        f"""insert into repeats
        select _id from ({uplinks.repeats("uplink_readings")}) where _id not in (from repeats)"""
    )


def _repeats_of_bronze(
    connection: duckdb.DuckDBPyConnection, settings: Settings, contract: SourceContract
) -> None:
    bronze = tables.bronze(settings, contract.id)
    first, last = connection.execute(
        "select min(first), max(last) from counted where verdict = 'sound'"
    ).fetchall()[0]
    if first is None or not delta.exists(bronze):
        return
    table = delta.open_table(bronze)
    spread = timedelta(seconds=uplinks.SPREAD_S)
    around = data_files.scan(connection, table, "phenomenon_time", first - spread, last + spread)
    has_uplinks = connection.execute("select exists (from uplink_readings)").fetchall()[0][0]
    if around is not None and has_uplinks:
        connection.execute(
            f"""insert into repeats
            select _id from uplink_readings s
            where _id not in (from repeats) and {uplinks.is_known(around)}"""
        )
    known = data_files.scan(connection, table, "phenomenon_time", first, last)
    if known is None:
        return
    connection.execute(
        f"""insert into repeats
        select _id from (
            select _id, device, channel, make_timestamptz(epoch_us(t)) as phenomenon_time,
                make_timestamptz(epoch_us(t_end)) as phenomenon_time_end, value, text, quality,
                quality_code, make_timestamptz(epoch_us(result_time)) as result_time
            from judged where verdict = 'sound' and _id not in (from repeats)) s
        where exists (
            select 1 from {known} b
            where b.phenomenon_time between $first and $last and {_SAME_CONTENT})""",
        {"first": first, "last": last},
    )


def _broken(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    batch_id: str,
    raw: Callable[[Lines], str] | None,
) -> None:
    if not connection.execute(_HAS_BROKEN).fetchall()[0][0]:
        connection.execute(_NOTHING_BROKEN)
        return
    connection.execute(
        """
        create temp table failures as
        select _file, _row, channel, rule, reason from judged where verdict = 'broken'
        """
    )
    records = f"({raw(lines_of(connection, 'failures'))})" if raw else "records"
    connection.execute(
        f"""
        create temp table broken as
        with told as (
            select f.*, r._raw as raw, s._delivery, s._member, s.name, s.received_at,
                row_number() over (
                    partition by f.channel, f.rule, r._raw order by f._file, f._row) as occurrence
            from failures f join {records} r using (_file, _row) join files s using (_file)
        )
        select w.*,
            case when {_is_repeat(connection, settings, contract, batch_id)} then 'duplicate'
                else 'quarantined' end as fate
        from told w
        """
    )


_HAS_BROKEN: Final = "select exists (from counted where verdict = 'broken')"
_NOTHING_BROKEN: Final = """
create temp table broken (
    _file integer, _row bigint, channel varchar, _delivery varchar, _member varchar, fate varchar)
"""


def _is_repeat(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    batch_id: str,
) -> str:
    """SQL: whether quarantine need not take the row `w`."""
    quarantine = tables.quarantine(settings, contract.id)
    if not delta.exists(quarantine):
        return "occurrence > 1"
    held = data_files.whole(connection, delta.open_table(quarantine))
    if held is None:
        return "occurrence > 1"
    if delta.mark_of(quarantine, f"batch:{batch_id}"):
        return f"not exists ({_in_quarantine(held, _SAME_PLACE, batch_id)})"
    return f"occurrence > 1 or exists ({_in_quarantine(held, 'q._delivery <> w._delivery')})"


def _in_quarantine(held: str, where: str, batch_id: str | None = None) -> str:
    attempt = f"and q._batch_id = {literal(batch_id)}" if batch_id else ""
    return f"""select 1 from {held} q
        where q.raw is not distinct from w.raw and q.rule = w.rule
            and q.channel is not distinct from w.channel and {where} {attempt}"""
