"""Opening a DuckDB that reads Delta tables: the extension's signature checked once, or each time.

Run: python -m benchmarks.connections
"""

from __future__ import annotations

import duckdb

from benchmarks.rounds import compare
from lakehouse.duck import connect, extension

TIMES = 10


def checked_each_time() -> None:
    """As DuckDB does it by itself."""
    path = str(extension("delta"))
    for _ in range(TIMES):
        with duckdb.connect() as connection:
            connection.load_extension(path)


def checked_once() -> None:
    """As the lake does it."""
    for _ in range(TIMES):
        connect().close()


if __name__ == "__main__":
    size = extension("delta").stat().st_size / 1e6
    print(f"{TIMES} connections; the delta extension has {size:.0f} MB")
    compare({"signature checked each time": checked_each_time, "once a process": checked_once})
