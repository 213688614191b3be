"""What the work on the lake costs: processor seconds, rows and bytes, by what it was done for.

Processor seconds and not time passed: waiting for a slow source costs nobody anything, and a busy
machine does not make the same work dearer.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import pyarrow as pa

from lakehouse import tables
from lakehouse.delta.appending import append_beside
from lakehouse.settings import Settings

Stage = Literal["ingestion", "silver", "gold", "audit", "sharing", "release", "portal"]
"""Steps of the way from a delivery to the portal, each of which is paid for by itself."""

Kind = Literal["source", "product", "platform"]
"""What work is done for; `platform` where it is done for all of them."""


class Purpose(NamedTuple):
    """What some work was done for.

    Attributes:
        stage: The step.
        kind: What it was done for.
        subject: Id of the source or the product, or a name for what is common.
        model: The dbt model that was built, such as `gold.luftkvalitet_timme`.
    """

    stage: Stage
    kind: Kind
    subject: str
    model: str | None = None


@dataclass(slots=True)
class Spent:
    """What one piece of work took.

    Attributes:
        purpose: What it was done for.
        processor_s: Processor seconds of this process and of those that it has started.
        elapsed_s: Seconds that passed.
        rows: Rows delivered or released; None where nothing is counted.
        bytes: Bytes of the same.
        at: When it was done.
    """

    purpose: Purpose
    processor_s: float = 0.0
    elapsed_s: float = 0.0
    rows: int | None = None
    bytes: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """What the work of one run has taken so far; `keep` writes it into the lake.

    Attributes:
        run: Id of the run.
    """

    run: str
    found: list[Spent] = field(default_factory=list)

    @contextmanager
    def measure(self, purpose: Purpose) -> Iterator[Spent]:
        """Count what is done inside, also if it fails. Rows and bytes the caller fills in."""
        spent = Spent(purpose)
        processor, started = _processor_s(), datetime.now(UTC)
        try:
            yield spent
        finally:
            spent.at = datetime.now(UTC)
            spent.processor_s = _processor_s() - processor
            spent.elapsed_s = (spent.at - started).total_seconds()
            self.found.append(spent)

    def divide(self, whole: Spent, among: Mapping[Purpose, float]) -> None:
        """Let purposes bear what was measured as a whole, each by its weight.

        Without any weight it stays as it was measured: nothing that was spent is lost.
        """
        total = sum(among.values())
        if total <= 0:
            return
        self.found.remove(whole)
        self.found.extend(
            replace(
                whole,
                purpose=purpose,
                processor_s=whole.processor_s * weight / total,
                elapsed_s=whole.elapsed_s * weight / total,
            )
            for purpose, weight in among.items()
        )


def keep(settings: Settings, meter: Meter) -> None:
    """Add what was measured to `operations/metering`, once for each run.

    Raises:
        LakeConflict: Others wrote there all the time.
    """
    if not meter.found:
        return
    rows = [
        spent.purpose._asdict()
        | {"metered_at": spent.at, "run": meter.run}
        | {name: value for name, value in asdict(spent).items() if name not in ("purpose", "at")}
        for spent in meter.found
    ]
    append_beside(
        tables.metering(settings),
        pa.Table.from_pylist(rows, tables.METERING),
        f"run:{meter.run}",
        "What work on the lake took, by what it was done for.",
    )


def _processor_s() -> float:
    """Processor seconds of this process and of those it has started and waited for."""
    found = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in found)
