"""Silver and gold over small and large histories: the cost of a day must not follow them.

The lakes hold a thousand sensors and a million readings a day. Into each, one day more is built
through silver and the hours and days of gold, and into the largest one day that has changed; each
build is a process of its own, so that its peak memory can be told. Seconds are those of dbt's run,
without imports and parsing.

*everything* builds the largest from nothing, beside scripts that make the same of bronze by one
DuckDB and write Parquet: newest revisions in canonical units by day, hours, days. One writes the
columns that its hours need, the other all that silver has.

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
from lakehouse.delta.data_files import extent_of
from lakehouse.reference import write_reference
from lakehouse.settings import PROJECT, Settings

SIZES = (1_000_000, 10_000_000, 50_000_000)
DAY = 1_000_000
ROUNDS = 5
MODELS = ("--select", "+observations_daily", "+states_hourly")


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
    done = dbtRunner(manifest=manifest).invoke(["run", *MODELS, *quietly])
    seconds = time.perf_counter() - began
    assert done.success, done.exception or done.result
    hours = delta.open_table(tables.model(settings, "gold", "observations_hourly"))
    return extent_of(hours).rows, seconds


def by_hand(folder: Path) -> tuple[int, float]:
    """What someone would write who needs no lake: the same joins and aggregates, to Parquet."""
    return _script(folder, "quality, _received_at, _batch, _row")


def by_hand_whole(folder: Path) -> tuple[int, float]:
    """The same with all columns of silver."""
    return _script(
        folder,
        f"""'{observations.SOURCE}' as source_id, null::timestamptz as phenomenon_time_end,
        null::varchar as result_text, unit, quality, null::varchar as quality_code,
        null::timestamptz as result_time, _received_at, _batch, _delivery, _row""",
    )


def _script(folder: Path, columns: str) -> tuple[int, float]:
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
                    round(value * factor, 9) as result, {columns},
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


def in_a_process(
    way: Callable[[Path], tuple[int, float]], folder: Path
) -> tuple[int, float, float]:
    """Rows, seconds and peak memory in MiB of a way, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.model", way.__name__, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows, seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return rows, seconds, peak


def _report(way: Callable[[Path], tuple[int, float]], folder: Path) -> None:
    rows, seconds = way(folder)
    print(json.dumps([rows, seconds, peak_mib()]))


def _more(home: Path, folder: Path, first: int, shift: float) -> tuple[float, float]:
    """Seconds and peak memory of building a day more, in a copy that shares the lake's files."""
    copy = folder / "copy"
    shutil.copytree(home, copy, copy_function=lambda a, b: Path(b).hardlink_to(a))
    observations.land(lake_of(copy), first, first + DAY, shift=shift, when=observations.DAYS)
    _, seconds, peak = in_a_process(build, copy)
    shutil.rmtree(copy)
    return seconds, peak


def _emptied(home: Path) -> None:
    for layer in ("silver", "gold"):
        shutil.rmtree(lake_of(home).lake / layer, ignore_errors=True)


def main(sizes: tuple[int, ...]) -> None:
    """Build the histories, then compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        homes: dict[int, Path] = {}
        for size in sizes:
            homes[size] = home = folder / f"lake-{size}"
            settings, _ = observations.lake(home, "json")
            write_reference(settings, load_contracts(settings.contracts))
            observations.land(settings, 0, size, when=observations.DAYS)
        whole = _everything(homes[sizes[-1]], sizes[-1])
        for size in sizes[:-1]:
            in_a_process(build, homes[size])
        cases = {f"a day more into {size:,} rows": (homes[size], size, 0.0) for size in sizes}
        last = sizes[-1]
        cases[f"a changed day of {last:,}"] = (homes[last], last // DAY // 2 * DAY, 0.5)
        found: dict[str, list[tuple[float, float]]] = {title: [] for title in cases}
        for _ in range(ROUNDS):
            for title, (home, first, shift) in cases.items():
                found[title].append(_more(home, folder, first, shift))
        base: tuple[float, float] | None = None
        for title, results in found.items():
            seconds, peak = (median(column) for column in zip(*results, strict=True))
            base = base or (seconds, peak)
            print(
                f"{title:32} {seconds:7.2f} s {seconds / base[0]:5.2f}  {peak:6.0f} MiB "
                f"{peak / base[1]:5.2f}  {seconds / whole:5.2f} of everything"
            )


def _everything(home: Path, size: int) -> float:
    """Build everything in each way, in turn; the median seconds of dbt."""
    ways: dict[str, Callable[[Path], tuple[int, float]]] = {
        "dbt, silver and gold in Delta": build,
        "by hand, to Parquet": by_hand,
        "by hand, all columns": by_hand_whole,
    }
    found: dict[str, list[tuple[int, float, float]]] = {title: [] for title in ways}
    for _ in range(ROUNDS):
        _emptied(home)
        for title, way in ways.items():
            found[title].append(in_a_process(way, home))
    whole = median(seconds for _, seconds, _ in found["dbt, silver and gold in Delta"])
    for title, results in found.items():
        rows, seconds, peak = (median(column) for column in zip(*results, strict=True))
        print(
            f"{size:,} rows, {title:30} {seconds:7.2f} s  {peak:6.0f} MiB  {rows:,.0f} hours  "
            f"dbt takes {whole / seconds:.2f} of it"
        )
    return whole


if __name__ == "__main__":
    chosen = {one.__name__: one for one in (build, by_hand, by_hand_whole)}
    if len(sys.argv) == 3 and sys.argv[1] in chosen:
        _report(chosen[sys.argv[1]], Path(sys.argv[2]))
    else:
        main(tuple(int(word) for word in sys.argv[1:]) or SIZES)
