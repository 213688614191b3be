"""A file of observations and a lake to land it in: a thousand sensors, one reading a minute."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import yaml

from lakehouse import delta, tables
from lakehouse.contracts import SourceContract, load_source
from lakehouse.duck import connect
from lakehouse.settings import Settings

SOURCE = "sensors"
_BATCH = 5_000_000

MINUTES = "timestamp '2026-01-01' + to_minutes(i // 1000)"
"""When the i-th reading is made: a thousand sensors, one reading a minute."""

DAYS = (
    "timestamp '2026-01-01' + to_days((i // 1000000)::int) + to_seconds(i % 1000000 // 1000 * 86)"
)
"""The same with a thousand readings a day, so that a day has a million."""

MEASURED = {
    "temperature": ("air_temperature", "Cel"),
    "humidity": ("relative_humidity", "%"),
    "battery": ("battery_voltage", "V"),
}
"""Channels of the sources of nested formats: observed property and unit."""

_CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": SOURCE,
    "version": "1.0.0",
    "status": "active",
    "schema": [
        {
            "name": "readings",
            "logicalType": "object",
            "properties": [
                {
                    "name": "temperature",
                    "logicalType": "number",
                    "logicalTypeOptions": {"minimum": -40, "maximum": 60},
                    "customProperties": [
                        {"property": "observedProperty", "value": "air_temperature"},
                        {"property": "unit", "value": "Cel"},
                    ],
                }
            ],
        }
    ],
    "customProperties": [
        {
            "property": "source",
            "value": {
                "organisation": "miljoforvaltningen",
                "initiative": "luftmatning_hornsgatan",
                "owner": "Benchmark",
                "contact": "benchmark@stockholm.example",
            },
        },
        {
            "property": "classification",
            "value": {"k": 0, "r": 0, "t": 0, "personalData": False},
        },
    ],
}


def rows(count: int, start: int = 0, shift: float = 0, when: str = MINUTES) -> str:
    """SQL of observations: `sensor`, `property`, `ts` (text), `value`."""
    return f"""select 'sensor-' || lpad((i % 1000)::varchar, 4, '0') as sensor,
        'temperature' as property,
        strftime({when}, '%Y-%m-%dT%H:%M:%SZ') as ts,
        round(20 + 5 * sin(i / 5000.0) + (hash(i) % 1000) / 500.0 + {shift}, 2) as value
        from range({start}, {start + count}) t(i)"""


def write(query: str, path: Path) -> None:
    """Write rows as NDJSON or CSV, as the name says; `.gz` packs them."""
    form = "json" if ".ndjson" in path.name else "csv, header"
    packed = ", compression gzip" if path.suffix == ".gz" else ""
    with duckdb.connect() as connection:
        connection.execute(f"copy ({query}) to '{path}' (format {form}{packed})")


def lake(folder: Path, form: str) -> tuple[Settings, SourceContract]:
    """An empty lake with one source, whose format is `json` or `csv`."""
    delivery = {
        "protocol": "folder",
        "format": form,
        "time": {"columns": ["ts"], "zone": "UTC"},
        "device": {"column": "sensor"},
        "narrow": {"channel": "property", "value": "value"},
    }
    return source(folder, delivery, path=f"{SOURCE}/*")


def nested(folder: Path, form: str, framing: str) -> tuple[Settings, SourceContract]:
    """An empty lake with one source of nested JSON, which measures the `MEASURED`."""
    delivery = {"protocol": "folder", "format": form, "framing": framing}
    columns = [
        {
            "name": name,
            "logicalType": "number",
            "logicalTypeOptions": {"minimum": -100, "maximum": 100},
            "customProperties": [
                {"property": "observedProperty", "value": observed},
                {"property": "unit", "value": unit},
            ],
        }
        for name, (observed, unit) in MEASURED.items()
    ]
    schema = [{"name": "readings", "logicalType": "object", "properties": columns}]
    return source(folder, delivery, schema, path=f"{SOURCE}/*")


def source(
    folder: Path,
    delivery: Mapping[str, Any],
    schema: Sequence[Mapping[str, Any]] | None = None,
    **server: str,
) -> tuple[Settings, SourceContract]:
    """An empty lake with one source, delivered as told, from a server with a path or a location."""
    path = folder / "contracts" / "sources" / f"{SOURCE}.yaml"
    path.parent.mkdir(parents=True)
    properties = [*_CONTRACT["customProperties"], {"property": "delivery", "value": delivery}]
    contract = _CONTRACT | {
        "servers": [{"server": "only", "type": "custom", **server}],
        "schema": schema or _CONTRACT["schema"],
        "customProperties": properties,
    }
    path.write_text(yaml.safe_dump(contract), "utf-8")
    settings = Settings.from_environment({}, contracts=folder / "contracts", home=folder / "home")
    (settings.inbox / SOURCE).mkdir(parents=True)
    return settings, load_source(path)


def land(
    settings: Settings, first: int, last: int, *, shift: float = 0, when: str = MINUTES
) -> None:
    """Land observations by their numbers, as ingestion leaves them, in batches of five million."""
    bronze = tables.bronze(settings, SOURCE)
    with connect(extensions=()) as connection:
        for start in range(first, last, _BATCH):
            number = delta.mark_of(bronze, "batch") + 1
            delta.append_query(
                bronze,
                connection,
                f"""select sensor as device, property as channel,
                    ts::timestamptz as phenomenon_time, value, 'Cel' as unit, 'good' as quality,
                    {number}::bigint as _batch, '{number:064d}' as _delivery,
                    row_number() over () as _row, timestamptz '2027-01-01' as _received_at,
                    timestamptz '2027-01-01' as _landed_at,
                    ts::timestamptz::date as partition_date
                from ({rows(min(_BATCH, last - start), start, shift, when)})""",
                tables.TELEMETRY,
                partition_by=["partition_date"],
                marks={"batch": number} | ({"daily_from": 2026} if number == 1 else {}),
            )


def deliver(settings: Settings, path: Path) -> None:
    """Put a file into the inbox without copying it."""
    os.link(path, settings.inbox / SOURCE / path.name)
