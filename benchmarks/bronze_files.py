"""What the columns of bronze cost as Parquet, and equal rows to find (docs/decisions/0008).

Run: python -m benchmarks.bronze_files
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import duckdb

from benchmarks import observations
from benchmarks.rounds import compare

ROWS = 1_000_000
_TEXT = f"'{'0' * 64}'"
_BASE = """sensor as device, property as channel, ts::timestamp as phenomenon_time, value,
    value + 1 as longitude, value + 2 as latitude, i as _row, i % 60 as minute"""
_PLAIN = "* exclude (as_text, as_enum)"
_NULLS = ", ".join(f"null::varchar as absent_{number}" for number in range(8))
_CONTENT = "device, channel, phenomenon_time, value"


def write(connection: duckdb.DuckDBPyConnection, folder: Path, columns: str) -> None:
    """Write rows as bronze's files are written."""
    connection.execute(
        f"""copy (select {columns} from readings) to '{folder / "part.parquet"}'
        (format parquet, compression zstd, parquet_version 'V2', return_stats)"""
    )


def ask(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Run a query over all rows."""
    connection.execute(query).fetchall()


def main() -> None:
    """Write the rows with more and more columns, and look for equal ones in two ways."""
    with tempfile.TemporaryDirectory() as name, duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(f"create type delivery as enum ({_TEXT})")
        connection.execute(
            f"""create table readings as
            select {_BASE}, {_TEXT} as as_text, {_TEXT}::delivery as as_enum
            from (select *, row_number() over () as i from ({observations.rows(ROWS)}))"""
        )
        kinds = {
            "8 columns": _PLAIN,
            "and 8 that are null": f"{_PLAIN}, {_NULLS}",
            "and a text that all rows share": f"{_PLAIN}, as_text",
            "and the same as an ENUM": f"{_PLAIN}, as_enum",
        }
        print(f"{ROWS:,} rows to Parquet")
        compare(
            {
                kind: partial(write, connection, Path(name), columns)
                for kind, columns in kinds.items()
            }
        )
        queries = {
            "different rows counted": f"select count(distinct hash({_CONTENT})) from readings",
            "equal rows numbered": f"""select max(place) from (select row_number() over (
                partition by {_CONTENT} order by _row) as place from readings)""",
        }
        print("equal rows")
        compare({what: partial(ask, connection, query) for what, query in queries.items()})


if __name__ == "__main__":
    main()
