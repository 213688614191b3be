"""What one version of a gold table was made from: versions of tables, down to raw deliveries.

Each commit of a model says, by marks, which versions it follows; so the walk needs nothing but the
logs. A model that follows nothing is built whole from what there is: what its sources had
delivered when the walk is made stands for it, and the lineage says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakehouse import delta, duck, tables
from lakehouse.contracts.own import OWN
from lakehouse.delta import transaction_log
from lakehouse.settings import Settings


@dataclass(frozen=True, slots=True)
class Step:
    """One version of a table on the way.

    Attributes:
        table: Such as `gold.luftkvalitet_timme`.
        version: Its Delta version.
        commit: sha-256 of the entry in its log that made it.
    """

    table: str
    version: int
    commit: str


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The raw deliveries of one source that a table was made from.

    Attributes:
        source: Source id.
        batch: The last batch of bronze that had been followed.
        is_followed: Whether marks say so; False where the source's newest batch stands for it.
        count: Deliveries that had landed rows until then.
        digest: sha-256 over their sorted sha-256.
    """

    source: str
    batch: int
    is_followed: bool
    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """The tables on the way, nearest first, and the deliveries at its end."""

    steps: tuple[Step, ...]
    sources: tuple[Deliveries, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery as the ledger has it."""

    sha256: str
    name: str
    received_at: str | None
    batch: int


def lineage_of(settings: Settings, model: str, version: int, sources: Sequence[str]) -> Lineage:
    """Walk from a version of a gold model to the deliveries.

    Args:
        settings: The lake.
        model: Name of the gold model.
        version: Its Delta version.
        sources: The sources that the product says it is made from.
    """
    batches: dict[str, int] = {}
    steps = tuple(_steps(settings, f"gold.{model}", version, batches))
    found = []
    for source in sources:
        if source in OWN:  # nobody delivers it; its tables are steps on the way
            continue
        followed = batches.get(source)
        newest = delta.mark_of(tables.bronze(settings, source), "batch")
        batch = newest if followed is None else followed
        landed = deliveries(settings, source, batch)
        found.append(
            Deliveries(source, batch, followed is not None, len(landed), digest_of(landed))
        )
    return Lineage(steps, tuple(found))


def deliveries(settings: Settings, source: str, batch: int) -> tuple[Delivery, ...]:
    """The deliveries of a source that had landed rows until a batch, by their sha-256."""
    address = tables.ledger(settings)
    if not delta.exists(address):
        return ()
    with duck.connect() as connection:
        rows = connection.execute(
            f"""select delivery, min(name), min(received_at), min(batch)
            from {duck.delta_scan(address)}
            where source_id = ? and batch <= ? and outcome in ('landed', 'replayed')
            group by delivery order by delivery""",
            [source, batch],
        ).fetchall()
    return tuple(Delivery(*row) for row in rows)


def digest_of(found: Sequence[Delivery]) -> str:
    """sha-256 over the sorted sha-256 of deliveries."""
    return hashlib.sha256("\n".join(sorted(one.sha256 for one in found)).encode()).hexdigest()


def commit_digest(settings: Settings, table: str, version: int) -> str | None:
    """sha-256 of the log entry of a table's version; None if upkeep has summed it up since."""
    layer, _, name = table.partition(".")
    path = transaction_log.entry(tables.model(settings, layer, name), version)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _steps(settings: Settings, table: str, version: int, batches: dict[str, int]) -> Iterator[Step]:
    """The tables on the way, each once; how far bronze was followed goes into `batches`."""
    known = {
        name: path
        for name, path in tables.every(settings).items()
        if name.startswith(("silver.", "gold.", "bronze."))
    }
    waiting, seen = [(table, version)], {table}
    while waiting:
        name, at = waiting.pop(0)
        yield Step(name, at, commit_digest(settings, name, at) or "")
        for upstream, reached in _followed(known[name], at, known).items():
            if upstream.startswith("bronze."):
                source = upstream.removeprefix("bronze.")
                batches[source] = max(batches.get(source, 0), reached)
            elif upstream not in seen:
                seen.add(upstream)
                waiting.append((upstream, reached))


def _followed(address: Path, version: int, known: Mapping[str, Path]) -> Mapping[str, int]:
    return dict(sorted(transaction_log.marks(address, version, known).items()))
