"""Replacing one partition of a table, as models do."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from lakehouse import delta
from lakehouse.delta import data_files
from lakehouse.duck import connect


def replace_partition(
    address: Path, rows: pa.Table, column: str, value: str, marks: delta.Marks
) -> delta.Commit:
    with connect(extensions=()) as connection:
        connection.register("rows", rows)
        files = data_files.write(connection, "from rows", address, rows.schema, [column])
    return delta.replace_files(
        address, files, rows.schema, partition_by=[column], partitions=[value], marks=marks
    )
