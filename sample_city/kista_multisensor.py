"""Stadsledningskontoret's deliveries: one file of LoRaWAN uplinks a UTC day, one of them gzipped.

The period is counted in local days, so the first file holds the two hours of its UTC day that
are already the first day in Stockholm.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby, islice
from operator import attrgetter

from lakehouse.ledger import Ledger
from sample_city.ailments import Ailment
from sample_city.lamp_posts import CHANNELS, POSTS, Plan, Uplink, posts_of, uplinks
from sample_city.period import Period
from sample_city.summary import Delivered
from sample_city.weather import weather_of

_GZIPPED = 3  # the supplier's archiver had run before the file was fetched


def deliveries(period: Period, seed: int, scale: float) -> Iterator[tuple[Delivered, bytes]]:
    """The files of the period, in the order of their names.

    Args:
        period: When.
        seed: The city's seed.
        scale: Devices, as a multiple of those in the contract.
    """
    for number, (day, heard) in enumerate(_uplinks_by_day(period, seed, scale)):
        heard.sort(key=attrgetter("time"))
        name = f"uplinks_{day}.ndjson"
        content = "".join(f"{uplink.line}\n" for uplink in heard if uplink.line).encode()
        if number == _GZIPPED:
            # No name and no time inside: the same uplinks are the same bytes.
            name, content = f"{name}.gz", gzip.compress(content, compresslevel=6, mtime=0)
        yield Delivered(name, _ledger(heard), faults=_faults(heard)), content


def _uplinks_by_day(period: Period, seed: int, scale: float) -> Iterator[tuple[date, list[Uplink]]]:
    """The uplinks of each UTC day, device by device; only one day is held in memory."""
    weather = weather_of(period, seed)
    posts = posts_of(scale)
    plans = _plans(len(period.slots), len(posts))
    devices = [
        uplinks(post, number, period, weather, plans.get(number, Plan()), seed)
        for number, post in enumerate(posts)
    ]
    for day, slots in groupby(period.slots, key=lambda slot: slot.start.date()):
        count = len(list(slots))
        yield day, [uplink for device in devices for uplink in islice(device, count)]


def _plans(slots: int, posts: int) -> dict[int, Plan]:
    """Which devices go wrong, and when; all in one where there are not enough of them."""
    cut, impossible, rejoin = slots * 6 // 10, slots * 45 // 100, slots * 7 // 10
    if posts < 9:
        return {0: Plan(cut, impossible, rejoin)}
    plans = {2: Plan(cut=cut), 5: Plan(impossible=impossible), 8: Plan(rejoin=rejoin)}
    if posts < len(POSTS):
        return plans
    # Late in the period, when the sensors have a history that shows what is usual for them.
    late, last = slots * 70 // 100, slots * 85 // 100
    return plans | {
        10: Plan(ailment=Ailment("stuck", late)),
        13: Plan(ailment=Ailment("silent", last)),
        14: Plan(ailment=Ailment("drifting", late)),
        16: Plan(ailment=Ailment("spiking", late)),
        17: Plan(ailment=Ailment("battery", late)),
        18: Plan(ailment=Ailment("radio", late)),
    }


def _ledger(heard: Sequence[Uplink]) -> Ledger:
    """One row for each decoded key; a cut line is one row, for its keys cannot be told."""
    lines = [uplink for uplink in heard if uplink.line]
    cut = sum(uplink.is_cut for uplink in lines)
    impossible = sum(uplink.is_impossible for uplink in lines)
    whole = (len(lines) - cut) * len(CHANNELS)
    return Ledger(
        records=len(lines),
        rows_in=whole + cut,
        landed=whole - impossible,
        quarantined=cut + impossible,
    )


def _faults(heard: Sequence[Uplink]) -> dict[str, int]:
    counts = Counter(uplink.fault for uplink in heard if uplink.fault)
    counts["cut_line"] = sum(uplink.is_cut for uplink in heard)
    counts["out_of_range"] = sum(uplink.is_impossible for uplink in heard)
    counts["rejoin"] = sum(uplink.is_rejoin for uplink in heard)
    return {fault: count for fault, count in counts.items() if count}
