"""The disclosure scan of ten million rows of a product, beside counting the rows of its columns.

Run: python -m benchmarks.disclosure [10000000]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.audits import CONTRACT, rows
from benchmarks.rounds import compare, peak_mib
from lakehouse.contracts import load_product
from lakehouse.duck import connect, literal
from quality.disclosure import scan


def main(size: int) -> None:
    """Write the rows once, then scan them."""
    columns = load_product(CONTRACT).columns
    with tempfile.TemporaryDirectory() as folder, connect() as connection:
        path = Path(folder, "rows.parquet")
        connection.execute(f"copy ({rows(0, size)}) to {literal(path)} (format parquet)")
        names = ", ".join(column.name for column in columns)
        relation = f"select {names} from read_parquet({literal(path)})"
        counted = ", ".join(f"count(distinct {column.name})" for column in columns)
        found = scan(connection, relation, columns)
        if found.hits:
            raise SystemExit(f"the rows should tell of nobody: {found.hits}")
        print(f"{found.rows_scanned:,} rows, {len(found.columns_scanned)} columns")
        compare(
            {
                "scan": lambda: scan(connection, relation, columns),
                "distinct values of each column": lambda: connection.execute(
                    f"select {counted} from ({relation})"
                ).fetchall(),
            }
        )
    print(f"peak memory of this process {peak_mib():.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
