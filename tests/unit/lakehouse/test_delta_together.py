"""B8: rows are added and replaced, files are compacted and vacuumed, and somebody reads."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake.exceptions import CommitFailedError

from lakehouse import delta
from lakehouse.delta import compaction, vacuum
from lakehouse.duck import connect, delta_scan
from lakehouse.errors import LakeConflict
from tests.unit.lakehouse.partitions import replace_partition

SCHEMA = pa.schema([pa.field("day", pa.string(), nullable=False), pa.field("value", pa.int64())])
WHOLE = 7
"""Rows of a commit: each reading must see a multiple of it."""
COMMITS, ATTEMPTS = 12, 20


def rows(day: str, value: int) -> pa.Table:
    return pa.table({"day": [day] * WHOLE, "value": [value] * WHOLE}, SCHEMA)


def patiently(work) -> int:
    """Do it until nobody was first; how many attempts it took."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            work()
        except (LakeConflict, CommitFailedError):
            time.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311 - so that no two keep step
            continue
        return attempt
    raise AssertionError(f"still in conflict after {ATTEMPTS} attempts")


def maintain(address: Path, done: threading.Event) -> int:
    """Put files together until all is done; how many times there were some."""
    found: list[compaction.Bundle] = []

    def compact() -> None:
        bundles = compaction.plan(delta.open_table(address))  # looks anew at each attempt
        if bundles:
            compaction.compact(address, bundles)
        found.extend(bundles)

    while not done.is_set():
        patiently(compact)
        table = delta.open_table(address)
        assert not vacuum.unneeded(address, table, timedelta(days=7))  # all of it is new
        done.wait(0.05)
    return len(found)


@pytest.mark.slow
def test_readers_see_whole_versions_and_no_row_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(compaction, "_WORTH", 2)
    address: Path = tmp_path / "table"
    for day in ("added", "replaced"):
        replace_partition(address, rows(day, 0), "day", day, {day: 1})
    done = threading.Event()

    def add() -> int:
        return sum(
            patiently(
                lambda n=n: delta.append(address, rows("added", n), SCHEMA, marks={"added": n})
            )
            for n in range(2, COMMITS + 2)
        )

    def replace() -> int:
        return sum(
            patiently(
                lambda n=n: replace_partition(
                    address, rows("replaced", n), "day", "replaced", {"replaced": n}
                )
            )
            for n in range(2, COMMITS + 2)
        )

    def read() -> list[tuple[int, int, int]]:
        found = []
        with connect() as connection:
            query = f"""select count(*) filter (day = 'added'), count(*) filter (day = 'replaced'),
                count(distinct value) filter (day = 'replaced') from {delta_scan(address)}"""
            while not done.is_set():
                found.append(connection.execute(query).fetchall()[0])
        return found

    with ThreadPoolExecutor(4) as pool:
        maintained, seen = pool.submit(maintain, address, done), pool.submit(read)
        writers = [pool.submit(add), pool.submit(replace)]
        try:
            attempts = [writer.result() for writer in writers]
        finally:
            done.set()
    assert all(COMMITS <= number <= COMMITS * ATTEMPTS for number in attempts)
    assert maintained.result() >= 1
    added = [row[0] for row in seen.result()]
    assert len(added) >= 3
    assert added == sorted(added)
    assert all(number % WHOLE == 0 for number in added)
    assert {row[1:] for row in seen.result()} == {(WHOLE, 1)}
    require_all_rows(address)


def require_all_rows(address: Path) -> None:
    """Every row that was added, once, and the last of those that were replaced."""
    found = delta.open_table(address).to_pyarrow_table()
    values = sorted(found.filter(pa.compute.field("day") == "added")["value"].to_pylist())
    assert values == sorted([0, *range(2, COMMITS + 2)] * WHOLE)
    left = found.filter(pa.compute.field("day") == "replaced")["value"].to_pylist()
    assert left == [COMMITS + 1] * WHOLE
    # The control: the files alone hold the same rows more than once.
    assert sum(pq.read_metadata(path).num_rows for path in address.rglob("*.parquet")) > len(found)
