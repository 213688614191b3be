"""Addresses of Delta tables in the lake and the schemas of those every source shares."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa

from lakehouse.settings import Settings

INSTANT: Final = pa.timestamp("us", tz="UTC")


def _column(name: str, kind: pa.DataType, comment: str, *, nullable: bool = True) -> pa.Field:
    """A column whose comment is kept in the Delta schema, where analysts find it."""
    return pa.field(name, kind, nullable=nullable, metadata={"comment": comment})


TECHNICAL: Final = (
    _column("_batch", pa.int64(), "Batch of the source, counted from 1", nullable=False),
    _column("_delivery", pa.string(), "sha-256 of the delivery's bytes", nullable=False),
    _column("_member", pa.string(), "File in the delivery, when that was an archive"),
    _column("_row", pa.int64(), "Line or record number in that file, from 1", nullable=False),
    _column("_received_at", INSTANT, "When the delivery was received, UTC", nullable=False),
    _column("_landed_at", INSTANT, "When the row landed, UTC", nullable=False),
)
"""Columns that say where a row came from."""

TELEMETRY: Final = pa.schema(
    [
        _column("device", pa.string(), "Device as the source calls it", nullable=False),
        _column("channel", pa.string(), "Channel, named by the contract", nullable=False),
        _column("phenomenon_time", INSTANT, "When it was so; start of an interval", nullable=False),
        _column("phenomenon_time_end", INSTANT, "End of the interval; null for an instant"),
        _column("value", pa.float64(), "Value in the unit of the source"),
        _column("text", pa.string(), "Value when it is no number; all digits of one too long"),
        _column("unit", pa.string(), "Unit of the value as delivered (UCUM)"),
        _column("quality", pa.string(), "good, uncertain or bad", nullable=False),
        _column("quality_code", pa.string(), "The source's own quality code"),
        _column("result_time", INSTANT, "When the source made or changed the value"),
        _column("longitude", pa.float64(), "Delivered position, degrees east, WGS 84"),
        _column("latitude", pa.float64(), "Delivered position, degrees north, WGS 84"),
        _column("attributes", pa.string(), "What else was delivered with it, JSON"),
        *TECHNICAL,
        _column(
            "partition_date", pa.date32(), "UTC day, or 1 January for old years", nullable=False
        ),
    ]
)
"""Bronze table of every telemetry source: one row per device, channel, time and revision, as
delivered."""

QUARANTINE: Final = pa.schema(
    [
        pa.field("reason", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("channel", pa.string()),
        pa.field("raw", pa.string()),
        pa.field("name", pa.string(), nullable=False),
        pa.field("_batch_id", pa.string()),
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
        pa.field("received_at", pa.string()),
        pa.field("recorded_at", INSTANT, nullable=False),
    ]
)
"""One row for each taking of a delivery: what was offered and where each row of it went. The
newest one stands; a replay accounts for the whole delivery anew."""


QUALITY: Final = pa.schema(
    [
        _column("product", pa.string(), "Product", nullable=False),
        _column("model", pa.string(), "Gold model its rows come from", nullable=False),
        _column("delta_version", pa.int64(), "Version that was audited", nullable=False),
        _column("contract_version", pa.string(), "Version of its contract", nullable=False),
        _column("audited_at", INSTANT, "When the audit was made, UTC", nullable=False),
        _column("check", pa.string(), "What was checked", nullable=False),
        _column("column", pa.string(), "Column or columns; null for the table"),
        _column("severity", pa.string(), "critical or warning", nullable=False),
        _column("passed", pa.bool_(), "Whether it held", nullable=False),
        _column("unexpected", pa.int64(), "Rows that broke it", nullable=False),
        _column("rows", pa.int64(), "Rows of the version", nullable=False),
    ]
)
"""One row for each check of each audit."""

QUALITY_DAYS: Final = pa.schema(
    [
        _column("product", pa.string(), "Product", nullable=False),
        _column("model", pa.string(), "Gold model its rows come from", nullable=False),
        _column("delta_version", pa.int64(), "Version that was audited", nullable=False),
        _column("contract_version", pa.string(), "Version of its contract", nullable=False),
        _column("audited_at", INSTANT, "When the audit was made, UTC", nullable=False),
        _column("passed", pa.bool_(), "Whether the audit passed", nullable=False),
        _column("day", pa.date32(), "UTC day of the product's time column", nullable=False),
        _column("complete", pa.bool_(), "Whether there was a later day", nullable=False),
        _column("newest", INSTANT, "The last time of the day", nullable=False),
        _column("column", pa.string(), "Column; null for the day itself"),
        _column("rows", pa.int64(), "Rows of the day; 0 for a day that is gone", nullable=False),
        _column("missing", pa.float64(), "Share of them without a value"),
        _column("mean", pa.float64(), "Mean of the numbers, or of fingerprints of texts"),
        _column("minimum", pa.float64(), "Least number"),
        _column("maximum", pa.float64(), "Greatest number"),
        _column("distinct", pa.int64(), "Different texts"),
    ]
)
"""What a day of a product was like when it was audited. The newest row of a day that passed
stands."""


METERING: Final = pa.schema(
    [
        _column("metered_at", INSTANT, "When it was done, UTC", nullable=False),
        _column("run", pa.string(), "Run of a job", nullable=False),
        _column("stage", pa.string(), "Step, from ingestion to portal", nullable=False),
        _column("kind", pa.string(), "source, product or platform", nullable=False),
        _column("subject", pa.string(), "What it was done for", nullable=False),
        _column("model", pa.string(), "dbt model that was built"),
        _column("processor_s", pa.float64(), "Processor time, s", nullable=False),
        _column("elapsed_s", pa.float64(), "Time that passed, s", nullable=False),
        _column("rows", pa.int64(), "Rows delivered or released"),
        _column("bytes", pa.int64(), "Bytes delivered or released"),
    ]
)
"""One row for each piece of work of each run of a job, and what it was done for."""


LAYERS: Final = ("reference", "bronze", "quarantine", "silver", "gold", "operations")
"""Folders of the lake that hold tables."""


def every(settings: Settings) -> dict[str, Path]:
    """All tables that there are, by names such as `bronze.miljo_luft`; the ledger is `ledger`."""
    return {
        "ledger" if path == ledger(settings) else f"{layer}.{path.name}": path
        for layer in LAYERS
        for path in sorted((settings.lake / layer).glob("*"))
        if (path / "_delta_log").is_dir()
    }


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


def quality(settings: Settings) -> Path:
    """Every check of every audit."""
    return settings.lake / "operations" / "quality"


def quality_days(settings: Settings) -> Path:
    """What the days of products were like when they were audited."""
    return settings.lake / "operations" / "quality_days"


def metering(settings: Settings) -> Path:
    """What work on the lake took, by what it was done for."""
    return settings.lake / "operations" / "metering"
