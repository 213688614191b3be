"""SISAB's deliveries: what its ThingsBoard gateway sent, a message a line, a file a UTC day.

A message holds the buildings that the gateway had heard of in that half hour. It is sent until the
server has said that it has it, so a message may stand twice.

Source: ThingsBoard, "Gateway MQTT API", telemetry upload.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Final

from lakehouse.ledger import Ledger
from sample_city.chance import drift, seeded
from sample_city.period import Period, Slot, epoch_ms
from sample_city.summary import Delivered
from sample_city.weather import Weather, weather_of

SCHOOLS: Final = ("Eriksdalsskolan", "Vasa Real", "Äppelviksskolan")
"""The buildings that the contract knows."""

KEYS: Final = ("rumstemperatur", "co2", "tilluft")

_EVERY = 2  # slots
# Slots, by their number among the half hours: a message that is there twice, and a day on which a
# building's controller was silent.
_TWICE = 130
_SILENT, _SILENT_SCHOOL = range(300, 318), 1


@dataclass(frozen=True, slots=True)
class _Message:
    """One message: its time, and for each building the values by key."""

    slot: Slot
    buildings: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def line(self) -> str:
        ts = epoch_ms(self.slot.start)
        content = {name: [{"ts": ts, "values": told}] for name, told in self.buildings.items()}
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def deliveries(period: Period, seed: int, scale: float) -> Iterator[tuple[Delivered, bytes]]:
    """The files of the period, in the order of their names.

    Args:
        period: When.
        seed: The city's seed.
        scale: Buildings, as a multiple of those in the contract.
    """
    weather = weather_of(period, seed)[::_EVERY]
    slots = period.slots[::_EVERY]
    schools = _schools_of(scale)
    series = [_readings(school, slots, weather, seed) for school in schools]
    messages = []
    for index, slot in enumerate(slots):
        told = {
            school: series[number][index]
            for number, school in enumerate(schools)
            if not (number == _SILENT_SCHOOL and index in _SILENT)
        }
        messages += [_Message(slot, told)] * (2 if index == _TWICE else 1)
    for day, sent in groupby(messages, key=lambda message: message.slot.start.date()):
        found = list(sent)
        content = "".join(f"{message.line}\n" for message in found).encode()
        yield Delivered(f"telemetri_{day}.ndjson", _ledger(found), faults=_faults(found)), content


def _schools_of(scale: float) -> tuple[str, ...]:
    count = max(1, round(len(SCHOOLS) * scale))
    unknown = (f"Ny skola {number}" for number in range(1, count - len(SCHOOLS) + 1))
    return (*SCHOOLS[:count], *unknown)


def _readings(
    school: str, slots: Sequence[Slot], weather: Sequence[Weather], seed: int
) -> list[dict[str, float]]:
    """What a building tells each half hour: warm and stale while pupils are in it."""
    rng = seeded(seed, "sisab_inomhus", school)
    whim = drift(rng, len(slots), memory=0.9, spread=0.25)
    breath = drift(rng, len(slots), memory=0.7, spread=25)
    pupils = rng.uniform(260, 420)
    found = []
    for index, slot in enumerate(slots):
        busy = _busy(slot)
        outdoors = weather[index].temperature_c
        room = 19.6 + 1.9 * busy + 0.03 * (outdoors - 5) + whim[index]
        supply = 18.5 - 0.12 * (outdoors - 5) + 0.2 * whim[index]
        found.append(
            {
                "rumstemperatur": round(room, 1),
                "co2": round(430 + pupils * busy + breath[index] * (0.2 + busy)),
                "tilluft": round(supply, 1),
            }
        )
    return found


def _busy(slot: Slot) -> float:
    """How full a school is, from 0 to 1."""
    if slot.is_weekend or not 7.5 <= slot.hour < 17:
        return 0.0
    return 1.0 if 8.5 <= slot.hour < 14.5 else 0.45


def _ledger(messages: Sequence[_Message]) -> Ledger:
    """One row for each building and key; of a message that stands twice the second is known."""
    rows = sum(len(told) for message in messages for told in message.buildings.values())
    again = _again(messages)
    return Ledger(records=len(messages), rows_in=rows, landed=rows - again, duplicates=again)


def _again(messages: Sequence[_Message]) -> int:
    return sum(
        len(told)
        for before, after in pairwise(messages)
        if before is after
        for told in after.buildings.values()
    )


def _faults(messages: Sequence[_Message]) -> dict[str, int]:
    faults = {"repeated_row": _again(messages)}
    return {fault: count for fault, count in faults.items() if count}
