"""What is put together keeps every value of every type, and every reader finds it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import write_deltalake

from lakehouse import delta
from lakehouse.delta import data_files
from lakehouse.duck import connect, delta_scan
from tests.unit.lakehouse.small_files import MANY, compact, rows_of


def test_all_types_survive_and_so_do_odd_partitions(tmp_path):
    day = datetime(2026, 3, 1, 10, 0, 0, 1, UTC)
    for number in range(MANY):
        write_deltalake(
            tmp_path,
            pa.table(
                {
                    "k": ["a b", "å/ö", "c%d", None],
                    "whole": pa.array([number, None, 1, 2], pa.int32()),
                    "small": pa.array([number, None, -1, 2], pa.int16()),
                    "real": [float("nan"), -0.0, float("inf"), None],
                    "exact": pa.array([Decimal("1.10"), None, Decimal(number), None],
                                      pa.decimal128(12, 2)),
                    "day": [date(2026, 3, 1), None, date(1859, 1, 1), date(2026, 3, 1)],
                    "at": pa.array([day, None, day, day], pa.timestamp("us", "UTC")),
                    "local": pa.array([day.replace(tzinfo=None)] * 4, pa.timestamp("us")),
                    "is": [True, None, False, True],
                    "raw": [b"\x00\xff", None, b"", b"x"],
                    "many": [[1, None], None, [], [2]],
                    "parts": [{"a": 1, "b": "å"}, None, {"a": None, "b": ""}, {"a": 2, "b": None}],
                    "nothing": pa.nulls(4, pa.string()),
                }
            ),
            mode="append",
            partition_by=["k"],
        )  # fmt: skip
    rows, schema = rows_of(tmp_path), delta.open_table(tmp_path).to_pyarrow_table().schema
    assert len(compact(tmp_path)) == 4
    assert rows_of(tmp_path) == rows
    assert delta.open_table(tmp_path).to_pyarrow_table().schema == schema
    assert data_files.extent_of(delta.open_table(tmp_path)).files == 4


def test_every_reader_finds_every_value(tmp_path):
    """Wrong or missing bounds hide rows from a reader that skips by them, without an error."""
    long = "å" * 70
    for number in range(MANY):
        write_deltalake(
            tmp_path,
            pa.table(
                {
                    "text": pa.array(["a", "ö", None, f"{long}{number}", "\U0010fffe"]),
                    "nothing": pa.nulls(5, pa.string()),
                    "real": [0.1, -1e300, None, number / 7, -0.0],
                    "whole": pa.array([1, None, -(2**62), number, 2**62], pa.int64()),
                    "day": [date(2026, 3, 1), None, date(1859, 1, 1), date(9999, 1, 1), None],
                    "at": pa.array([datetime(2026, 3, 1, 1, 1, 1, number, UTC)] * 5,
                                   pa.timestamp("us", "UTC")),
                    "is": [True, None, True, True, None],
                }
            ),
            mode="append",
        )  # fmt: skip
    rows = delta.open_table(tmp_path).to_pyarrow_table()
    compact(tmp_path)
    table = delta.open_table(tmp_path)
    assert data_files.extent_of(table).files == 1
    with connect() as connection:
        for name in rows.column_names:
            for value in rows[name].unique():
                field = pc.field(name)
                wanted = field == value if value.is_valid else field.is_null()
                expected = rows.filter(wanted).num_rows
                assert table.to_pyarrow_dataset().to_table(filter=wanted).num_rows == expected
                found = connection.execute(
                    f"""select count(*) from {delta_scan(tmp_path)}
                    where "{name}" is not distinct from $value""",
                    {"value": value.as_py()},
                ).fetchall()
                assert found == [(expected,)], (name, value)
