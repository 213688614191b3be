"""Statistics that we write ourselves hide no row from a reader that prunes by them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse import delta, flushing
from lakehouse.delta import data_files, transaction_log
from lakehouse.duck import connect
from lakehouse.errors import LakeConflict

SCHEMA = pa.schema(
    [
        pa.field("number", pa.int64()),
        pa.field("moment", pa.timestamp("us", tz="UTC")),
        pa.field("text", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("absent", pa.string()),
        pa.field("day", pa.date32()),
    ]
)
INSTANTS = st.datetimes(
    datetime(1851, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)
)  # fmt: skip
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | INSTANTS,
        st.none() | st.text(alphabet="aåé\U0001f600'\"\\", max_size=300),
        st.none() | st.floats(),
    ),
    min_size=1,
    max_size=30,
)


def commit(folder: Path, rows: list[tuple], partition_by: tuple[str, ...]) -> Path:
    address = folder / "table"
    names = ("number", "moment", "text", "value")
    table = pa.table(
        {
            name: pa.array([row[number] for row in rows], SCHEMA.field(name).type)
            for number, name in enumerate(names)
        }
    )
    with connect(extensions=()) as connection:
        connection.register("given", table)
        delta.append_query(
            address,
            connection,
            "select *, date '2026-01-01' + (hash(number) % 3)::integer as day from given",
            SCHEMA,
            partition_by=partition_by,
            marks={"batch": 1},
        )
    return address


def told_of(row: tuple) -> str:
    number, at, text, value = row
    return repr((number, at and at.astimezone(UTC).isoformat(), text, value))


@settings(max_examples=40)
@given(rows=ROWS, is_partitioned=st.booleans())
def test_statistics_enclose_every_row(rows, is_partitioned):
    with TemporaryDirectory() as folder:
        address = commit(Path(folder), rows, ("day",) if is_partitioned else ())
        held = delta.open_table(address).to_pyarrow_table().to_pylist()
        assert sorted(told_of(tuple(row.values())[:4]) for row in held) == sorted(
            map(told_of, rows)
        )
        assert all(row["absent"] is None for row in held)
        for action in transaction_log.read_entry(address, 1):
            if "add" in action:
                assert_enclosed(address / action["add"]["path"], action["add"])


def assert_enclosed(path: Path, added: dict) -> None:
    """Hold the statistics of a file against its rows."""
    told = json.loads(added["stats"])
    rows = pq.ParquetFile(path).read().to_pylist()
    assert (told["numRecords"], added["size"]) == (len(rows), path.stat().st_size)
    assert told["nullCount"]["absent"] == len(rows)
    assert ("day" in told["nullCount"]) is not bool(added["partitionValues"])
    parsers = {"number": int, "moment": datetime.fromisoformat, "text": str, "value": float}
    for name, parsed in parsers.items():
        values = [row[name] for row in rows if row[name] is not None]
        assert told["nullCount"][name] == len(rows) - len(values)
        if name == "value" and not all(map(isfinite, values)):
            assert name not in told["minValues"].keys() | told["maxValues"].keys()
        elif values:
            low, high = parsed(told["minValues"][name]), parsed(told["maxValues"][name])
            assert low <= min(values)
            assert max(values) <= high


@settings(max_examples=40)
@given(rows=ROWS, first=INSTANTS, width=st.integers(0, 10**15))
def test_scan_between_two_times_misses_no_row(rows, first, width):
    last = min(first + timedelta(microseconds=width), datetime(9998, 1, 1, tzinfo=UTC))
    with TemporaryDirectory() as folder:
        address = commit(Path(folder), rows, ("day",))
        with connect(extensions=()) as connection:
            scan = data_files.scan(connection, delta.open_table(address), "moment", first, last)
            expected = sum(1 for _, at, *_ in rows if at is not None and first <= at <= last)
            if scan is None:
                assert expected == 0
                return
            query = f"select count(*) from {scan} where moment between $1 and $2"
            assert connection.execute(query, [first, last]).fetchall()[0][0] == expected


def test_no_rows_make_no_files(tmp_path):
    with connect(extensions=()) as connection:
        commit_ = delta.append_query(
            tmp_path / "t", connection, "select 1::bigint as number where false", SCHEMA,
            marks={"batch": 1},
        )  # fmt: skip
    assert commit_.written
    assert data_files.extent_of(delta.open_table(tmp_path / "t")).rows == 0
    assert not list((tmp_path / "t").glob("*.parquet"))


def test_a_rival_leaves_no_files_behind(tmp_path, monkeypatch):
    address = commit(tmp_path, [(1, None, None, None)], ())
    real = data_files.write

    def outrun(*given):
        files = real(*given)
        monkeypatch.setattr(data_files, "write", real)
        commit_again(address)
        return files

    def commit_again(where: Path) -> None:
        with connect(extensions=()) as connection:
            delta.append_query(
                where, connection, "select 2::bigint as number", SCHEMA, marks={"batch": 2}
            )

    monkeypatch.setattr(data_files, "write", outrun)
    commit_again(address)
    assert data_files.extent_of(delta.open_table(address)).rows == 2
    assert len(list(address.glob("*.parquet"))) == 2


def test_a_commit_of_a_query_is_flushed_and_tells_its_version(tmp_path, monkeypatch):
    """delta-rs leaves the table it commits through at the version before."""
    address, flushed = tmp_path / "t", []
    monkeypatch.setattr(flushing, "flush", lambda path: flushed.append(path.suffix))
    schema = pa.schema([("number", pa.int64())])
    with connect(extensions=()) as connection:
        for batch in (1, 2):
            query = f"select {batch}::bigint as number"
            flushed.clear()
            done = delta.append_query(address, connection, query, schema, marks={"batch": batch})
            assert (done.version, delta.version_of(address)) == (batch, batch)
            assert {".parquet", ".json"} <= set(flushed)
        flushed.clear()
        done = delta.replace_query(
            address, connection, "select 9::bigint as number", schema,
            since={"batch": 2}, marks={"batch": 3},
        )  # fmt: skip
    assert (done.version, {".parquet", ".json"} <= set(flushed)) == (3, True)
    assert delta.open_table(address).to_pyarrow_table().to_pylist() == [{"number": 9}]


def test_a_query_thought_of_before_another_commit_replaces_nothing(tmp_path):
    schema = pa.schema([("number", pa.int64())])
    with connect(extensions=()) as connection:
        for batch in (1, 2):
            delta.append_query(
                tmp_path / "t", connection, "select 1::bigint as number", schema,
                marks={"batch": batch},
            )  # fmt: skip
        with pytest.raises(LakeConflict, match="moved batch"):
            delta.replace_query(
                tmp_path / "t", connection, "select 9::bigint as number", schema,
                since={"batch": 1}, marks={"batch": 5},
            )  # fmt: skip
    assert delta.open_table(tmp_path / "t").to_pyarrow_table().num_rows == 2


def test_no_rows_replace_all(tmp_path):
    schema = pa.schema([("number", pa.int64())])
    with connect(extensions=()) as connection:
        query = "select 1::bigint as number"
        delta.append_query(tmp_path / "t", connection, query, schema, marks={"batch": 1})
        none = f"{query} where false"
        delta.replace_query(
            tmp_path / "t", connection, none, schema, since={"batch": 1}, marks={"batch": 2}
        )
    assert delta.open_table(tmp_path / "t").to_pyarrow_table().num_rows == 0


def test_every_reader_finds_the_rows_by_any_column(tmp_path):
    """A column without bounds beside others that have some would hide its rows from pyarrow."""
    when = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
    rows = [(1, when, "å" * 400, 0.5), (2, when, "", -0.0), (3, None, None, None)]
    table = delta.open_table(commit(tmp_path, rows, ("day",)))
    for column, name in enumerate(("number", "moment", "text", "value")):
        for value in {row[column] for row in rows} - {None}:
            found = table.to_pyarrow_table(filters=[(name, "=", value)])
            assert found.num_rows == sum(row[column] == value for row in rows), name
    with connect(extensions=()) as connection:
        connection.execute("create type word as enum ('b', 'a')")
        delta.append_query(
            tmp_path / "words", connection, "select 'a'::word as word, 1::bigint as number",
            pa.schema([("word", pa.string()), ("number", pa.int64())]), marks={"batch": 1},
        )  # fmt: skip
    words = delta.open_table(tmp_path / "words")
    assert words.to_pyarrow_table(filters=[("word", "=", "a")]).num_rows == 1


def test_rows_with_a_value_are_those_that_a_scan_of_everything_finds(tmp_path):
    """Whichever files they stand in, and whether or not a file has statistics of the column."""
    address = tmp_path / "t"
    schema = pa.schema([("name", pa.string()), ("number", pa.int64())])
    for number, names in enumerate((["a", "a"], ["a", "c"], ["b"], ["c", None], [None])):
        rows = pa.table({"name": names, "number": [number] * len(names)}, schema)
        delta.append(address, rows, schema, marks={"batch": number + 1})
    with connect(extensions=()) as connection:
        query = "select 'b' as name, 7::bigint as number"
        delta.append_query(address, connection, query, schema, marks={"batch": 9})
    table = delta.open_table(address)
    for value in ("a", "b", "c", "d"):
        kept = pc.equal(table.to_pyarrow_table()["name"], value)
        expected = table.to_pyarrow_table().filter(kept)["number"].to_pylist()
        found = data_files.rows_where(table, "name", value, ["number"])
        assert found.column_names == ["number"]
        assert sorted(found["number"].to_pylist()) == sorted(expected)
    assert len(data_files.rows_where(table, "name", "b", ["number"])) == 2


def test_the_whole_of_a_table_is_what_its_log_says(tmp_path):
    """Without the files that a commit has replaced; a table without rows has no files."""
    address = tmp_path / "t"
    schema = pa.schema([("number", pa.int64())])
    delta.append(address, schema.empty_table(), schema, marks={"batch": 1})
    with connect(extensions=()) as connection:
        assert data_files.whole(connection, delta.open_table(address)) is None
        delta.append(address, pa.table({"number": [1, 2]}, schema), schema, marks={"batch": 2})
        delta.replace(address, pa.table({"number": [3]}, schema), schema)
        rows = data_files.whole(connection, delta.open_table(address))
        assert connection.execute(f"select * from {rows}").fetchall() == [(3,)]
