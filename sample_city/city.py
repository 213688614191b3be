"""The whole city: each supplier's deliveries, put into the inbox and accounted for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from sample_city import (
    belysning,
    dataportal_loggar,
    drottninggatan_lejon,
    hamnar_elmatare,
    kista_multisensor,
    miljo_luft,
    sisab_inomhus,
    smarta_las,
    smhi_vader,
    svoa_vatten,
    trafik_floden,
)
from sample_city.inbox import place
from sample_city.period import Period
from sample_city.summary import Delivered, SourceSummary, Summary

Supplier = Callable[[Period, int, float], Iterator[tuple[Delivered, bytes]]]

SUPPLIERS: Final[Mapping[str, Supplier]] = {
    "miljo_luft": miljo_luft.deliveries,
    "kista_multisensor": kista_multisensor.deliveries,
    "hamnar_elmatare": hamnar_elmatare.deliveries,
    "trafik_floden": trafik_floden.deliveries,
    "belysning": belysning.deliveries,
    "dataportal_loggar": dataportal_loggar.deliveries,
    "drottninggatan_lejon": drottninggatan_lejon.deliveries,
    "svoa_vatten": svoa_vatten.deliveries,
    "sisab_inomhus": sisab_inomhus.deliveries,
    "smhi_vader": smhi_vader.deliveries,
    "smarta_las": smarta_las.deliveries,
}


def generate(inbox: Path, *, seed: int = 2026, scale: float = 1.0, days: int = 14) -> Summary:
    """Write the city's deliveries into an inbox.

    The same arguments always give the same bytes; a file that already has them is not touched,
    and files of other names are left alone.

    Args:
        inbox: Folder with one folder for each source; made when missing.
        seed: Another seed gives another city.
        scale: Devices, as a multiple of those the contracts name. Above 1 the additional ones
            are unknown to the contracts, as new devices are in life.
        days: Local days from 2026-10-19 on. Below 7 some faults have no day to stand in.

    Returns:
        What was delivered and what the lake's ledger must say about it after a first ingest.

    Raises:
        ValueError: There would be no device or no day.
    """
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"expected a scale above 0, got {scale}")
    period = Period.of_days(days)
    return Summary(
        seed=seed,
        scale=scale,
        days=days,
        sources=tuple(
            SourceSummary(source_id, tuple(_deliver(inbox, source_id, deliveries)))
            for source_id, supplier in SUPPLIERS.items()
            for deliveries in [supplier(period, seed, scale)]
        ),
    )


def _deliver(
    inbox: Path, folder: str, deliveries: Iterator[tuple[Delivered, bytes]]
) -> Iterator[Delivered]:
    for delivered, content in deliveries:
        place(inbox, folder, delivered.name, content)
        yield delivered
