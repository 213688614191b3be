"""Quarantine as a workplace: which rows are held, why, and what they were.

Quarantine is only ever added to. A row is held while the taking that put it there is the newest
of its delivery; after a replay the rows that are still broken stand there anew. A refused
delivery is held until it has been taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from ingestion import accounts
from lakehouse import delta, tables
from lakehouse.delta import data_files
from lakehouse.duck import connect, literal
from lakehouse.settings import Settings


@dataclass(frozen=True, slots=True)
class Held:
    """Rows of one source that are held for the same reason.

    Attributes:
        source_id: The source.
        rule: The rule they broke.
        channel: Their channel, if the rule is about one.
        rows: How many.
        deliveries: In how many deliveries.
        example: The reason of one of them.
    """

    source_id: str
    rule: str
    channel: str | None
    rows: int
    deliveries: int
    example: str


def summary(settings: Settings, source_id: str) -> tuple[Held, ...]:
    """What a source has in quarantine, the most frequent first."""
    with connect(extensions=()) as connection:
        if not show_held(connection, settings, source_id):
            return ()
        found = connection.execute(
            """select rule, channel, count(*), count(distinct _delivery), min(reason)
            from held group by all order by 3 desc, 1, 2"""
        ).fetchall()
    return tuple(Held(source_id, *row) for row in found)


def rows(
    settings: Settings, source_id: str, *, rule: str | None = None, limit: int | None = None
) -> Sequence[dict[str, Any]]:
    """Held rows with their place, reason and text as delivered, in the order they came."""
    where = f"where rule = {literal(rule)}" if rule else ""
    top = f"limit {limit}" if limit is not None else ""
    with connect(extensions=()) as connection:
        if not show_held(connection, settings, source_id):
            return []
        table = connection.execute(
            f"""select name, _delivery, _member, _row, rule, reason, channel, raw
            from held {where} order by _batch, name, _row, channel {top}"""
        ).to_arrow_table()
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def count(settings: Settings, source_id: str) -> int:
    """How many rows a source has in quarantine; refused deliveries are no rows."""
    with connect(extensions=()) as connection:
        if not show_held(connection, settings, source_id):
            return 0
        query = "select count(*) from held where rule <> 'delivery_refused'"
        held: int = connection.execute(query).fetchall()[0][0]
    return held


def show_held(
    connection: duckdb.DuckDBPyConnection, settings: Settings, source_id: str, view: str = "held"
) -> bool:
    """Make a view of the held rows; false when the source has no quarantine."""
    address = tables.quarantine(settings, source_id)
    if not delta.exists(address):
        return False
    all_rows = data_files.whole(connection, delta.open_table(address))
    if all_rows is None:
        return False
    newest = accounts.standing(settings, source_id, ("batch_id",))
    connection.register(
        f"newest_{view}",
        pa.table(
            {
                "_delivery": pa.array(newest, pa.string()),
                "_batch_id": pa.array([one["batch_id"] for one in newest.values()], pa.string()),
            }
        ),
    )
    connection.execute(
        f"""
        create temp view {view} as
        select * from {all_rows} q
        where (_delivery, _batch_id) in (select (_delivery, _batch_id) from newest_{view})
            or (rule = 'delivery_refused'
                and _delivery not in (select _delivery from newest_{view}))
        """
    )
    return True
