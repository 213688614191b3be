"""From a published file back to the raw deliveries that made it, every hash checked on the way.

What the walk needs stands in the manifest, which is signed; what it is held against stands in the
lake. A row is narrowed down by its day: which deliveries landed rows of its sources on that day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from lakehouse import delta, duck, landing_zone, lineage, tables
from lakehouse.errors import LakeError, Problem
from lakehouse.settings import Settings
from lakehouse.signatures import trusted_keys
from publishing.releases.manifest import (
    MANIFEST,
    release_folder,
    release_numbers,
    released_products,
    sha256_of,
    stored_manifest,
)
from publishing.releases.verification import verify_as

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Link:
    """One thing on the way from a file to its deliveries.

    Attributes:
        what: What it is, such as `signature` or `delivery`.
        told: What was found out about it.
        is_sound: Whether it is as it was told; None if it can no longer be asked.
    """

    what: str
    told: str
    is_sound: bool | None


def trace(settings: Settings, path: Path, row: Mapping[str, str]) -> Iterator[Link]:
    """Walk from a published file, or one row of it, to the raw deliveries.

    Args:
        settings: The lake.
        path: A file of a release, wherever it lies; it is known by its content.
        row: Values of columns that tell one row; empty for the whole file.

    Raises:
        LakeError: No release has such a file, or the row is not in it.
    """
    digest = sha256_of(path)
    product, number = _release_with(settings, path, digest)
    told = stored_manifest(settings, product, number)
    yield Link("file", f"{path.name}, sha-256 {digest[:16]}…", True)
    folder = release_folder(settings, product, number)
    found = verify_as(folder, trusted_keys(settings), (product, number))
    problems = "".join(f"; {problem.place}: {problem.what}" for problem in found.problems)
    words = f"{product} {number}, signed by {found.signer or 'nobody'}{problems}"
    yield Link("release", words, not found.problems)
    yield from _gate(told)
    if not told.get("lineage"):
        yield Link("lineage", "the release was made before lineage was kept", None)
        return
    yield from _tables(settings, told)
    days = _days_of(settings, told, row) if row else None
    for source in told["lineage"]["sources"]:
        yield from _deliveries(settings, source, days)


def _release_with(settings: Settings, path: Path, digest: str) -> tuple[str, int]:
    for product in released_products(settings):
        for number in reversed(release_numbers(settings, product)):
            manifest = release_folder(settings, product, number) / MANIFEST
            files = stored_manifest(settings, product, number)["files"]
            if digest == sha256_of(manifest) or digest in {one["sha256"] for one in files}:
                return product, number
    raise LakeError(
        Problem(
            str(path),
            "no release of this lake has a file with this content",
            "Compare it with the portal's; it may have been changed, or be another lake's.",
        )
    )


def _gate(told: Mapping[str, Any]) -> Iterator[Link]:
    verdict, policy, approval = told["verdict"], told.get("policy"), told.get("approval")
    passed = bool(verdict["checks"]) and not verdict["reasons"]
    yield Link(
        "audit",
        f"{len(verdict['checks'])} checks on Delta version {verdict['delta_version']}, "
        f"{verdict['rows']:,} rows, {verdict['audited_at']}",
        passed and verdict["delta_version"] == told["delta_version"],
    )
    if policy:
        held = [one for one in policy["outcomes"] if one["holds"] is True]
        refused = [one for one in policy["outcomes"] if one["holds"] is False]
        words = f"{policy['audience']}: {len(held)} rules hold, decided on {policy['decided_on']}"
        yield Link("sharing", words, bool(held) and not refused)
    if approval:
        words = f"{approval['decision']}, {approval['decided_by']}, {approval['decided_on']}"
        yield Link("approval", words, True)


def _tables(settings: Settings, told: Mapping[str, Any]) -> Iterator[Link]:
    for step in told["lineage"]["steps"]:
        now = lineage.commit_digest(settings, step["table"], step["version"])
        words = f"{step['table']}, version {step['version']}, commit {step['commit'][:16]}…"
        if now is None:
            yield Link("table", f"{words}: summed up by upkeep since", None)
        else:
            yield Link("table", words, now == step["commit"])


def _deliveries(
    settings: Settings, told: Mapping[str, Any], days: Sequence[date] | None
) -> Iterator[Link]:
    source = told["source"]
    landed = lineage.deliveries(settings, source, told["batch"])
    is_same = (len(landed), lineage.digest_of(landed)) == (told["count"], told["digest"])
    words = f"{source}: {told['count']:,} deliveries until batch {told['batch']}"
    if not told["is_followed"]:
        words += " (its newest at release; the model follows no marks)"
    yield Link("source", words, is_same)
    if days is not None:
        of_days = _landed_on(settings, source, told["batch"], days)
        landed = tuple(one for one in landed if one.sha256 in of_days)
    bad = 0
    for one in landed:
        link = _raw(settings, source, one)
        bad += link.is_sound is False
        if days is not None or len(landed) <= _SHOWN or link.is_sound is False:
            yield link
    if days is None and len(landed) > _SHOWN:
        yield Link("delivery", f"{len(landed) - bad:,} more of {source}, bytes as landed", not bad)


def _raw(settings: Settings, source: str, one: lineage.Delivery) -> Link:
    words = f"{one.name}, received {one.received_at or 'unknown'}, sha-256 {one.sha256[:16]}…"
    path = landing_zone.address(settings, source, one.sha256)
    if landing_zone.is_erased(settings, source, one.sha256):
        return Link("delivery", f"{words}: something of it was erased on request", None)
    if not path.is_file():
        return Link("delivery", f"{words}: its bytes are gone", False)
    return Link("delivery", words, sha256_of(path) == one.sha256)


def _days_of(settings: Settings, told: Mapping[str, Any], row: Mapping[str, str]) -> list[date]:
    """The UTC days that the row's time may be of: a date in Stockholm reaches into two."""
    product, number = told["product"], told["number"]
    parquet = release_folder(settings, product, number) / f"{product}.parquet"
    time = duck.identifier(told["publication"]["time_column"])
    names = {column["name"] for column in told["columns"]}
    unknown = sorted(set(row) - names)
    if unknown:
        listed = ", ".join(sorted(names))
        raise LakeError(
            Problem(str(parquet), f"it has no column '{unknown[0]}'", f"Columns: {listed}.")
        )
    where = " and ".join(f"cast({duck.identifier(name)} as varchar) = ?" for name in row)
    with duck.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = connection.execute(
            f"select distinct cast({time} as date) from read_parquet({duck.literal(parquet)}) "
            f"where {where} order by 1",
            list(row.values()),
        ).fetchall()
    if not found:
        raise LakeError(
            Problem(str(parquet), "it has no such row", "Write values as the CSV or DuckDB does.")
        )
    kinds = {column["name"]: column["type"] for column in told["columns"]}
    shifts = (-1, 0) if kinds[told["publication"]["time_column"]] == "date" else (0,)
    return sorted({day + timedelta(days=shift) for (day,) in found if day for shift in shifts})


def _landed_on(settings: Settings, source: str, batch: int, days: Sequence[date]) -> frozenset[str]:
    address = tables.bronze(settings, source)
    if not delta.exists(address):
        return frozenset()
    listed = ", ".join(f"date '{day}'" for day in days)
    with duck.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.execute(
            f"""select distinct _delivery from {duck.delta_scan(address)}
            where _batch <= ? and phenomenon_time::date in ({listed})""",
            [batch],
        ).fetchall()
    return frozenset(delivery for (delivery,) in rows)
