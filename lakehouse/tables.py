"""Addresses of Delta tables in the lake and the schemas of those every source shares."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa

from lakehouse.settings import Settings

INSTANT: Final = pa.timestamp("us", tz="UTC")

TECHNICAL: Final = (
    pa.field("_batch", pa.int64(), nullable=False),
    pa.field("_delivery", pa.string(), nullable=False),
    pa.field("_member", pa.string()),
    pa.field("_row", pa.int64(), nullable=False),
    pa.field("_landed_at", INSTANT, nullable=False),
)
"""Columns that say where a row came from: batch number of its source, sha-256 of the delivery,
file inside the delivery when it was an archive, row or line number, and landing time."""

TELEMETRY: Final = pa.schema(
    [
        pa.field("device", pa.string(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("phenomenon_time", INSTANT, nullable=False),
        pa.field("phenomenon_time_end", INSTANT),
        pa.field("value", pa.float64()),
        pa.field("text", pa.string()),
        pa.field("unit", pa.string()),
        pa.field("quality", pa.string(), nullable=False),
        pa.field("quality_code", pa.string()),
        pa.field("result_time", INSTANT),
        pa.field("longitude", pa.float64()),
        pa.field("latitude", pa.float64()),
        pa.field("attributes", pa.string()),
        *TECHNICAL,
    ]
)
"""Bronze table of every telemetry source: one row per device, channel, time and revision, as
delivered (units of the source, positions in WGS 84 degrees)."""

QUARANTINE: Final = pa.schema(
    [
        pa.field("reason", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("channel", pa.string()),
        pa.field("raw", pa.string()),
        pa.field("name", pa.string(), nullable=False),
        *TECHNICAL,
    ]
)
"""Rows that broke their contract, with the reason and the row as it was delivered."""

LEDGER: Final = pa.schema(
    [
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("batch", pa.int64()),
        pa.field("batch_id", pa.string()),
        pa.field("delivery", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("records", pa.int64(), nullable=False),
        pa.field("rows_in", pa.int64(), nullable=False),
        pa.field("landed", pa.int64(), nullable=False),
        pa.field("quarantined", pa.int64(), nullable=False),
        pa.field("duplicates", pa.int64(), nullable=False),
        pa.field("filtered", pa.int64(), nullable=False),
        pa.field("filtered_by_rule", pa.string(), nullable=False),
        pa.field("findings", pa.string(), nullable=False),
        pa.field("recorded_at", INSTANT, nullable=False),
    ]
)
"""One row per delivery taken: what was offered and where each row of it went."""


def bronze(settings: Settings, source_id: str) -> Path:
    """Rows of a source as delivered."""
    return settings.lake / "bronze" / source_id


def quarantine(settings: Settings, source_id: str) -> Path:
    """Rows of a source that broke its contract."""
    return settings.lake / "quarantine" / source_id


def reference(settings: Settings, name: str) -> Path:
    """What the contracts and the vocabulary say, as a table SQL can join."""
    return settings.lake / "reference" / name


def model(settings: Settings, layer: str, name: str) -> Path:
    """A dbt model of the layer `silver` or `gold`."""
    return settings.lake / layer / name


def ledger(settings: Settings) -> Path:
    """Every delivery taken, of every source."""
    return settings.lake / "operations" / "ledger"
