"""A source whose reading was wrong is built anew: as a fresh lake under the mended contract."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from ingestion import anew as building
from ingestion import balance, build_anew, replay
from lakehouse import delta, tables
from lakehouse.errors import LakeConflict, LakeError
from tests.integration.ingestion import crashing
from tests.integration.ingestion.crashing import Point, killed
from tests.unit.ingestion.lake import CSV, METER, RECEIVED, Lake, column, new_lake

DECISION = {"rebuilt_by": "Drift", "rebuilt_because": "the clocks were read wrongly"}
ZONE = CSV | {"time": {"columns": ["time"], "zone": "Europe/Stockholm"}}
DEVICE = CSV | {"device": {"column": "place"}}
WITH_PLACE = (*METER[:2], column("place", kind="string"), METER[2])
NARROW = (*METER[:2], column("kwh", "active_energy", "kW.h", limits=(0, 6)))
HEADER = "meter;time;kwh;place\n"

MENDED = {
    "another time zone": {"delivery": ZONE},
    "another device rule": {"delivery": DEVICE, "columns": WITH_PLACE},
    "another unit": {"columns": (*METER[:2], column("kwh", "active_energy", "W.h"))},
    "narrower limits": {"columns": NARROW},
}


def deliver(lake: Lake) -> None:
    """Deliveries with broken, repeated and corrected rows, one of them packed."""
    first = "m1;2026-10-19T10:00:00;5;north\nm1;2026-10-19T11:00:00;-3;north\n"
    again = first + "m1;2026-10-19T10:00:00;7;north\nm2;2026-03-29T02:30:00;8;south\n"
    lake.deliver("a.csv", HEADER + first)
    lake.deliver("b.csv.gz", gzip.compress((HEADER + again).encode(), mtime=0))
    lake.deliver("c.csv", HEADER + "m2;2026-10-19T12:00:00;x;south\nm2;2026-10-19T13:00:00;9;south")


def source(lake: Lake, **changes):
    return lake.source(**({"columns": WITH_PLACE} | changes))


@pytest.fixture
def taken(lake):
    deliver(lake)
    lake.ingest(source(lake))
    return lake


def fresh(folder: Path, **changes) -> Lake:
    """What a lake would be that has had the contract from the start."""
    lake = new_lake(folder)
    deliver(lake)
    lake.ingest(source(lake, **changes))
    return lake


def broken(lake: Lake) -> list[tuple]:
    names = ("name", "_row", "rule", "reason", "raw")
    return [tuple(row[name] for name in names) for row in lake.quarantine()]


def standing(lake: Lake) -> dict[str, tuple]:
    names = ("rows_in", "landed", "quarantined", "duplicates", "filtered")
    return {row["name"]: tuple(row[name] for name in names) for row in lake.ledger()}


def assert_as_fresh(lake: Lake, expected: Lake) -> None:
    assert lake.hash() == expected.hash()
    assert broken(lake) == broken(expected)
    assert standing(lake) == standing(expected)
    assert balance(lake.settings, "meters").is_kept
    for counts in standing(lake).values():
        assert counts[0] == sum(counts[1:])


@pytest.mark.parametrize("change", MENDED)
def test_it_is_as_a_fresh_lake_under_the_mended_contract(taken, tmp_path, change):
    old, version = taken.hash(), taken.versions()[0]
    contract = source(taken, **MENDED[change])
    outcome = build_anew(taken.settings, contract, decision=DECISION)
    assert taken.hash() != old
    assert outcome.gone > 0
    assert_as_fresh(taken, fresh(tmp_path / "fresh", **MENDED[change]))

    # The rows as they were can still be reached, and who decided it stands in the one commit.
    bronze = tables.bronze(taken.settings, "meters")
    assert (outcome.version_before, outcome.version) == (version, version + 1)
    was = delta.open_table(bronze, outcome.version_before).to_pyarrow_table()
    assert was.num_rows == outcome.rows_before == old[0]
    note = delta.note_of(bronze, outcome.version)
    assert DECISION.items() <= note.items()
    assert note["built_anew_from"] == str(version)

    # Nothing is taken again, and nothing differs any more.
    assert taken.ingest(contract).receipts == ()
    versions = taken.versions()
    assert build_anew(taken.settings, contract).version is None
    assert taken.versions() == versions
    assert not (taken.settings.home / "anew" / "meters").exists()


def test_a_replay_says_that_it_cannot_and_what_can(taken):
    with pytest.raises(LakeError, match=r"read differently.*sjostad replay meters --anew"):
        replay(taken.settings, source(taken, delivery=ZONE), everything=True)


def test_a_dry_run_counts_and_writes_nothing(taken):
    versions, rows = taken.versions(), taken.hash()
    outcome = build_anew(taken.settings, source(taken, delivery=ZONE), dry_run=True)
    assert (outcome.rows_before, outcome.rows_after, outcome.version) == (4, 3, None)
    assert (outcome.gone, outcome.new) == (4, 3)
    # 02:30 on 29 March does not exist in Stockholm.
    assert (outcome.held_before, outcome.held_after) == (2, 3)
    assert (taken.versions(), taken.hash()) == (versions, rows)
    assert build_anew(taken.settings, source(taken), dry_run=True).gone == 0


def test_what_comes_afterwards_is_compared_with_the_new_rows(taken, tmp_path):
    contract = source(taken, delivery=ZONE)
    build_anew(taken.settings, contract)
    more = HEADER + "m1;2026-10-19T10:00:00;5;north\nm9;2026-10-20T10:00:00;1;north\n"
    expected = fresh(tmp_path / "fresh", delivery=ZONE)
    for lake in (taken, expected):
        lake.deliver("d.csv", more)
        ledger = lake.ingest(contract).ledger
        assert (ledger.landed, ledger.duplicates) == (1, 1)
    assert_as_fresh(taken, expected)


def test_rows_that_a_person_released_stay_released(taken):
    rule = frozenset({"value_below_minimum"})
    replay(taken.settings, source(taken), waived=rule, decision={"released_by": "Drift"})
    released = [row["value"] for row in taken.bronze() if row["quality_code"]]
    assert released == [-3]
    build_anew(taken.settings, source(taken, delivery=ZONE))
    assert [row["value"] for row in taken.bronze() if row["quality_code"]] == released
    # What another delivery repeats of it was a duplicate of a held row; it is held itself now.
    held = {row["name"] for row in taken.quarantine() if row["rule"] == "value_below_minimum"}
    assert held == {"meters/b.csv.gz"}
    assert balance(taken.settings, "meters").is_kept


def test_a_refused_delivery_gets_its_chance_and_one_refused_still_stays(taken, tmp_path):
    mended = {"columns": METER, "delivery": ZONE}  # no place is asked for
    expected = new_lake(tmp_path / "fresh")
    deliver(expected)
    for lake in (taken, expected):
        lake.deliver("late.csv", "meter;time;kwh\nm7;2026-10-21T10:00:00;3\n")
        lake.deliver("page.csv", "<html>busy</html>")
    assert len(taken.ingest(source(taken)).refused) == 2
    outcome = build_anew(taken.settings, source(taken, **mended))
    assert (outcome.deliveries, len(outcome.refused)) == (5, 1)
    assert "m7" in {row["device"] for row in taken.bronze()}
    expected.ingest(source(expected, **mended))
    assert (taken.hash(), standing(taken)) == (expected.hash(), standing(expected))
    assert balance(taken.settings, "meters").is_kept
    again = taken.ingest(source(taken, **mended))
    assert [receipt.name for receipt in again.receipts] == ["meters/page.csv"]


def test_rows_of_no_known_delivery_stop_it(taken):
    """They could not be read again, so they would be lost."""
    bronze = tables.bronze(taken.settings, "meters")
    row = taken.rows(bronze)[0] | {"device": "by hand"}
    table = pa.Table.from_pylist([row], tables.TELEMETRY)
    delta.append(bronze, table, tables.TELEMETRY, marks={"by hand": 1})
    with pytest.raises(LakeError, match="5 rows where the ledger tells of 4"):
        build_anew(taken.settings, source(taken, delivery=ZONE))
    assert "by hand" in {row["device"] for row in taken.bronze()}


def test_a_taken_delivery_that_would_be_refused_stops_it(taken):
    versions = taken.versions()
    wanting = (*WITH_PLACE, column("gauge", "active_energy", "kW.h"))
    with pytest.raises(LakeError, match=r"has landed and would be refused.*gauge"):
        build_anew(taken.settings, source(taken, columns=wanting))
    assert taken.versions() == versions


def test_missing_bytes_stop_it(taken):
    versions = taken.versions()
    next(path for path in taken.settings.landing.rglob("*") if path.is_file()).unlink()
    with pytest.raises(LakeError, match="are gone"):
        build_anew(taken.settings, source(taken, delivery=ZONE))
    assert taken.versions() == versions


def test_nothing_landed_is_nothing_to_build(lake):
    with pytest.raises(LakeError, match="nothing has landed"):
        build_anew(lake.settings, source(lake))


def test_another_writer_in_between_is_not_overwritten(taken, monkeypatch):
    """The lock aside: rows that landed after the source was read are in no staged table."""
    real = building._swap

    def slow(*given):
        taken.deliver("z.csv", HEADER + "m5;2026-10-25T10:00:00;1;north\n", RECEIVED)
        monkeypatch.setattr(
            "ingestion.source.exclusive", lambda *_: __import__("contextlib").nullcontext()
        )
        version = delta.version_of(tables.bronze(taken.settings, "meters"))
        moved = taken.ingest(source(taken)).version
        assert moved == version + 1
        return real(*given)

    def as_read(address, names):
        found = marks_of(address, names)
        return {**found, "batch": 1} if address.parts[-3] == "lake" and "anew" in names else found

    marks_of = delta.marks_of
    with monkeypatch.context() as patch:
        patch.setattr(building, "_swap", slow)
        patch.setattr(building.delta, "marks_of", as_read)
        with pytest.raises(LakeConflict, match="moved batch"):
            build_anew(taken.settings, source(taken, delivery=ZONE))
    assert "m5" in {row["device"] for row in taken.bronze()}
    assert balance(taken.settings, "meters").is_kept


POINTS = {
    "before the staged lake is read": Point("ingestion.anew", "take", 1, "before"),
    "in the staged lake, after its commit": Point("ingestion.anew", "take", 1, "after"),
    "after it was compared": Point("ingestion.anew", "_compare", 1, "after"),
    "before quarantine's commit": Point("lakehouse.delta", "append_query", 2, "before"),
    "after quarantine's commit": Point("lakehouse.delta", "append_query", 2, "after"),
    "before bronze's files": Point("lakehouse.delta", "replace_query", 1, "before"),
    "after bronze's files, before the log": Point(
        "lakehouse.delta.data_files", "write", 3, "after"
    ),
    "before bronze's log entry": Point(
        "deltalake:DeltaTable", "create_write_transaction", 3, "before"
    ),
    "after bronze's log entry, before the flush": Point(
        "deltalake:DeltaTable", "create_write_transaction", 3, "after"
    ),
    "after bronze's commit": Point("lakehouse.delta", "replace_query", 1, "after"),
    "before the ledger": Point("ingestion.accounts", "repair", 3, "before"),
    "after the ledger": Point("ingestion.accounts", "repair", 3, "after"),
}


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_killed_and_built_again(taken, tmp_path, point):
    """At any point the table is the old one or the new one; a second call ends at the new one."""
    old = taken.hash()
    contract = source(taken, delivery=ZONE)
    expected = fresh(tmp_path / "fresh", delivery=ZONE)
    assert killed(crashing.build, taken.settings, contract.path, POINTS[point]) == -9
    assert taken.hash() in (old, expected.hash())
    build_anew(taken.settings, contract)
    assert_as_fresh(taken, expected)
    receipts = json.loads(
        delta.note_of(
            tables.bronze(taken.settings, "meters"),
            delta.version_of(tables.bronze(taken.settings, "meters")),
        )["receipts"]
    )
    assert len(receipts) == 3
    assert taken.ingest(contract).receipts == ()


@pytest.mark.slow
@pytest.mark.parametrize("point", ["after quarantine's commit", "after bronze's commit"])
def test_killed_and_not_built_again(taken, tmp_path, point):
    """An ingest finds a whole lake, whichever table it is."""
    contract = source(taken)
    mended = source(taken, delivery=ZONE)
    killed(crashing.build, taken.settings, mended.path, POINTS[point])
    is_new = point == "after bronze's commit"
    contract = mended if is_new else source(taken)
    assert taken.ingest(contract).receipts == ()
    expected = fresh(tmp_path / "fresh", **({"delivery": ZONE} if is_new else {}))
    assert_as_fresh(taken, expected)
