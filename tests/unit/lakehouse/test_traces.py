"""The search finds a word in every kind of file of a lake, and takes no other for it."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import zipfile

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse import delta, traces
from lakehouse.settings import Settings
from lakehouse.traces import find_traces
from lakehouse.traces.word_in_bytes import ERASED, Word

WORD = "LAS-0007"


@pytest.fixture
def settings(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return Settings.from_environment({}, contracts=tmp_path / "contracts", home=home)


def found(settings, value: str = WORD, *known: str) -> set[tuple[str, str]]:
    return {(trace.path.name, trace.place) for trace in find_traces(settings, value, known)}


def table(**columns: list[object]) -> pa.Table:
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def test_it_reads_parquet_column_by_column(settings):
    rows = table(
        device=[WORD, "x"] * 5000,
        nested=[{"a": [WORD]}, {"a": []}] * 5000,
        pairs=pa.array([[("k", WORD)], []] * 5000, pa.map_(pa.string(), pa.string())),
        number=[7, 8] * 5000,
    )
    rows = rows.append_column("packed", rows["device"].dictionary_encode())
    pq.write_table(rows, settings.home / "a.parquet", compression="zstd")
    assert found(settings) >= {
        ("a.parquet", f"column {name}") for name in ("device", "nested", "pairs", "packed")
    }
    assert not any("number" in place for _, place in found(settings, "7"))


def test_it_unpacks_what_is_packed(settings):
    (settings.home / "a").write_bytes(gzip.compress(f"x;{WORD};1".encode()))
    inner = io.BytesIO()
    pq.write_table(table(device=[WORD] * 9), inner, compression="zstd")
    with zipfile.ZipFile(settings.home / "b", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.gz", gzip.compress(gzip.compress(WORD.encode())))
        archive.writestr("two.parquet", inner.getvalue())
        archive.writestr(f"{WORD}.csv", "")
    assert found(settings) >= {
        ("a", "unpacked"), ("b", "unpacked"), ("b", "column device"), ("b", "name in archive"),
    }  # fmt: skip


def test_it_reads_databases(settings):
    with duckdb.connect(str(settings.home / "a.duckdb")) as connection:
        connection.execute("create table t as select repeat('x', 9) || ? as d", [f" {WORD}"])
        connection.execute(f"create view v as select '{WORD}' as one")
    with sqlite3.connect(settings.home / "a.db") as connection:
        connection.execute("create table t (id integer, d blob)")
        connection.execute("insert into t values (1, ?)", [WORD.encode()])
    connection.close()
    assert found(settings) >= {
        ("a.duckdb", "column t.d"), ("a.duckdb", "views"), ("a.db", "table t"),
    }  # fmt: skip


def test_it_reads_the_log_of_a_table_and_its_checkpoint(settings):
    address = settings.home / "lake" / "t"
    schema = pa.schema([("device", pa.string())])
    delta.append(address, pa.table({"device": [WORD]}, schema), schema, marks={"batch": 1})
    delta.open_table(address).create_checkpoint()
    names = {name for name, _ in found(settings)}
    assert names >= {f"{1:020}.json", f"{1:020}.checkpoint.parquet"}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16-le", "utf-16-be"])
def test_it_knows_other_encodings(settings, encoding):
    (settings.home / "a.txt").write_bytes(f"kaj Värta-1; {WORD}".encode(encoding))
    assert found(settings) == {("a.txt", "bytes")}
    assert found(settings, "Värta-1") == {("a.txt", "bytes")}


def test_it_knows_how_json_and_addresses_write_a_word(settings):
    (settings.home / "a.json").write_text(json.dumps({"d": "Värta/1"}))
    (settings.home / "b.txt").write_text("https://x.example/V%C3%A4rta%2F1")
    assert {name for name, _ in found(settings, "Värta/1")} == {"a.json", "b.txt"}


def test_names_of_files_and_folders_count(settings):
    (settings.home / WORD).mkdir()
    (settings.home / WORD / "a").touch()
    assert found(settings) == {("a", "name")}


def test_a_word_is_not_in_a_longer_one(settings):
    (settings.home / "a").write_text("LAS-00071 XLAS-0007 LAS-0007-B las-0007")
    assert [trace.hits for trace in find_traces(settings, WORD)] == [2]  # -B might be a channel
    assert [trace.hits for trace in find_traces(settings, WORD, ["LAS-0007-B"])] == [1]
    assert find_traces(settings, WORD, ["LAS-0007-B", "las-0007"]) == []


def test_what_cannot_be_read_is_told(settings):
    (settings.home / "a.parquet").write_bytes(b"PAR1 torn")
    (settings.home / "b.gz").write_bytes(gzip.compress(WORD.encode() * 99)[:-9])
    (settings.home / "c.duckdb").write_bytes(b"12345678DUCK torn")
    assert {(name, "unreadable") for name in ("a.parquet", "b.gz", "c.duckdb")} <= found(settings)


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(1, 9))
def test_a_word_is_found_wherever_a_stream_is_cut(before, after, size):
    text = before + b";" + WORD.encode() + b";" + after
    word = Word.of(WORD)
    old = traces._CHUNK
    traces._CHUNK = size
    try:
        hits = sum(hits for _, hits in traces._in_stream(io.BytesIO(text), word, 0))
    finally:
        traces._CHUNK = old
    assert hits >= 1 or text.startswith((b"\x1f\x8b", b"PK\x03\x04", b"PAR1"))


@given(st.text("AB1-_ ;", max_size=30))
def test_what_is_taken_out_of_a_text_is_not_found_in_it(text):
    word = Word.of("A-1", ["A-1-B"])
    assert not word.is_in(word.without(text))
    assert word.is_in(text) == (word.without(text) != text)
    assert word.without("A-1;A-1;A-1-B") == f"{ERASED};{ERASED};A-1-B"
