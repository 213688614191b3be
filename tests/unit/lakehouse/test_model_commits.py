"""Parts of a model become one commit, and only what has changed is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lakehouse import delta
from lakehouse.delta.changes import changes_since
from lakehouse.duck import connect
from lakehouse.errors import LakeError
from lakehouse.model_commits import ModelBuild

ALL = ("0001-01-01", "9999-12-31", None)
FIRST, SECOND, THIRD = "2026-01-01", "2026-01-02", "2026-01-03"


@pytest.fixture
def cursor() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        yield connection


def plan(**differs: Any) -> Mapping[str, Any]:
    return {
        "layer": "gold", "name": "model", "description": "", "partition_by": ["partition_date"],
        "partitions": None, "is_compared": False,
    } | differs  # fmt: skip


def build(
    address: Path,
    cursor: duckdb.DuckDBPyConnection,
    parts: Sequence[tuple[Mapping[str, Sequence[int]], tuple[str, str, str | None]]],
    marks: Mapping[str, int] | None = None,
    **differs: Any,
) -> delta.Commit:
    """Build a model of days with values, part by part."""
    building = ModelBuild(address, plan(**differs))
    for rows, part in parts:
        values = [f"({value}, date '{day}')" for day, of_day in rows.items() for value in of_day]
        cursor.execute("create or replace table scratch (value bigint, partition_date date)")
        if values:
            cursor.execute(f"insert into scratch values {', '.join(values)}")
        building.take(cursor, "scratch", *part)
    schema = cursor.execute("from scratch limit 0").to_arrow_reader().schema
    return building.commit(schema, marks or {})


def rows_of(address: Path) -> list[tuple[str, int]]:
    found = delta.open_table(address).to_pyarrow_table().to_pylist()
    return sorted((str(row["partition_date"]), row["value"]) for row in found)


def touched(address: Path, since: int) -> set[str | None]:
    changes = changes_since(address, since)
    return {one["partition_date"] for change in changes for one in change.partitions}


def test_all_parts_are_one_commit(tmp_path, cursor):
    done = build(tmp_path, cursor, [
        ({FIRST: [1, 2]}, ("0001-01-01", SECOND, FIRST)),
        ({SECOND: [3], THIRD: [4]}, (SECOND, "9999-12-31", None)),
    ], {"upstream": 7})  # fmt: skip
    assert (done.version, done.written) == (1, True)
    assert rows_of(tmp_path) == [(FIRST, 1), (FIRST, 2), (SECOND, 3), (THIRD, 4)]
    assert delta.mark_of(tmp_path, "upstream") == 7


def test_of_everything_only_what_changed_is_written(tmp_path, cursor):
    build(tmp_path, cursor, [({FIRST: [1], SECOND: [2], THIRD: [3]}, ALL)])
    kept = set((tmp_path / f"partition_date={FIRST}").iterdir())
    again = [
        ({FIRST: [1]}, ("0001-01-01", SECOND, FIRST)),
        ({SECOND: [9]}, (SECOND, "9999-12-31", SECOND)),
    ]
    build(tmp_path, cursor, again, is_compared=True)
    assert rows_of(tmp_path) == [(FIRST, 1), (SECOND, 9)]
    assert touched(tmp_path, 1) == {SECOND, THIRD}
    assert set((tmp_path / f"partition_date={FIRST}").iterdir()) == kept


def test_the_same_rows_move_marks_and_no_file(tmp_path, cursor):
    part = [({FIRST: [1], SECOND: [2]}, ALL)]
    build(tmp_path, cursor, part, {"upstream": 1})
    done = build(tmp_path, cursor, part, {"upstream": 2}, is_compared=True)
    assert (done.version, touched(tmp_path, 1)) == (2, set())
    assert delta.mark_of(tmp_path, "upstream") == 2
    done = build(tmp_path, cursor, part, {"upstream": 2}, is_compared=True)
    assert (done.version, done.written) == (2, False)


def test_a_partition_that_has_no_rows_any_more_is_emptied(tmp_path, cursor):
    build(tmp_path, cursor, [({FIRST: [1], SECOND: [2]}, ALL)])
    part = (FIRST, SECOND, FIRST)
    build(tmp_path, cursor, [({}, part)], {"upstream": 2}, partitions=[FIRST])
    assert rows_of(tmp_path) == [(SECOND, 2)]


@pytest.mark.parametrize(
    ("day", "partitions"), [(SECOND, None), ("2025-12-31", None), (FIRST, ["2026-01-09"])]
)
def test_rows_of_other_parts_are_refused(tmp_path, cursor, day, partitions):
    part = (FIRST, SECOND, None)
    with pytest.raises(LakeError, match=f"it gives rows of {day} where those from {FIRST}"):
        build(tmp_path, cursor, [({day: [1]}, part)], partitions=partitions)
    assert not delta.exists(tmp_path)


def test_a_view_of_one_partition_is_read_once(tmp_path, cursor):
    """Each reading of it would count on."""
    cursor.execute("create sequence readings")
    cursor.execute(
        f"create view counted as select nextval('readings') as value, date '{FIRST}' as "
        "partition_date from range(3)"
    )
    building = ModelBuild(tmp_path, plan())
    building.take(cursor, "counted", FIRST, SECOND, FIRST)
    building.commit(cursor.execute("from counted limit 0").to_arrow_reader().schema, {})
    assert rows_of(tmp_path) == [(FIRST, 1), (FIRST, 2), (FIRST, 3)]


def test_a_model_without_rows_is_a_table(tmp_path, cursor):
    assert build(tmp_path, cursor, [({}, ALL)], {"upstream": 1}).written
    assert rows_of(tmp_path) == []
    assert delta.mark_of(tmp_path, "upstream") == 1


def test_a_table_without_partitions_is_replaced_if_it_differs(tmp_path, cursor):
    small: Mapping[str, Any] = {"partition_by": []}
    build(tmp_path, cursor, [({FIRST: [1, 2]}, ALL)], **small)
    assert not build(tmp_path, cursor, [({FIRST: [2, 1]}, ALL)], **small).written
    assert build(tmp_path, cursor, [({FIRST: [2, 3]}, ALL)], **small).written
    assert rows_of(tmp_path) == [(FIRST, 2), (FIRST, 3)]


def test_other_columns_replace_the_table(tmp_path, cursor):
    build(tmp_path, cursor, [({FIRST: [1]}, ALL)])
    cursor.execute(f"create table wider as select 'a' as name, date '{SECOND}' as partition_date")
    building = ModelBuild(tmp_path, plan())
    building.take(cursor, "wider", *ALL)
    building.commit(cursor.execute("from wider limit 0").to_arrow_reader().schema, {})
    table = delta.open_table(tmp_path)
    assert [row["name"] for row in table.to_pyarrow_table().to_pylist()] == ["a"]
