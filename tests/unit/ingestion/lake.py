"""A small real lake: contracts written as YAML, deliveries in an inbox, Delta tables on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml

from ingestion import SourceOutcome, ingest_source, quarantine
from ingestion.archives import unpack
from ingestion.batches import judging
from ingestion.deliveries import Landed, Member, Offer
from ingestion.formats import FORMATS
from ingestion.landing import land
from lakehouse import delta, tables
from lakehouse.contracts import SourceContract, load_source
from lakehouse.duck import connect, delta_scan
from lakehouse.settings import Settings

RECEIVED = datetime(2027, 1, 1, tzinfo=UTC)
"""When deliveries of these tests came, so that no test hangs on today's date."""

BUSINESS = (
    "device", "channel", "phenomenon_time", "phenomenon_time_end", "value", "text", "unit",
    "quality", "quality_code", "result_time", "longitude", "latitude", "attributes",
)  # fmt: skip


def column(
    name: str,
    measures: str | None = None,
    unit: str | None = None,
    *,
    kind: str = "number",
    limits: tuple[float, float] | None = None,
    delivered_as: str | None = None,
    required: bool = False,
    **properties: str,
) -> dict[str, Any]:
    """A column of a contract; a channel when it says what it `measures`."""
    found: dict[str, Any] = {"name": name, "logicalType": kind, "required": required}
    if delivered_as:
        found["physicalName"] = delivered_as
    if limits:
        found["logicalTypeOptions"] = {"minimum": limits[0], "maximum": limits[1]}
    if measures:
        properties = {"observedProperty": measures, "unit": unit or "1"} | properties
    if properties:
        found["customProperties"] = [
            {"property": key, "value": value} for key, value in properties.items()
        ]
    return found


METER = (
    column("meter", kind="string"),
    column("time", kind="string"),
    column("kwh", "active_energy", "kW.h", limits=(0, 1000)),
)

CSV = {
    "protocol": "folder",
    "format": "csv",
    "csv": {"delimiter": ";"},
    "time": {"columns": ["time"], "zone": "UTC"},
    "device": {"column": "meter"},
}

CHIRPSTACK = {"protocol": "folder", "format": "chirpstack_v4", "framing": "lines"}

HISTORIAN = {
    "protocol": "ignition_historian",
    "format": "ignition_history",
    "device": {"path": "^plant/(?P<device>.+)/(?P<channel>[^/]+)$"},
    "pull": {"tags": "plant/%", "pageRows": 4, "overlapH": 1, "timeoutS": 5, "attempts": 2},
}


def document(
    source_id: str = "meters",
    *,
    delivery: Mapping[str, Any] | None = None,
    columns: Sequence[Mapping[str, Any]] = METER,
    location: str | None = None,
    things: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """A whole contract of a source, as a mapping."""
    place = {"path": location or f"{source_id}/*"}
    if location and ":" in location:
        place = {"location": location}
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": source_id,
        "version": "1.0.0",
        "status": "active",
        "servers": [{"server": "inbox", "type": "custom", **place}],
        "schema": [{"name": "rows", "logicalType": "object", "properties": list(columns)}],
        "slaProperties": [{"property": "frequency", "value": 1, "unit": "d"}],
        "customProperties": [
            {
                "property": "source",
                "value": {
                    "organisation": "stockholms_hamnar",
                    "initiative": "elmatning_hamnen",
                    "owner": "Drift",
                    "contact": "drift@stockholm.example",
                },
            },
            {
                "property": "classification",
                "value": {"k": 0, "r": 1, "t": 1, "personalData": False},
            },
            {"property": "delivery", "value": dict(delivery or CSV)},
            {"property": "things", "value": list(things)},
        ],
    }


def uplink(**changes: Any) -> str:
    """A ChirpStack v4 uplink as one line of JSON; a change to None takes the key away."""
    event: dict[str, Any] = {
        "deduplicationId": "3ac7e3c4",
        "time": "2026-10-19T10:00:00.123456789+00:00",
        "deviceInfo": {"devEui": "a84041000181c001"},
        "fCnt": 7,
        "fPort": 2,
        "data": "AQID",
        "object": {"temperature": 21.5},
        "rxInfo": [
            {"gatewayId": "g1", "rssi": -95, "snr": 7.5},
            {"gatewayId": "g2", "rssi": -80, "snr": 3.0},
        ],
    } | changes
    return json.dumps({key: value for key, value in event.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Lake:
    """A lake of its own in a temporary folder."""

    settings: Settings

    @property
    def inbox(self) -> Path:
        return self.settings.inbox

    def write(self, source_id: str = "meters", **changes: Any) -> Path:
        """Write a contract's YAML."""
        path = self.settings.contracts / "sources" / f"{source_id}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(document(source_id, **changes), allow_unicode=True, sort_keys=False)
        path.write_text(text, encoding="utf-8")
        return path

    def source(self, source_id: str = "meters", **changes: Any) -> SourceContract:
        """Write a contract's YAML and load it."""
        return load_source(self.write(source_id, **changes))

    def deliver(
        self, name: str, content: str | bytes, received: datetime = RECEIVED, folder: str = "meters"
    ) -> Path:
        """Put a file into the inbox."""
        path = self.inbox / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (received.timestamp(), received.timestamp()))
        return path

    def ingest(self, contract: SourceContract) -> SourceOutcome:
        return ingest_source(self.settings, contract)

    def query(self, sql: str, **addresses: Path) -> list[tuple[Any, ...]]:
        """Ask DuckDB, with `{name}` standing for the Delta table at an address."""
        with connect() as connection:
            scans = {name: delta_scan(path) for name, path in addresses.items()}
            return connection.execute(sql.format(**scans)).fetchall()

    def rows(self, address: Path) -> list[dict[str, Any]]:
        """All rows of a Delta table; none when there is no table."""
        if not delta.exists(address):
            return []
        found: list[dict[str, Any]] = delta.open_table(address).to_pyarrow_table().to_pylist()
        return found

    def bronze(self, source_id: str = "meters") -> list[dict[str, Any]]:
        rows = self.rows(tables.bronze(self.settings, source_id))
        return sorted(rows, key=lambda r: (r["phenomenon_time"], r["device"], r["channel"]))

    def quarantine(self, source_id: str = "meters") -> list[dict[str, Any]]:
        rows = quarantine.rows(self.settings, source_id)
        return sorted(rows, key=lambda r: (r["name"], r["_row"], r["channel"] or ""))

    def ledger(self, source_id: str = "meters") -> list[dict[str, Any]]:
        rows = [
            row for row in self.rows(tables.ledger(self.settings)) if row["source_id"] == source_id
        ]
        return sorted(rows, key=lambda row: row["recorded_at"])

    def versions(self, source_id: str = "meters") -> tuple[int | None, ...]:
        """Versions of every table an ingest may write."""
        return (
            delta.version_of(tables.bronze(self.settings, source_id)),
            delta.version_of(tables.quarantine(self.settings, source_id)),
            delta.version_of(tables.ledger(self.settings)),
        )

    def hash(self, source_id: str = "meters") -> tuple[int, int]:
        """Rows and a hash of the business columns that does not hang on their order."""
        total = 0
        rows = self.bronze(source_id)
        for row in rows:
            text = repr([row[name] for name in BUSINESS])
            total += int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        return len(rows), total % 2**64

    def land(self, path: Path, source_id: str = "meters") -> Landed:
        """Land a file of the inbox, unread."""
        name = path.relative_to(self.inbox).as_posix()
        received = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return land(self.settings, source_id, Offer(name, path, received))

    @contextmanager
    def judging(
        self, contract: SourceContract, *paths: Path
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Read and judge files without committing: the connection that holds `judged`."""
        members: list[Member] = []
        for number, path in enumerate(paths):
            landed = self.land(path, contract.id)
            scratch = self.settings.home / "scratch" / str(number)
            members += [
                Member(len(members) + index, landed, name, plain)
                for index, (name, plain) in enumerate(unpack(landed, scratch))
            ]
        with connect(extensions=()) as connection:  # as a batch does; loading one takes long
            connection.register(
                "files",
                pa.table(
                    {
                        "_file": pa.array([m.number for m in members], pa.int32()),
                        "received_at": pa.array(
                            [m.delivery.offer.received_at.replace(tzinfo=None) for m in members],
                            pa.timestamp("us"),
                        ),
                    }
                ),
            )
            reading = FORMATS[contract.delivery.format].read(connection, members, contract)
            judging.judge(connection, self.settings, contract, reading)
            yield connection

    def judged(self, contract: SourceContract, *paths: Path) -> list[dict[str, Any]]:
        """Read and judge files without committing: the rows of `judged`, in order."""
        with self.judging(contract, *paths) as connection:
            query = """select * exclude (_id, place) from judged
                order by _file, _row, channel, device, t, value"""
            found: list[dict[str, Any]] = connection.execute(query).to_arrow_table().to_pylist()
        return found


def new_lake(folder: Path) -> Lake:
    """An empty lake with an empty inbox."""
    settings = Settings.from_environment(
        {"SJOSTAD_PATIENCE_S": "20"}, contracts=folder / "contracts", home=folder / "home"
    )
    settings.inbox.mkdir(parents=True)
    return Lake(settings)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake of the test's own."""
    return new_lake(tmp_path)


@pytest.fixture
def source(lake: Lake):
    """Write a contract and load it: `source(delivery=…, columns=…)`."""
    return lake.source


def utc(text: str) -> datetime:
    """`2026-10-19 10:00` as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
