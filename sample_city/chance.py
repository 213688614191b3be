"""Seeded randomness: every device draws from a generator of its own.

A device's readings therefore do not depend on how many other devices the city has, nor on the
order in which files are written.
"""

from __future__ import annotations

import random


def seeded(seed: int, *name: object) -> random.Random:
    """A generator that depends on the seed and a name only.

    Args:
        seed: The city's seed.
        name: What the generator is for, such as a source and a device.
    """
    # Seeding with text goes through SHA-512, so it is the same in every process, unlike hash().
    return random.Random("/".join(map(str, (seed, *name))))  # noqa: S311 - weather, not secrets


def drift(rng: random.Random, steps: int, *, memory: float, spread: float) -> list[float]:
    """A wandering series around zero, as weather and sensors wander.

    Args:
        rng: Where chance comes from.
        steps: Length of the series.
        memory: How much of a value stays in the next, from 0 to just below 1.
        spread: Standard deviation of the series in the long run.
    """
    push = spread * (1 - memory**2) ** 0.5
    value = rng.gauss(0, spread)
    series = []
    for _ in range(steps):
        series.append(value)
        value = memory * value + rng.gauss(0, push)
    return series
