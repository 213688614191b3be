"""Where sources, products and sensors stand, read from the ledger, the lake and the releases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lakehouse import delta, tables
from lakehouse.contracts import Contracts, ProductContract
from lakehouse.duck import connect, delta_scan
from lakehouse.settings import Settings
from lakehouse.verdicts import load_verdict
from publishing.releases.manifest import newest_release

_WELL: Final = ("ok", "too_little_history")


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source's deliveries so far; times are ISO 8601 in UTC."""

    source_id: str
    deliveries: int
    refused: int
    landed: int
    quarantined: int
    data_until: str | None
    last_taken: str | None


@dataclass(frozen=True, slots=True)
class ProductStatus:
    """A product's newest model version, the verdict on it, and its newest release."""

    product_id: str
    audience: str
    model_version: int | None
    verdict: str
    release: int | None
    data_until: str | None


@dataclass(frozen=True, slots=True)
class SensorStatus:
    """The devices of a lake on the newest day that is judged.

    Attributes:
        day: The day, ISO 8601.
        devices: How many there are.
        findings: How many have a sensor with each finding, most first.
    """

    day: str
    devices: int
    findings: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Status:
    """All sources, products and sensors of a lake; no sensors before the first build."""

    sources: tuple[SourceStatus, ...]
    products: tuple[ProductStatus, ...]
    sensors: SensorStatus | None


def status_of(settings: Settings, contracts: Contracts) -> Status:
    """Read where a lake stands."""
    ledger = _ledger(settings)
    return Status(
        tuple(_source(settings, source_id, ledger) for source_id in contracts.sources),
        tuple(_product(settings, product) for product in contracts.products.values()),
        _sensors(settings),
    )


def _ledger(settings: Settings) -> dict[str, tuple[int, int, int, int, str]]:
    address = tables.ledger(settings)
    if not delta.exists(address):
        return {}
    with connect() as connection:
        rows = connection.execute(
            f"""
            select source_id, count(*), count(*) filter (where outcome = 'refused'),
                sum(landed)::bigint, sum(quarantined)::bigint,
                strftime(max(recorded_at), '%Y-%m-%dT%H:%M:%SZ')
            from {delta_scan(address)} group by source_id
            """
        ).fetchall()
    return {row[0]: row[1:] for row in rows}


def _source(
    settings: Settings, source_id: str, ledger: dict[str, tuple[int, int, int, int, str]]
) -> SourceStatus:
    deliveries, refused, landed, quarantined, last = ledger.get(source_id, (0, 0, 0, 0, None))
    return SourceStatus(
        source_id, deliveries, refused, landed, quarantined, _until(settings, source_id), last
    )


def _until(settings: Settings, source_id: str) -> str | None:
    address = tables.bronze(settings, source_id)
    if not delta.exists(address):
        return None
    with connect() as connection:
        found = connection.execute(
            f"""select strftime(max(phenomenon_time), '%Y-%m-%dT%H:%M:%SZ')
            from {delta_scan(address)}"""
        ).fetchall()
    until: str | None = found[0][0]
    return until


def _product(settings: Settings, product: ProductContract) -> ProductStatus:
    version = delta.version_of(tables.model(settings, "gold", product.model))
    verdict = load_verdict(settings, product, version) if version is not None else None
    newest = newest_release(settings, product.id)
    return ProductStatus(
        product.id,
        product.publication.audience,
        version,
        "not audited" if verdict is None else "passed" if verdict.passed else "failed",
        newest.number if newest else None,
        newest.period[1] if newest and newest.period else None,
    )


def _sensors(settings: Settings) -> SensorStatus | None:
    address = tables.model(settings, "gold", "sensorhalsa_dygn")
    if not delta.exists(address):
        return None
    with connect() as connection:
        rows = connection.execute(
            f"""
            with newest as (
                select * from {delta_scan(address)}
                qualify local_date = max(local_date) over ()
            )
            select local_date::varchar, status, count(distinct thing_id)::bigint,
                any_value(devices)::bigint
            from newest cross join (select count(distinct thing_id) as devices from newest)
            group by local_date, status order by 3 desc, 2
            """
        ).fetchall()
    if not rows:
        return None
    counts = {status: devices for _, status, devices, _ in rows if status not in _WELL}
    return SensorStatus(rows[0][0], rows[0][3], counts)
