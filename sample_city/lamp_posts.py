"""The multisensors on the lamp posts of Kista: what they read and when they are heard."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sample_city.ailments import FAULTS, Ailment
from sample_city.chance import drift, seeded
from sample_city.chirpstack import GATEWAYS, Device, up_event
from sample_city.period import Period, Slot
from sample_city.weather import Weather, traffic

CHANNELS: Final = ("temperature", "humidity", "co2", "light", "vdd")
STREETS: Final = ("Kistagången", "Danmarksgatan", "Isafjordsgatan", "Torshamnsgatan")
POSTS: Final = tuple(
    (f"a84041000181c{number:03d}", f"Lyktstolpe {STREETS[(number - 1) // 5]} {house}")
    for number in range(1, 21)
    for house in [1 + 4 * ((number - 1) % 5)]
)
"""EUI and name of the devices that the contract knows."""

IMPOSSIBLE_HUMIDITY: Final = 140

_LOSS_CHANCE = 0.012


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes wrong with one device, by the number of the slot; None for nothing."""

    cut: int | None = None
    impossible: int | None = None
    rejoin: int | None = None
    ailment: Ailment | None = None


@dataclass(frozen=True, slots=True)
class Uplink:
    """One uplink as it stands in the file, or its loss.

    Attributes:
        time: When the network server received it, or would have.
        line: Its line without the line end; None when no gateway heard it.
        is_cut: Whether the line ends before its JSON does.
        is_impossible: Whether a value is one that no working sensor gives.
        is_rejoin: Whether the device had joined anew, so that counting began at 0.
        fault: What else befell the device, by its name in the summary.
    """

    time: datetime
    line: str | None
    is_cut: bool = False
    is_impossible: bool = False
    is_rejoin: bool = False
    fault: str | None = None


def posts_of(scale: float) -> tuple[tuple[str, str], ...]:
    """EUI and name of the devices of a city of this scale; at least one."""
    count = max(1, round(len(POSTS) * scale))
    unknown = (
        (f"a84041000182{number:04x}", f"Lyktstolpe ny {number}")
        for number in range(1, count - len(POSTS) + 1)
    )
    return (*POSTS[:count], *unknown)


def uplinks(
    post: tuple[str, str],
    number: int,
    period: Period,
    weather: Sequence[Weather],
    plan: Plan,
    seed: int,
) -> Iterator[Uplink]:
    """The uplinks of one device, one for each slot, lost ones among them.

    Args:
        post: EUI and name.
        number: Its number in the city; every seventh is far from all gateways.
        period: When.
        weather: The weather of each slot.
        plan: What goes wrong.
        seed: The city's seed.
    """
    rng = seeded(seed, "kista_multisensor", post[0])
    far = number % 7 == 5
    rate = 0 if far else rng.randint(3, 5)
    device = Device(*post, data_rate=rate, reach=1 if far else len(GATEWAYS))
    count = len(period.slots)
    breath = drift(rng, count, memory=0.9, spread=9)
    shade, offset = rng.uniform(0.3, 1.0), rng.gauss(0, 0.3)
    # Devices wake by their own clocks: each has its own second of the quarter.
    phase, battery = rng.uniform(20, 860), rng.uniform(3520, 3620)
    frame, address = rng.randint(50, 40_000), _address(rng)
    for index, slot in enumerate(period.slots):
        if index == plan.rejoin:
            frame, address = 0, _address(rng)
        time = slot.start + timedelta(seconds=round(phase + rng.uniform(-6, 6), 6))
        reading = _reading(slot, weather[index], breath[index], shade, offset)
        reading["vdd"] = round(battery - index * 0.01 + weather[index].temperature_c)
        if index == plan.impossible:
            reading["humidity"] = IMPOSSIBLE_HUMIDITY
        fault = plan.ailment.befall(reading, index, post[0], seed) if plan.ailment else None
        line: str | None = up_event(
            device, time=time, dev_addr=address, frame=frame, reading=reading, rng=rng
        )
        planted = index in {plan.cut, plan.impossible, plan.rejoin}
        is_lost = rng.random() < _LOSS_CHANCE and not planted
        if fault == FAULTS["silent"]:
            line = None
        elif is_lost or fault == FAULTS["radio"]:
            line, fault = None, FAULTS["radio"]
        elif index == plan.cut and line:
            line = line[: len(line) // 2]  # the collector's disk was full
        marks = (index == plan.cut, index == plan.impossible, index == plan.rejoin)
        yield Uplink(time, line, *marks, fault)
        frame += 1


def _reading(
    slot: Slot, weather: Weather, breath: float, shade: float, offset: float
) -> dict[str, float]:
    carbon_dioxide = 428 + 55 * traffic(slot) * weather.stagnation + breath
    return {
        "temperature": round(weather.temperature_c + offset, 1),
        "humidity": round(min(100.0, weather.humidity_pct - 2 * offset)),
        "co2": round(carbon_dioxide),
        "light": round(min(65_535.0, weather.illuminance_lx * shade)),
    }


def _address(rng: random.Random) -> str:
    return f"01{rng.getrandbits(24):06x}"
