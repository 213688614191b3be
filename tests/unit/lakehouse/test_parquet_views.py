"""A version's Parquet files, read without Delta, give the rows that Delta gives."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse import delta
from lakehouse.delta import data_files
from lakehouse.delta.parquet_views import reading_of
from lakehouse.duck import connect, delta_scan, identifier
from lakehouse.errors import LakeError

ODD = ["a b/å", "x=%2F*[?]", "it's", "1+1", 'say "hi"', "#é", "", None]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def require_same(address: Path, version: int | None = None) -> int:
    """Compare names, types and rows of both ways to read a table; returns how many rows."""
    table = delta.open_table(address, version)
    with connect(extensions=()) as plain, connect() as with_delta:
        reading = reading_of(plain, table)
        scan = f"from {delta_scan(address, table.version())}"
        assert [row[:2] for row in plain.execute(f"describe {reading.query}").fetchall()] == [
            row[:2] for row in with_delta.execute(f"describe {scan}").fetchall()
        ]
        rows = plain.execute(f"from ({reading.query}) order by all").fetchall()
        assert rows == with_delta.execute(f"{scan} order by all").fetchall()
    assert all(file.is_file() for file in reading.files)
    return len(rows)


@pytest.mark.parametrize("name", ["plain", "with space å", "it's", "a#b+c", "star*"])
def test_odd_signs_in_folders_and_partitions(tmp_path, name):
    address = tmp_path / name / "table"
    rows = pa.table({
        "number": range(len(ODD)), "part": ODD, "day": [date(2026, 1, 1), date(1851, 1, 1)] * 4,
    })  # fmt: skip
    schema = rows.schema
    delta.replace(address, rows, schema, partition_by=["part", "day"])
    assert require_same(address) == len(ODD)


def test_columns_added_later_are_null_in_older_files(tmp_path):
    address = tmp_path / "table"
    first = pa.table({"day": [date(2026, 1, 1)], "a": pa.array([1], pa.int32())})
    write_deltalake(address, first, partition_by=["day"])
    more = pa.table({
        "day": [date(2026, 1, 2)], "later": pa.array([NOON], pa.timestamp("us", tz="UTC")),
        "nested": [{"x": [1, 2]}], "always_null": pa.array([None], pa.string()),
        "a": pa.array([2], pa.int32()),
    })  # fmt: skip
    write_deltalake(address, more, mode="append", schema_mode="merge")
    assert require_same(address) == 2
    assert require_same(address, 0) == 1


def test_a_version_without_files_has_columns_and_no_rows(tmp_path):
    address = tmp_path / "table"
    schema = pa.schema([("a", pa.int64()), ("at", pa.timestamp("us", tz="UTC")),
                        ("day", pa.date32())])  # fmt: skip
    delta.replace(address, schema.empty_table(), schema, partition_by=["day"])
    assert require_same(address) == 0


def test_an_older_version_is_read_by_its_own_files(tmp_path):
    address = tmp_path / "table"
    rows = pa.table({"a": [1, 2, 3]})
    first = delta.replace(address, rows, rows.schema).version
    delta.replace(address, rows.slice(0, 1), rows.schema)
    assert require_same(address, first) == 3
    assert require_same(address) == 1


def test_a_column_may_be_called_filename(tmp_path):
    address = tmp_path / "table"
    rows = pa.table({"filename": ["mine"], "day": [date(2026, 1, 1)]})
    delta.replace(address, rows, rows.schema, partition_by=["day"])
    assert require_same(address) == 1


def test_a_condition_on_the_partition_opens_its_files_only(tmp_path):
    address = tmp_path / "table"
    rows = pa.table({"a": range(9), "day": [date(2026, 1, 1 + number % 3) for number in range(9)]})
    delta.replace(address, rows, rows.schema, partition_by=["day"])
    with connect(extensions=()) as connection:
        query = reading_of(connection, delta.open_table(address)).query
        for condition, opened in (("day = '2026-01-02'", "1/3"), ("day > '2026-01-01'", "2/3")):
            plan = connection.execute(f"explain from ({query}) where {condition}").fetchall()[0][1]
            assert opened in plan, condition


def test_folders_that_do_not_tell_the_partition_are_refused(tmp_path):
    address = tmp_path / "table"
    schema = pa.schema([("a", pa.int64()), ("part", pa.string())])
    with connect(extensions=()) as connection:
        query = "select 1::bigint as a, 'å b' as part"
        delta.append_query(address, connection, query, schema, partition_by=["part"], marks={})
        with pytest.raises(LakeError, match="folders are not named for its partitions"):
            reading_of(connection, delta.open_table(address))


@pytest.mark.parametrize("feature", ["deletionVectors", "columnMapping"])
def test_what_parquet_alone_cannot_tell_is_refused(tmp_path, feature):
    address = tmp_path / "table"
    write_deltalake(address, pa.table({"a": [1]}))
    entry = address / "_delta_log" / f"{0:020d}.json"
    actions = [json.loads(line) for line in entry.read_text("utf-8").splitlines()]
    for action in actions:
        if "protocol" in action:
            action["protocol"] = {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": [feature],
                "writerFeatures": [feature],
            }
    entry.write_text("\n".join(map(json.dumps, actions)), "utf-8")
    with connect(extensions=()) as connection, pytest.raises(LakeError, match="deletion vectors"):
        reading_of(connection, DeltaTable(str(address)))


def test_scans_find_files_in_a_folder_with_odd_signs(tmp_path):
    address = tmp_path / "with space å" / "table"
    rows = pa.table({"at": pa.array([NOON], pa.timestamp("us", tz="UTC"))})
    delta.replace(address, rows, rows.schema)
    with connect(extensions=()) as connection:
        scan = data_files.scan(connection, delta.open_table(address), "at", NOON, NOON)
        assert connection.execute(f"select {identifier('at')} from {scan}").fetchall() == [(NOON,)]
