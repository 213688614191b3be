"""A table of readings in PostgreSQL, and how it is pulled."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from ingestion.fetching import Fetch
from ingestion.protocols import PROTOCOLS
from lakehouse import delta, tables
from tests.unit.ingestion.lake import column

START = datetime(2026, 10, 19, 10, tzinfo=UTC)
DELIVERY = {
    "protocol": "sql_table",
    "format": "sql_rows",
    "time": {"columns": ["measured at"], "zone": "UTC"},
    "device": {"column": "device"},
    "pull": {"table": "plant.readings", "pageRows": 4, "overlapH": 1, "timeoutS": 5, "attempts": 2},
}
COLUMNS = [
    column("device", kind="string"),
    column("kwh", "active_energy", "kW.h"),
    column("price", "active_energy", "kW.h"),
]


def insert(run, *rows: tuple) -> None:
    for seconds, device, value in rows:
        at = (START + timedelta(seconds=seconds)).replace(tzinfo=None)
        run(f"insert into plant.readings values (default, '{at}', '{device}', {value}, {value})")


def pulled(lake, contract, cursor=0):
    """The pages of a pull, each as a list of rows, and the last cursor."""
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        fetch = Fetch(contract, lake.settings, cursor, Path(scratch), lambda _: False)
        for offer in PROTOCOLS[contract.protocol].offers(fetch):
            found.append(pq.read_table(offer.path).to_pylist())
            cursor = offer.marks.get("cursor", cursor)
    return found, cursor


def cursor_of(lake) -> int:
    return delta.mark_of(tables.bronze(lake.settings, "plant"), "cursor")
