"""The UTC date of fifty million instants, by the models' arithmetic and by a cast.

Run: python -m benchmarks.utc_dates [50000000]
"""

from __future__ import annotations

import sys

import duckdb

from benchmarks.rounds import compare

ARITHMETIC = "date '1970-01-01' + ((epoch_us(t) + 86400000000000000) // 86400000000 - 1000000)::int"
"""As `utc_date` in dbt/macros/time.sql."""
CAST = "t::date"


def main(size: int) -> None:
    """Count the instants of each date both ways."""
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            "create table instants as select timestamptz '2026-01-01 00:00:00+00' "
            f"+ to_seconds(i * 86400 // 1000000) as t from range({size}) r(i)"
        )
        ways = {
            name: f"select {day} as day, count(*) from instants group by 1 order by 1"
            for name, day in (("arithmetic", ARITHMETIC), ("cast to date", CAST))
        }
        told = [connection.execute(query).fetchall() for query in ways.values()]
        if told[0] != told[1]:
            raise SystemExit("they do not give the same dates")
        compare(
            {
                name: lambda query=query: connection.execute(query).fetchall()  # type: ignore[misc]
                for name, query in ways.items()
            }
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000_000)
