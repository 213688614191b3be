"""Timing ways of doing the same thing in turn, so that a noisy minute hits them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median


def compare(
    ways: Mapping[str, Callable[[], object]],
    rounds: int = 5,
    fewer: Mapping[str, int] | None = None,
) -> dict[str, float]:
    """Print the median seconds of each way, its ratio to the first, and its processor seconds.

    Processor seconds are those of all threads of this process: on a busy machine they say more.

    Args:
        ways: What to time, by name; each is run once before the clock counts.
        rounds: Rounds of all ways in turn.
        fewer: Rounds of ways that take minutes, by name.

    Returns:
        The median seconds of each way.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            if number > (fewer or {}).get(name, rounds):
                continue
            began = time.perf_counter(), time.process_time()
            way()
            if number:
                taken[name].append((time.perf_counter() - began[0], time.process_time() - began[1]))
    first = median(seconds for seconds, _ in taken[next(iter(taken))])
    medians = {}
    for name, found in taken.items():
        seconds, busy = zip(*found, strict=True)
        medians[name] = middle = median(seconds)
        spread = f"{min(seconds):.3f}-{max(seconds):.3f}"
        print(
            f"{name:45} {middle:8.3f} s  ({spread})  {middle / first:5.2f}"
            f"  processor {median(busy):7.3f} s"
            + (f"  {len(found)} rounds" if len(found) < rounds else "")
        )
    return medians


def peak_mib() -> float:
    """The peak memory of this very program: getrusage's maximum is inherited from its parent."""
    status = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024
