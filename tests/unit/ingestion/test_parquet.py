"""Parquet files: columns by name, parts of structures by dotted path."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.errors import DeliveryRefused
from tests.unit.ingestion.lake import column

DELIVERY = {
    "protocol": "folder",
    "format": "parquet",
    "time": {"columns": ["at"], "zone": "Europe/Stockholm"},
    "device": {"column": "id"},
}
COLUMNS = [column("v", "active_power", "kW")]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def read(lake, tmp_path):
    def judged(*tables: pa.Table, columns=COLUMNS, **changes):
        contract = lake.source(columns=columns, delivery=DELIVERY | changes)
        files = []
        for number, table in enumerate(tables):
            path = tmp_path / "made.parquet"
            pq.write_table(table, path)
            files.append(lake.deliver(f"{number}.parquet", path.read_bytes()))
        return lake.judged(contract, *files)

    return judged


def table(values: pa.Array, at: object = None) -> pa.Table:
    at = at if at is not None else pa.array([NOON] * len(values), pa.timestamp("us", "UTC"))
    return pa.table({"id": ["a"] * len(values), "at": at, "v": values})


@pytest.mark.parametrize(
    ("values", "cells", "rules"),
    [
        (pa.array([0.1, -0.0, None]), ["0.1", "-0.0", None], [None, None, "empty_value"]),
        (pa.array([float("nan"), float("inf")]), ["nan", "inf"], ["value_not_finite"] * 2),
        (pa.array([0.1], pa.float32()), ["0.1"], [None]),
        (pa.array([2**63 - 1, 7]), ["9223372036854775807", "7"], [None, None]),
        (
            pa.array([Decimal("12345678901234567890123456789012345.678")], pa.decimal128(38, 3)),
            ["12345678901234567890123456789012345.678"],
            [None],
        ),
        (pa.array(["1.50", "x"]), ["1.50", "x"], [None, "value_unreadable"]),
        (pa.array([True]), ["true"], ["value_unreadable"]),
        (pa.array([[1, 2]]), ["[1,2]"], ["value_unreadable"]),
    ],
)
def test_values_of_every_kind(read, values, cells, rules):
    rows = read(table(values))
    assert [row["cell"] for row in rows] == cells
    assert [row["rule"] for row in rows] == rules
    assert [row["_row"] for row in rows] == [*range(1, len(cells) + 1)]


@pytest.mark.parametrize(
    ("at", "utc"),
    [
        (pa.array([NOON], pa.timestamp("us", "UTC")), "2026-01-01 12:00:00"),
        (pa.array([NOON], pa.timestamp("ns", "America/New_York")), "2026-01-01 12:00:00"),
        (pa.array([NOON.replace(tzinfo=None)], pa.timestamp("us")), "2026-01-01 11:00:00"),
        (pa.array([date(2026, 1, 1)]), "2025-12-31 23:00:00"),
        (pa.array(["2026-01-01T12:00:00+02:00"]), "2026-01-01 10:00:00"),
    ],
)
def test_times_with_and_without_zone(read, at, utc):
    (row,) = read(table(pa.array([1]), at))
    assert str(row["t"]) == utc


def test_parts_of_structures(read):
    made = pa.table(
        {
            "at": ["2026-01-01T12:00:00Z"] * 2,
            "a.b": ["x", "y"],
            "m": [{"in": {"v": 1.5}, "é": 1}, None],
        }
    )
    rows = read(
        made,
        columns=[column("v", "active_power", "kW", delivered_as="m.in.v")],
        device={"column": "a.b"},
    )
    assert [(row["device"], row["value"]) for row in rows] == [("x", 1.5), ("y", None)]


def test_files_with_different_columns_are_read_together(read):
    wider = table(pa.array([2])).append_column("more", pa.array(["z"]))
    rows = read(table(pa.array([1.5])), wider, table(pa.array([3.5])))
    assert [(row["_file"], row["value"]) for row in rows] == [(0, 1.5), (1, 2), (2, 3.5)]


def test_missing_column_is_refused(read):
    with pytest.raises(DeliveryRefused, match="columns of the contract are missing: v"):
        read(pa.table({"id": ["a"], "at": ["x"], "V": [1]}))


def test_every_kind_of_damage_is_refused(lake, tmp_path):
    path = tmp_path / "made.parquet"
    pq.write_table(table(pa.array([float(n) for n in range(5000)])), path, compression="snappy")
    whole = path.read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little")
    contract = lake.source(columns=COLUMNS, delivery=DELIVERY)
    damaged = {
        "cut": whole[: len(whole) // 2],
        "footer": whole[: -8 - footer] + bytes(footer) + whole[-8:],
        "length": whole[:-8] + b"\xff\xff\xff\x7f" + whole[-4:],
        "data": whole[:200] + b"\xff" * 20_000 + whole[20_200:],
        "csv": b"id;at;v\na;b;1\n",
    }
    for name, content in damaged.items():
        with pytest.raises(DeliveryRefused, match="cannot be read as Parquet"):
            lake.judged(contract, lake.deliver(f"{name}.parquet", content))


def test_row_as_delivered_stands_in_quarantine(lake, tmp_path):
    path = tmp_path / "made.parquet"
    pq.write_table(table(pa.array(["x"])), path)
    contract = lake.source(columns=COLUMNS, delivery=DELIVERY)
    lake.deliver("a.parquet", path.read_bytes())
    assert lake.ingest(contract).ledger.quarantined == 1
    (row,) = lake.quarantine()
    assert '"v":"x"' in row["raw"]
