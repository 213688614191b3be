"""The Ignition historian over a real SQLite file, from partitions to bronze."""

from __future__ import annotations

import tempfile
import time
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.fetching import Fetch
from ingestion.protocols import ignition_historian, patience, sql_link, sql_pull
from lakehouse import delta, tables
from lakehouse.errors import SourceUnavailable
from tests.unit.ingestion.historian import HOUR, START, Historian
from tests.unit.ingestion.lake import HISTORIAN, column, new_lake

CHANNELS = [column("kwh", "active_energy", "kW.h")]
URL = "sqlite:///{inbox}/historian.sqlite"


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Seconds waited between attempts; nobody really waits."""
    waited: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", waited.append)
    return waited


@pytest.fixture
def historian(lake) -> Historian:
    made = Historian(lake.inbox / "historian.sqlite")
    made.tag(1, "plant/a/kwh")
    made.partition("sqlt_data_1_2026_10")
    return made


@pytest.fixture
def plant(lake):
    def contract(location=URL, device=HISTORIAN["device"], **pull):
        return lake.source(
            "plant",
            columns=CHANNELS,
            location=location,
            delivery=HISTORIAN | {"device": device, "pull": HISTORIAN["pull"] | pull},
        )

    return contract


def pages(lake, contract, cursor=0) -> list[list[tuple]]:
    """(tagid, t_stamp) of each page a pull gives."""
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        fetch = Fetch(contract, lake.settings, cursor, Path(scratch), lambda _: False)
        for offer in ignition_historian.offers(fetch):
            rows = pq.read_table(offer.path).to_pylist()
            found.append([(row["tagid"], row["t_stamp"]) for row in rows])
    return found


def values(lake) -> list[tuple]:
    return [(r["device"], r["phenomenon_time"], r["value"]) for r in lake.bronze("plant")]


def test_partitions_are_looked_up(lake, historian, plant):
    """Names are what Ignition says; one that is over before the pull, or gone, is not asked."""
    historian.partition("odd_name", START, START + HOUR)
    historian.partition("long_ago", 0, START - 100 * HOUR)
    historian.listed("dropped")
    historian.store("sqlt_data_1_2026_10", [(1, START + 2, 2.0)])
    historian.store("odd_name", [(1, START + 1, 1.0)])
    historian.store("long_ago", [(1, START, 99.0)])
    assert pages(lake, plant(), cursor=START + HOUR) == [[(1, START + 1), (1, START + 2)]]
    assert pages(lake, plant()) == [[(1, START), (1, START + 1), (1, START + 2)]]


def test_several_ids_of_one_path_are_one_device(lake, historian, plant):
    historian.tag(2, "plant/a/kwh")
    historian.tag(3, "other/a/kwh")
    historian.store(
        "sqlt_data_1_2026_10", [(1, START, 1.0), (2, START + HOUR, 2.0), (3, START, 9.0)]
    )
    outcome = lake.ingest(plant())
    assert outcome.ledger.landed == 2
    at = lake.bronze("plant")[0]["phenomenon_time"]
    assert values(lake) == [("a", at, 1.0), ("a", at + timedelta(hours=1), 2.0)]
    assert at.timestamp() * 1000 == START


@pytest.mark.parametrize(
    ("code", "quality"),
    [(192, "good"), (255, "good"), (64, "uncertain"), (127, "uncertain"), (0, "bad"), (24, "bad"),
     (191, "bad"), (256, "bad"), (448, "bad"), (500, "bad"), (-1, "bad"), (None, "bad")],
)  # fmt: skip
def test_quality(lake, historian, plant, code, quality):
    historian.store("sqlt_data_1_2026_10", [(1, START, (1.5, code))])
    lake.ingest(plant())
    (row,) = lake.bronze("plant")
    assert (row["quality"], row["quality_code"]) == (quality, None if code is None else str(code))
    assert row["value"] == 1.5


def test_values_of_every_kind(lake, historian, plant):
    historian.tag(2, "plant/a/state")
    historian.store(
        "sqlt_data_1_2026_10",
        [(1, START, 7), (1, START + 1, 0.5), (2, START, "på"), (1, START + 2, (None, 24))],
    )
    lake.ingest(plant(pageRows=10))
    found = [(r["channel"], r["value"], r["text"], r["quality"]) for r in lake.bronze("plant")]
    assert found == [
        ("kwh", 7.0, None, "good"),
        ("state", None, "på", "good"),
        ("kwh", 0.5, None, "good"),
        ("kwh", None, None, "bad"),
    ]


def test_poison_is_quarantined_with_a_reason(lake, historian, plant):
    historian.tag(2, "plant/kwh")
    historian.tag(3, "plant/b/unknown")
    historian.store(
        "sqlt_data_1_2026_10",
        [
            (1, START, 1.0),
            (1, START + 1, float("inf")),
            (2, START, 1.0),
            (3, START, float("inf")),
            (1, START + 2, "x"),
            (1, 9_000_000_000_000_000_000, 2.0),
        ],
    )
    ledger = lake.ingest(plant(pageRows=10)).ledger
    assert (ledger.landed, ledger.quarantined) == (1, 5)
    rules = sorted(row["rule"] for row in lake.quarantine("plant"))
    assert rules == [
        "tag_path", "time_missing", "value_not_finite", "value_not_finite", "value_unreadable",
    ]  # fmt: skip
    assert all(row["reason"] for row in lake.quarantine("plant"))


def test_value_from_the_future_does_not_lead_the_cursor_away(lake, historian, plant):
    now = int(time.time() * 1000)
    ahead = now + 1000 * HOUR
    historian.store("sqlt_data_1_2026_10", [(1, START, 1.0), (1, ahead, 2.0)])
    contract = plant(pageRows=10)
    first = lake.ingest(contract)
    assert (first.ledger.landed, first.ledger.quarantined) == (1, 1)
    assert delta.mark_of(tables.bronze(lake.settings, "plant"), "cursor") < now + HOUR
    historian.store("sqlt_data_1_2026_10", [(1, now - 1000, 3.0)])
    assert lake.ingest(contract).ledger.landed == 1
    assert [row["value"] for row in lake.bronze("plant")] == [1.0, 3.0]
    assert len(lake.quarantine("plant")) == 1


@pytest.fixture(scope="module")
def shared_historian(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paging")
    lake = new_lake(folder)
    made = Historian(lake.inbox / "historian.sqlite")
    for tag in range(1, 5):
        made.tag(tag, f"plant/d{tag}/kwh")
    made.partition("one")
    made.partition("two")
    return lake, made


@pytest.mark.slow
@settings(max_examples=5)
@given(
    instants=st.lists(
        st.tuples(st.integers(1, 12), st.sets(st.integers(1, 4), min_size=1), st.booleans()),
        max_size=8,
        unique_by=lambda instant: instant[0],
    )
)
def test_pages_of_any_size_give_the_same_rows(shared_historian, instants):
    lake, historian = shared_historian
    historian.run("delete from one", "delete from two")
    for step, tags, second in instants:
        partition = "two" if second else "one"
        historian.store(partition, [(tag, START + step, float(tag)) for tag in tags])
    expected = sorted((START + step, tag) for step, tags, _ in instants for tag in tags)
    for size in (1, 2, 3, len(expected) + 1):
        contract = lake.source(
            "plant",
            columns=CHANNELS,
            location=URL,
            delivery=HISTORIAN | {"pull": HISTORIAN["pull"] | {"pageRows": size}},
        )
        for by_file in (True, False):
            with pytest.MonkeyPatch.context() as patch:
                if not by_file:
                    patch.setattr(sql_pull, "receive_file", lambda *_: False)
                found = pages(lake, contract)
            assert [(at, tag) for page in found for tag, at in page] == expected
            for before, after in pairwise(found):  # an instant is split only if it fills a page
                assert before[-1][1] < after[0][1] or before[0][1] == after[0][1]
            assert all(0 < len(page) <= size for page in found)


def test_instant_that_fills_a_page_is_paged_by_tag(lake, historian, plant, monkeypatch):
    monkeypatch.setattr(sql_pull, "receive_file", lambda *_: False)
    for tag in range(2, 8):
        historian.tag(tag, f"plant/d{tag}/kwh")
    historian.store("sqlt_data_1_2026_10", [(1, START - 1, 1.0), (1, START + 1, 1.0)])
    historian.store("sqlt_data_1_2026_10", [(tag, START, 1.0) for tag in range(1, 8)])
    assert pages(lake, plant(pageRows=3)) == [
        [(1, START - 1)],
        [(1, START), (2, START), (3, START)],
        [(4, START), (5, START), (6, START)],
        [(7, START)],
        [(1, START + 1)],
    ]
    assert lake.ingest(plant(pageRows=3)).ledger.landed == 9


@pytest.mark.slow
def test_overlap_counts_nothing_twice(lake, historian, plant):
    steps = [(1, START + n * HOUR // 4, float(n)) for n in range(10)]
    historian.store("sqlt_data_1_2026_10", steps)
    first = lake.ingest(plant())
    assert (first.ledger.landed, first.ledger.duplicates) == (10, 0)
    versions, raw = lake.versions("plant"), set(lake.settings.landing.rglob("*/*/*"))
    again = lake.ingest(plant())
    assert again.receipts == ()
    assert again.reread + again.passed_over > 0
    assert lake.versions("plant") == versions
    assert set(lake.settings.landing.rglob("*/*/*")) == raw  # known bytes are not kept again
    assert len(lake.bronze("plant")) == 10


def test_page_with_the_same_bytes_is_passed_over(lake, historian, plant):
    """All values lie in the overlap: the second page is the first under another name."""
    historian.store("sqlt_data_1_2026_10", [(1, START, 1.0)])
    lake.ingest(plant())
    versions = lake.versions("plant")
    for _ in range(2):
        again = lake.ingest(plant())
        assert (again.receipts, again.passed_over) == ((), 1)
    assert lake.versions("plant") == versions


def test_late_value_arrives_on_the_next_pull(lake, historian, plant):
    historian.store("sqlt_data_1_2026_10", [(1, START + n * HOUR, float(n)) for n in range(4)])
    lake.ingest(plant())
    cursor = delta.mark_of(tables.bronze(lake.settings, "plant"), "cursor")
    historian.store("sqlt_data_1_2026_10", [(1, START + 3 * HOUR - HOUR // 2, 2.5)])
    outcome = lake.ingest(plant())
    assert (outcome.ledger.landed, outcome.ledger.duplicates) == (1, 2)
    assert 2.5 in [row["value"] for row in lake.bronze("plant")]
    assert delta.mark_of(tables.bronze(lake.settings, "plant"), "cursor") == cursor
    # The control: one from before the overlap is not seen.
    historian.store("sqlt_data_1_2026_10", [(1, START + 1, 0.5)])
    assert lake.ingest(plant()).ledger.landed == 0


@pytest.mark.slow
def test_link_that_breaks_between_pages_keeps_what_was_taken(lake, historian, plant, monkeypatch):
    historian.store("sqlt_data_1_2026_10", [(1, START + n * HOUR, float(n)) for n in range(10)])
    monkeypatch.setattr(sql_pull, "receive_file", lambda *_: False)
    real = sql_pull.receive
    for good in range(3):
        calls = iter(range(100))

        def receive(link, *asked, good=good, calls=calls):
            if next(calls) >= good:
                raise sql_link.sa.exc.OperationalError("select", {}, OSError("link is down"))
            real(link, *asked)

        monkeypatch.setattr(sql_pull, "receive", receive)
        with pytest.raises(SourceUnavailable, match="link is down"):
            lake.ingest(plant(pageRows=3))
        newest = max((r["phenomenon_time"].timestamp() * 1000 for r in lake.bronze("plant")),
                     default=0)  # fmt: skip
        assert delta.mark_of(tables.bronze(lake.settings, "plant"), "cursor") == newest
    monkeypatch.setattr(sql_pull, "receive", real)
    lake.ingest(plant(pageRows=3))
    assert [row["value"] for row in lake.bronze("plant")] == list(range(10))


@pytest.mark.parametrize("attempts", [1, 3])
def test_missing_file(lake, plant, waits, attempts):
    with pytest.raises(SourceUnavailable, match=f"did not answer in {attempts} attempts: unable"):
        lake.ingest(plant(attempts=attempts))
    assert waits == [0.5, 1.0][: attempts - 1]
    assert not (lake.inbox / "historian.sqlite").exists()


def test_historian_is_only_read(lake, historian, plant):
    historian.store("sqlt_data_1_2026_10", [(1, START, 1.0)])
    before = historian.path.read_bytes()
    lake.ingest(plant())
    assert historian.path.read_bytes() == before
    engine = sql_link._engine(plant(), lake.settings)
    with engine.connect() as connection, pytest.raises(Exception, match="readonly"):
        connection.exec_driver_sql("delete from sqlt_data_1_2026_10")


def test_address_in_a_variable(lake, historian, plant, monkeypatch):
    historian.store("sqlt_data_1_2026_10", [(1, START, 1.0)])
    contract = plant(location="env:SJOSTAD_TEST_HISTORIAN")
    with pytest.raises(SourceUnavailable, match="SJOSTAD_TEST_HISTORIAN is not set"):
        lake.ingest(contract)
    monkeypatch.setenv("SJOSTAD_TEST_HISTORIAN", f"sqlite:///{historian.path}")
    assert lake.ingest(contract).ledger.landed == 1


def test_address_that_is_none_tells_no_secret(lake, plant, monkeypatch):
    monkeypatch.setenv("SJOSTAD_TEST_HISTORIAN", "user:hemligt@host")
    with pytest.raises(SourceUnavailable, match="is no SQLAlchemy URL") as caught:
        lake.ingest(plant(location="env:SJOSTAD_TEST_HISTORIAN"))
    assert "hemligt" not in str(caught.value)


def test_contract_must_split_the_tag_path(lake, historian, plant):
    historian.store("sqlt_data_1_2026_10", [(1, START, 1.0)])
    outcome = lake.ingest(plant(device={"path": "^plant/(.+)$"}))
    (refused,) = outcome.refused
    assert "needs a pattern that splits a tag path" in refused.reason
    assert lake.ingest(plant()).ledger.landed == 1


def test_partitions_of_other_drivers_and_blocks_are_left_alone(lake, historian, plant):
    historian.tag(2, "plant/b/kwh", driver=2)
    historian.tag(3, "other/a/kwh", driver=3)
    historian.partition("sqlt_data_2_2026_10", driver=2)
    historian.partition("sqlt_data_3_2026_10", driver=3)
    historian.partition("sqlt_data_1_2026_10_60", block=60)
    historian.store("sqlt_data_1_2026_10", [(1, START, 1.0)])
    historian.store("sqlt_data_2_2026_10", [(2, START, 2.0)])
    historian.store("sqlt_data_3_2026_10", [(2, START + 1, 3.0)])
    historian.store("sqlt_data_1_2026_10_60", [(1, START + 2, 4.0)])
    assert pages(lake, plant()) == [[(1, START), (2, START)]]
    historian.tag(4, "plant/c/kwh", driver=None)  # its driver is unknown: it may be anywhere
    assert pages(lake, plant()) == [[(1, START), (2, START), (2, START + 1)]]


@pytest.mark.parametrize("name", ["sqlt_data_1_20261019", "sqlt_data_1_2026_1", "weekly_43"])
def test_partitions_of_a_day_or_a_week(lake, historian, plant, name):
    historian.partition(name, START, START + HOUR)
    historian.listed(name, START, START + HOUR)  # a partition may be listed twice
    historian.store(name, [(1, START, 1.0)])
    assert pages(lake, plant()) == [[(1, START)]]


def test_history_without_partitions(lake, historian, plant):
    historian.run("delete from sqlth_partitions")
    historian.values("sqlth_1_data")
    historian.values("sqlth_1_data_copy")
    historian.store("sqlth_1_data", [(1, START, 1.0)])
    historian.store("sqlth_1_data_copy", [(1, START, 9.0)])
    assert pages(lake, plant()) == [[(1, START)]]


def test_retired_tags_are_history_too(lake, historian, plant):
    historian.run("update sqlth_te set retired = 1")
    historian.store("sqlt_data_1_2026_10", [(1, START, 1.0)])
    assert pages(lake, plant()) == [[(1, START)]]


def test_cells_of_another_type_are_quarantined_by_both_readers(lake, historian, plant):
    """SQLite lets a cell be of any type; DuckDB's reader does not, so SQLAlchemy steps in."""
    historian.run(
        f"insert into sqlt_data_1_2026_10 values (1, null, 'abc', null, null, 192, {START})"
    )
    historian.store("sqlt_data_1_2026_10", [(1, START + n, 0.1 + 0.2) for n in range(1, 7)])
    outcome = lake.ingest(plant(pageRows=5))
    assert (outcome.ledger.landed, outcome.ledger.quarantined) == (6, 1)
    assert {row["value"] for row in lake.bronze("plant")} == {0.1 + 0.2}
    (row,) = lake.quarantine("plant")
    assert (row["rule"], row["reason"]) == ("value_unreadable", "kwh is 'abc', which is no number")
