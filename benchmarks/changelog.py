"""Comparing two releases of a product: seconds and peak memory by their rows.

Hourly rows of 200 stations; one row in a thousand is gone from the second release, one in five
hundred has another value. Run: python -m benchmarks.changelog [rows …]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from lakehouse import duck
from lakehouse.contracts.product import Text
from publishing.making.comparison import Side, compare
from publishing.releases.manifest import Column

_STATIONS = 200
_LABEL = Text(sv="Kolumn", en="Column")
_COLUMNS = tuple(
    Column(name, kind, _LABEL, "", None, None, is_key)
    for name, kind, is_key in (
        ("station_id", "string", True),
        ("hour_start", "timestamp", True),
        ("value", "number", False),
        ("station_name", "string", False),
    )
)


def main() -> None:
    """Compare two releases of each size."""
    for rows in [int(text) for text in sys.argv[1:]] or [1_000_000, 10_000_000]:
        with tempfile.TemporaryDirectory() as folder:
            old, new = Path(folder, "old.parquet"), Path(folder, "new.parquet")
            _write(old, rows, "true", "0")
            _write(new, rows, "i % 1000 <> 7", "case when i % 500 = 3 then 1 else 0 end")
            start = time.perf_counter()
            before, after = (Side(path, _COLUMNS, "hour_start") for path in (old, new))
            _, days = compare(before, after, Path(folder, "spill"))
            seconds = time.perf_counter() - start
        changed, removed = sum(day.changed for day in days), sum(day.removed for day in days)
        if (changed, removed) != (rows // 500, rows // 1000):
            raise SystemExit(f"counted {changed} changed and {removed} removed rows")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{rows:>12,} rows, {len(days):,} days: {seconds:6.1f} s, peak {peak:,} MB so far")


def _write(path: Path, rows: int, where: str, extra: str) -> None:
    with duck.connect(extensions=()) as connection:
        connection.execute(
            f"""copy (
                select 'station-' || (i % {_STATIONS}) as station_id,
                    timestamptz '2020-01-01 00:00:00+00' + to_hours((i // {_STATIONS})::integer)
                        as hour_start,
                    sin(i) + {extra} as value, 'Name of ' || (i % {_STATIONS}) as station_name
                from range({rows}) r(i) where {where}
            ) to {duck.literal(path)} (format parquet)"""
        )


if __name__ == "__main__":
    main()
