"""Silver and gold over small and large histories: the cost of a day must not follow them.

The lakes hold a thousand sensors, one reading a minute. Into each, a million observations more are
built through silver and the hours and days of gold; each build is a process of its own, so that
its peak memory can be told. Seconds are those of dbt's run, without imports and parsing.

*everything* builds the largest from nothing, beside a script that makes the same of bronze by one
DuckDB and writes Parquet: newest revisions in canonical units by day, hours, days.

Run: python -m benchmarks.model [1000000 10000000 50000000]
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import duckdb
from dbt.cli.main import dbtRunner

from benchmarks import observations
from benchmarks.rounds import peak_mib
from lakehouse import delta, tables
from lakehouse.contracts import load_contracts
from lakehouse.data_files import extent_of
from lakehouse.reference import write_reference
from lakehouse.settings import PROJECT, Settings

SIZES = (1_000_000, 10_000_000, 50_000_000)
MORE = 1_000_000
ROUNDS = 5
_MODELS = ("--select", "+observations_daily", "+states_hourly")


def lake_of(folder: Path) -> Settings:
    """The settings of a lake, whose contracts stand beside it."""
    return Settings.from_environment({}, contracts=folder / "contracts", home=folder / "home")


def build(folder: Path) -> tuple[int, float]:
    """Build the models; rows of the hours, and seconds."""
    settings = lake_of(folder)
    os.environ |= settings.as_environment()
    dbt = PROJECT / "dbt"
    quietly = [
        *("--project-dir", str(dbt), "--profiles-dir", str(dbt), "--quiet"),
        *("--target-path", str(folder / "target"), "--log-path", str(folder / "target")),
        *("--log-level-file", "none", "--no-write-json"),
    ]
    manifest = dbtRunner().invoke(["parse", *quietly]).result
    began = time.perf_counter()
    done = dbtRunner(manifest=manifest).invoke(["run", *_MODELS, *quietly])
    seconds = time.perf_counter() - began
    assert done.success, done.exception or done.result
    hours = delta.open_table(tables.model(settings, "gold", "observations_hourly"))
    return extent_of(hours).rows, seconds


def by_hand(folder: Path) -> tuple[int, float]:
    """What someone would write who needs no lake: the same joins and aggregates, to Parquet."""
    settings = lake_of(folder)
    out = folder / "by_hand"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    files = delta.open_table(tables.bronze(settings, observations.SOURCE)).file_uris()
    began = time.perf_counter()
    with duckdb.connect(config={"threads": 2, "memory_limit": "4GB"}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("create table mapping as select 'temperature' as channel, 1 as factor")
        connection.execute(
            f"""copy (
                select device || '/' || b.channel as datastream_id, phenomenon_time,
                    round(value * factor, 9) as result, quality, _received_at, _batch, _row,
                    phenomenon_time::date as partition_date
                from read_parquet({files!r}, hive_partitioning = false) b
                join mapping using (channel)
                qualify row_number() over (
                    partition by device, b.channel, phenomenon_time
                    order by _received_at desc, _batch desc, _row desc) = 1
                order by partition_date, datastream_id, phenomenon_time
            ) to '{out}/observation' (format parquet, compression zstd,
                partition_by (partition_date), write_partition_columns true)"""
        )
        connection.execute(
            f"""copy (
                select datastream_id,
                    make_timestamptz(epoch_us(phenomenon_time) // 3600000000 * 3600000000) as hour,
                    count(*) as readings, avg(result) as mean_value, min(result) as min_value,
                    max(result) as max_value
                from '{out}/observation/**/*.parquet' where quality = 'good' group by all
                order by all
            ) to '{out}/hours.parquet' (compression zstd)"""
        )
        connection.execute(
            f"""copy (
                select datastream_id, timezone('Europe/Stockholm', hour)::date as day,
                    sum(readings) as readings, sum(mean_value * readings) / sum(readings) as mean,
                    min(min_value), max(max_value)
                from '{out}/hours.parquet' group by all order by all
            ) to '{out}/days.parquet' (compression zstd)"""
        )
        ((rows,),) = connection.execute(f"select count(*) from '{out}/hours.parquet'").fetchall()
    return int(rows), time.perf_counter() - began


def _apart(way: Callable[[Path], tuple[int, float]], folder: Path) -> tuple[int, float, float]:
    """Rows, seconds and peak memory in MiB of a way, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.model", way.__name__, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows, seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return rows, seconds, peak


def _report(way: Callable[[Path], tuple[int, float]], folder: Path) -> None:
    rows, seconds = way(folder)
    print(json.dumps([rows, seconds, peak_mib()]))


def _another_day(home: Path, size: int, folder: Path) -> tuple[float, float]:
    """Seconds and peak memory of building a million more, in a copy that shares its files."""
    copy = folder / "copy"
    shutil.copytree(home, copy, copy_function=lambda a, b: Path(b).hardlink_to(a))
    observations.land(lake_of(copy), size, size + MORE)
    _, seconds, peak = _apart(build, copy)
    shutil.rmtree(copy)
    return seconds, peak


def main(sizes: tuple[int, ...]) -> None:
    """Build the histories, then compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        homes: dict[int, Path] = {}
        for size in sizes:
            homes[size] = home = folder / f"lake-{size}"
            settings, _ = observations.lake(home, "json")
            write_reference(settings, load_contracts(settings.contracts))
            observations.land(settings, 0, size)
        largest = homes[sizes[-1]]
        _everything(largest, sizes[-1])
        for size in sizes[:-1]:
            _apart(build, homes[size])
        found: dict[int, list[tuple[float, float]]] = {size: [] for size in sizes}
        for _ in range(ROUNDS):
            for size in sizes:
                found[size].append(_another_day(homes[size], size, folder))
        first: tuple[float, float] | None = None
        for size, results in found.items():
            seconds, peak = (median(column) for column in zip(*results, strict=True))
            first = first or (seconds, peak)
            print(
                f"{MORE:,} more into {size:>12,} rows  {seconds:7.2f} s {seconds / first[0]:5.2f}"
                f"  {peak:6.0f} MiB {peak / first[1]:5.2f}"
            )


def _everything(home: Path, size: int) -> None:
    ways = {"dbt, silver and gold in Delta": build, "by hand, to Parquet": by_hand}
    for title, way in ways.items():
        rows, seconds, peak = _apart(way, home)
        print(f"{size:,} rows, {title:32} {seconds:7.2f} s  {peak:6.0f} MiB  {rows:,} hours")


if __name__ == "__main__":
    chosen = {one.__name__: one for one in (build, by_hand)}
    if len(sys.argv) == 3 and sys.argv[1] in chosen:
        _report(chosen[sys.argv[1]], Path(sys.argv[2]))
    else:
        main(tuple(int(word) for word in sys.argv[1:]) or SIZES)
