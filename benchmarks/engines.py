"""Silver and gold of the same lake, built whole by DuckDB and by an engine that speaks Spark.

The lakes are those of `benchmarks.model`: a thousand sensors, a million readings a day. Each build
is a process of its own; Spark's engine is LakeSail's server, begun anew for each, and its memory is
the server's. Seconds are those of dbt's run. `make test-spark` makes the environment it needs.

Run: python -m benchmarks.engines [1000000 10000000]
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks import observations
from benchmarks.model import MODELS, build, in_a_process, lake_of
from benchmarks.spark_server import serving
from lakehouse.contracts import load_contracts
from lakehouse.reference import write_reference
from lakehouse.settings import PROJECT
from lakehouse.spark_tables import statements

SIZES = (1_000_000, 10_000_000)
ROUNDS = 5
TOOLS = PROJECT / ".venv-spark" / "bin"


def on_duckdb(home: Path) -> tuple[float, float]:
    """Seconds and peak memory in MiB of a build from nothing by DuckDB."""
    for layer in ("silver", "gold"):
        shutil.rmtree(lake_of(home).lake / layer, ignore_errors=True)
    _, seconds, peak = in_a_process(build, home)
    return seconds, peak


def on_spark(home: Path) -> tuple[float, float]:
    """The same by a Spark Connect server."""
    out = home / "spark"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    settings = lake_of(home)
    told = list(statements(settings, load_contracts(settings.contracts)))
    given = {"register": told, "spark_location": (out / "lake").as_uri()}
    with serving(TOOLS, out / "server.log") as (address, process):
        _dbt(out, given, address, settings.as_environment())
        peak = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text("ascii"))
    results = json.loads((out / "target" / "run_results.json").read_text("utf-8"))
    return float(results["elapsed_time"]), int(peak[1]) / 1024 if peak else 0.0


def _dbt(out: Path, given: object, remote: str, environment: dict[str, str]) -> None:
    dbt = PROJECT / "dbt"
    subprocess.run(
        [TOOLS / "dbt", "--quiet", "run", *MODELS, "--target", "spark", "--vars", json.dumps(given),
         "--project-dir", dbt, "--profiles-dir", dbt, "--target-path", out / "target",
         "--log-path", out / "target"],
        check=True,
        env=os.environ | environment | {"SPARK_REMOTE": remote},
    )  # fmt: skip


def main(sizes: tuple[int, ...]) -> None:
    """Build each lake by both, in turn."""
    ways: dict[str, Callable[[Path], tuple[float, float]]] = {
        "DuckDB": on_duckdb,
        "Spark Connect": on_spark,
    }
    with tempfile.TemporaryDirectory() as name:
        for size in sizes:
            home = Path(name) / f"lake-{size}"
            settings, _ = observations.lake(home, "json")
            write_reference(settings, load_contracts(settings.contracts))
            observations.land(settings, 0, size, when=observations.DAYS)
            found: dict[str, list[tuple[float, float]]] = {title: [] for title in ways}
            for _ in range(ROUNDS):
                for title, way in ways.items():
                    found[title].append(way(home))
            first = median(seconds for seconds, _ in found["DuckDB"])
            for title, results in found.items():
                seconds, peak = (median(column) for column in zip(*results, strict=True))
                print(
                    f"{size:>12,} rows  {title:14} {seconds:7.1f} s {seconds / first:5.2f}  "
                    f"{peak:6.0f} MiB"
                )
            weights = (f"{layer} {_bytes_in(home, layer) / size:.1f}" for layer in _LAYERS)
            print(f"{size:>12,} rows  bytes a reading: {', '.join(weights)}")


_LAYERS = ("bronze", "silver", "gold")


def _bytes_in(home: Path, layer: str) -> int:
    files = (lake_of(home).lake / layer).rglob("*.parquet")
    return sum(file.stat().st_size for file in files)


if __name__ == "__main__":
    main(tuple(int(word) for word in sys.argv[1:]) or SIZES)
