"""A table of many small files, as a source that delivers often leaves it, and its compaction."""

from __future__ import annotations

from pathlib import Path

from lakehouse import delta, tables
from lakehouse.delta import compaction
from lakehouse.duck import connect

MANY = 12


def land(address: Path, batch: int, day: str = "2026-03-01", rows: int = 3) -> None:
    """A commit of bronze as the ingestion makes it: a time with microseconds, columns left out."""
    with connect(extensions=()) as connection:
        delta.append_query(
            address,
            connection,
            f"""select 'd' || i as device, 'c' as channel,
                timestamptz '{day} 10:00:00.123457+00' + to_minutes({batch}) as phenomenon_time,
                case when i > 1 then {batch} / 7.0 end as value, 'å\u2028"' as text,
                'good' as quality, {batch}::bigint as _batch, 'x{batch}' as _delivery,
                i as _row, timestamptz '{day} 12:00:00+00' as _received_at,
                timestamptz '{day} 12:00:00+00' as _landed_at, date '{day}' as partition_date
            from range({rows}) t(i)""",
            tables.TELEMETRY,
            partition_by=["partition_date"],
            marks={"batch": batch, f"delivery:{batch}": batch},
            note={"batch": str(batch)},
        )


def rows_of(address: Path) -> list[str]:
    return sorted(map(repr, delta.open_table(address).to_pyarrow_table().to_pylist()))


def compact(address: Path) -> list[compaction.Bundle]:
    bundles = compaction.plan(delta.open_table(address))
    for some in compaction.commits(bundles):
        compaction.compact(address, some)
    return bundles
