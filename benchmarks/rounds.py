"""Timing ways of doing the same thing in turn, so that a noisy minute hits them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median


def compare(ways: Mapping[str, Callable[[], object]], rounds: int = 5) -> None:
    """Print the median seconds of each way, and its ratio to the first.

    Args:
        ways: What to time, by name; each is run once before the clock counts.
        rounds: Rounds of all ways in turn.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if number:
                taken[name].append(time.perf_counter() - began)
    first = median(taken[next(iter(taken))])
    for name, seconds in taken.items():
        middle = median(seconds)
        spread = f"{min(seconds):.3f}-{max(seconds):.3f}"
        print(f"{name:45} {middle:8.3f} s  ({spread})  {middle / first:5.2f}")
