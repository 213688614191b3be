"""A first and a second `sjostad run` on the sample city: seconds and peak memory.

Memory is the largest sum, over the process and its children, of what each alone occupies (PSS).

Run: python -m benchmarks.first_run [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from lakehouse.settings import PROJECT


def measured(home: str) -> tuple[float, float]:
    """Run once: seconds, and peak memory in MB."""
    began = time.perf_counter()
    running = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "run", "--sample", "--json"],
        cwd=PROJECT,
        env={**os.environ, "SJOSTAD_HOME": home},
        stdout=subprocess.DEVNULL,
    )
    peak = 0
    while running.poll() is None:
        peak = max(peak, sum(map(_pss_kb, _tree(running.pid))))
        time.sleep(0.5)
    if running.returncode:
        raise SystemExit(f"the run ended with {running.returncode}")
    return time.perf_counter() - began, peak / 1024


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]  # it has ended since
    return [pid, *(found for child in children for found in _tree(int(child)))]


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0  # it has ended since
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    found: dict[str, list[tuple[float, float]]] = {"first run": [], "second run": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as home:
            for results in found.values():
                results.append(measured(home))
    for name, results in found.items():
        seconds, peaks = zip(*results, strict=True)
        print(
            f"{name:12} {median(seconds):5.1f} s ({min(seconds):.1f}-{max(seconds):.1f}), "
            f"peak {median(peaks):.0f} MB ({max(peaks):.0f} at most)"
        )


if __name__ == "__main__":
    main()
