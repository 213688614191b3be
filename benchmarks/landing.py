"""Landing a million observations, beside what DuckDB needs to parse them into Parquet.

The limit is one parse into one Parquet file. Ours is everything: sha-256, the copy in the landing
zone, verification, row rules, quarantine, duplicates, Parquet by day, two Delta commits and the
flush to disk. `take` is the same without the inbox: from landed bytes to the commit. One row in a
thousand breaks a rule where it says so.

If dlt is installed (`pip install 'dlt[deltalake]' orjson`), it lands the same rows as well, by its
defaults and unchecked, into a Delta table of its own: row by row, and handed over as one Arrow
table. Its row path takes half a minute or more, so it has two rounds instead of five.

Run: python -m benchmarks.landing [ndjson | csv.gz]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from benchmarks import observations
from benchmarks.rounds import compare
from ingestion import ingest_source
from ingestion.batches.batch import take
from ingestion.deliveries import Offer
from ingestion.landing import land
from lakehouse.duck import connect

ROWS = 1_000_000
_COLUMNS = "{sensor: 'VARCHAR', property: 'VARCHAR', ts: 'TIMESTAMPTZ', value: 'DOUBLE'}"
_NUMBER = count()


def limit(path: Path, folder: Path) -> None:
    """DuckDB parses the file and writes one Parquet file; nothing is checked."""
    read = "read_json" if ".ndjson" in path.name else "read_csv"
    form = "format = 'newline_delimited', " if read == "read_json" else "header = true, "
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            f"""copy (from {read}('{path}', {form}columns = {_COLUMNS}))
            to '{folder / "limit.parquet"}' (format parquet, compression zstd)"""
        )


def ingest(path: Path, folder: Path) -> None:
    """Everything, from the inbox to an acknowledged commit."""
    settings, contract = observations.lake(folder / str(next(_NUMBER)), _form(path))
    observations.deliver(settings, path)
    ledger = ingest_source(settings, contract).ledger
    assert ledger.rows_in == ROWS, ledger


def taker(path: Path, folder: Path) -> Callable[[], None]:
    """From landed bytes to an acknowledged commit."""
    home = folder / f"take-{next(_NUMBER)}"
    settings, contract = observations.lake(home, _form(path))
    offer = Offer(path.name, path, datetime(2027, 1, 1, tzinfo=UTC))
    landed = land(settings, contract.id, offer)

    def run() -> None:
        fresh, _ = observations.lake(home / str(next(_NUMBER)), _form(path))
        scratch = home / "scratch" / str(next(_NUMBER))
        scratch.mkdir(parents=True)
        batch = take(fresh, contract, [landed], scratch)
        assert sum(receipt.ledger.rows_in for receipt in batch.receipts) == ROWS

    return run


def dlt_rows(path: Path, folder: Path) -> None:
    """Dlt, row by row."""
    import orjson

    with path.open("rb") as file:
        _dlt((orjson.loads(line) for line in file), folder)


def dlt_arrow(path: Path, folder: Path) -> None:
    """Dlt, handed Arrow."""
    with connect(extensions=()) as connection:
        table: pa.Table = connection.execute(
            f"from read_json('{path}', format = 'newline_delimited', columns = {_COLUMNS})"
        ).to_arrow_table()
    _dlt(table, folder)


def _dlt(data: object, folder: Path) -> None:
    import dlt

    dlt.config["runtime.dlthub_telemetry"] = False
    home = folder / f"dlt-{next(_NUMBER)}"
    pipeline = dlt.pipeline(
        "landing",
        destination=dlt.destinations.filesystem(bucket_url=str(home / "lake")),
        dataset_name="bronze",
        pipelines_dir=str(home / "state"),
    )
    pipeline.run(data, table_name="readings", table_format="delta")
    landed = DeltaTable(str(home / "lake" / "bronze" / "readings")).count()
    assert landed == ROWS, landed
    shutil.rmtree(home)


def _form(path: Path) -> str:
    return "json" if ".ndjson" in path.name else "csv"


def main(kinds: list[str]) -> None:
    """Write the files and compare."""
    for kind in kinds or ["ndjson", "csv.gz"]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            clean, broken = folder / f"clean.{kind}", folder / f"broken.{kind}"
            observations.write(observations.rows(ROWS), clean)
            spoilt = f"""select * replace (if(hash(ts, sensor) % 1000 = 0, 999, value) as value)
                from ({observations.rows(ROWS)})"""
            observations.write(spoilt, broken)
            ways: dict[str, Callable[[], None]] = {
                "DuckDB: parse to Parquet (the limit)": partial(limit, clean, folder),
                "take: landed bytes to commit": taker(clean, folder),
                "the same, 1 row in 1000 broken": taker(broken, folder),
                "ingest: inbox to acknowledged": partial(ingest, clean, folder),
            }
            if kind == "ndjson" and find_spec("dlt"):
                ways["dlt, Arrow"] = partial(dlt_arrow, clean, folder)
                ways["dlt, rows"] = partial(dlt_rows, clean, folder)
                print(*(f"{one} {version(one)}" for one in ("dlt", "deltalake", "pyarrow")))
            print(f"{kind}: {ROWS:,} observations, {clean.stat().st_size / 1e6:,.0f} MB")
            compare(ways, fewer={"dlt, rows": 2})


if __name__ == "__main__":
    main(sys.argv[1:])
