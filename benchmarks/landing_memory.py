"""Peak memory of landing one file of a million and one of ten million observations.

Run: python -m benchmarks.landing_memory
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import observations
from benchmarks.rounds import peak_mib


def land(path: Path, folder: Path) -> None:
    """Land one file in this process and print rows, seconds and peak memory."""
    from ingestion import ingest_source

    settings, contract = observations.lake(folder, "json")
    observations.deliver(settings, path)
    began = time.perf_counter()
    ledger = ingest_source(settings, contract).ledger
    seconds = time.perf_counter() - began
    print(f"{ledger.landed:>12,} rows {seconds:7.2f} s {peak_mib():7.0f} MiB")


def main() -> None:
    """Each size in a process of its own, because peak memory never falls."""
    with tempfile.TemporaryDirectory() as name:
        for size in (1_000_000, 10_000_000):
            path = Path(name) / f"{size}.ndjson"
            observations.write(observations.rows(size), path)
            command = [sys.executable, "-m", "benchmarks.landing_memory", str(path), name]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        land(Path(sys.argv[1]), Path(sys.argv[2]) / Path(sys.argv[1]).stem)
    else:
        main()
