"""Stockholms hamnar's historian: two tags for each meter, and what happened to them.

Bad values are stored like good ones, only with another quality code; a quay whose link was
down is stored when it is back, under the times at which it was measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from lakehouse.ledger import Ledger
from sample_city.chance import seeded
from sample_city.ignition import COMM_FAIL, FLOAT, INTEGER, STALE, Sample, Tag, database
from sample_city.period import Period, epoch_ms
from sample_city.quays import Reading, meter_readings, quays_of
from sample_city.summary import Delivered

BAD_SAMPLES: Final = 6

_FIRST_TAG = 101
_BREAK_SLOTS = 8  # two hours without a link
_BEFORE = timedelta(days=60)  # the tags are older than the period


@dataclass(frozen=True, slots=True)
class _Plan:
    """What happens at which quay (number of the quay) and when (number of the slot)."""

    swapped: tuple[int, int]
    recreated: tuple[int, int]
    cut_off: tuple[int, int]


def deliveries(period: Period, seed: int, scale: float) -> Iterator[tuple[Delivered, bytes]]:
    """The historian, one database file.

    Args:
        period: When.
        seed: The city's seed.
        scale: Meters, as a multiple of those in the contract.
    """
    quays, slots = quays_of(scale), len(period.slots)
    plan = _Plan(
        swapped=(5 % len(quays), slots * 4 // 10),
        recreated=(3 % len(quays), slots // 2),
        cut_off=(7 % len(quays), slots * 6 // 10),
    )
    tags, samples = _history(quays, period, seed, plan)
    bad = _spoil(samples, seed)
    late = sum(sample.stored > sample.time for sample in samples)
    ledger = Ledger(records=len(samples), rows_in=len(samples), landed=len(samples))
    faults: Mapping[str, int] = {
        "bad_quality": bad,
        "late_sample": late,
        "recreated_tag": len(tags) - len({tag.path for tag in tags}),
        "register_reset": 1,
    }
    yield Delivered("historian.sqlite", ledger, faults=faults), database(tags, samples, period)


def _history(
    quays: tuple[str, ...], period: Period, seed: int, plan: _Plan
) -> tuple[list[Tag], list[Sample]]:
    created = epoch_ms(period.start - _BEFORE)
    anew = epoch_ms(period.slots[plan.recreated[1]].start)
    tags: list[Tag] = []
    samples: list[Sample] = []
    for number, quay in enumerate(quays):
        swapped_at = plan.swapped[1] if number == plan.swapped[0] else None
        readings = meter_readings(quay, period, seed, swapped_at)
        energy = Tag(_FIRST_TAG + 2 * number, f"hamnen/{quay}/energi_kwh", FLOAT, created)
        power = Tag(_FIRST_TAG + 2 * number + 1, f"hamnen/{quay}/effekt_w", INTEGER, created)
        lives = [energy]
        if number == plan.recreated[0]:
            again = replace(energy, id=_FIRST_TAG + 2 * len(quays), created=anew)
            lives = [replace(energy, retired=anew), again]
        tags += [*lives, power]
        cut_off = plan.cut_off[1] if number == plan.cut_off[0] else None
        samples += _samples(lives, power, readings, cut_off)
    return sorted(tags, key=lambda tag: tag.id), samples


def _samples(
    lives: list[Tag], power: Tag, readings: list[Reading], cut_off: int | None
) -> Iterator[Sample]:
    """What the historian stored of one meter; energy under the tag that lived at the time."""
    offline = range(0) if cut_off is None else range(cut_off, cut_off + _BREAK_SLOTS)
    for index, reading in enumerate(readings):
        time = epoch_ms(reading.time)
        back = readings[min(offline.stop, len(readings) - 1)].time
        stored = epoch_ms(back) if index in offline else time
        energy = next(tag for tag in reversed(lives) if tag.created <= time)
        yield Sample(stored, energy.id, time, reading.energy_kwh)
        yield Sample(stored, power.id, time, reading.power_w)


def _spoil(samples: list[Sample], seed: int) -> int:
    """Turn a few values bad: the gateway stores the last value it knew, and why."""
    positions = {(sample.tag, sample.time): index for index, sample in enumerate(samples)}
    rng = seeded(seed, "hamnar_elmatare", "bad")
    step = samples[2].time - samples[0].time
    chosen: list[int] = []
    while len(chosen) < BAD_SAMPLES:
        index = rng.randrange(len(samples))
        sample = samples[index]
        previous = positions.get((sample.tag, sample.time - step))
        following = positions.get((sample.tag, sample.time + step))
        # Apart from each other and from a tag's first sample, which has no value before it.
        if previous is None or {previous, index, following} & set(chosen):
            continue
        if sample.stored > sample.time:
            continue
        code = COMM_FAIL if len(chosen) % 2 == 0 else STALE
        samples[index] = replace(sample, value=samples[previous].value, quality=code)
        chosen.append(index)
    return len(chosen)
