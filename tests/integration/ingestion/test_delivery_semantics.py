"""Deliveries again, overlapping, late, in any order, at the same time, damaged or misread."""

from __future__ import annotations

import gzip
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import pytest
from deltalake.exceptions import DeltaError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion import landing
from ingestion.batches import batch
from lakehouse import delta
from lakehouse.errors import Busy, ContractError
from lakehouse.locks import exclusive
from tests.unit.ingestion.lake import BUSINESS, CSV, METER, column, new_lake, utc

HEAD = "meter;time;kwh\n"


def table(*values: float | str, first: int = 0, meter: str = "m1", day: str = "2026-10-19") -> str:
    rows = (
        f"{meter};{day}T{hour:02}:00:00;{value}\n" for hour, value in enumerate(values, start=first)
    )
    return HEAD + "".join(rows)


def test_same_file_again_renamed_and_packed_again(lake):
    """B1: L unchanged, D = I."""
    contract = lake.source()
    lake.deliver("a.csv", table(1, 2, 3))
    lake.ingest(contract)
    before = lake.hash()
    lake.deliver("a.csv", table(1, 2, 3), received=datetime(2027, 2, 1, tzinfo=UTC))
    assert lake.ingest(contract).passed_over == 1
    lake.deliver("b.csv", table(1, 2, 3))
    for minute in (1, 2):
        lake.deliver(f"c{minute}.csv.gz", gzip.compress(table(1, 2, 3).encode(), mtime=minute))
    outcome = lake.ingest(contract)
    ledger = outcome.ledger
    assert (ledger.rows_in, ledger.duplicates, ledger.landed) == (9, 9, 0)
    assert sorted(receipt.outcome for receipt in outcome.receipts) == [
        "duplicate", "landed", "landed",
    ]  # fmt: skip
    assert lake.hash() == before


def test_overlapping_windows(lake):
    """B2: L = union, D = overlap."""
    contract = lake.source()
    lake.deliver("a.csv", table(*range(10)))
    lake.deliver("b.csv", table(*range(5, 15), first=5))
    ledger = lake.ingest(contract).ledger
    assert (ledger.landed, ledger.duplicates) == (15, 5)


def test_correction_lands_beside_what_it_corrects(lake):
    """B3: history is kept; which one counts is the model's to say."""
    contract = lake.source()
    lake.deliver("a.csv", table(1, 2))
    lake.ingest(contract)
    lake.deliver("b.csv", table(1, 9))
    ledger = lake.ingest(contract).ledger
    assert (ledger.landed, ledger.duplicates) == (1, 1)
    assert [(r["value"], r["_batch"]) for r in sorted(lake.bronze(), key=lambda r: r["value"])] == [
        (1.0, 1), (2.0, 1), (9.0, 2),
    ]  # fmt: skip


def test_late_rows_keep_their_time(lake):
    """B4."""
    contract = lake.source()
    for number, day in enumerate(("2026-10-19", "2026-10-18", "2026-10-16", "2026-09-09")):
        lake.deliver(f"{number}.csv", table(number, day=day))
        assert lake.ingest(contract).ledger.landed == 1
    assert [row["phenomenon_time"] for row in lake.bronze()] == [
        utc(day) for day in ("2026-09-09", "2026-10-16", "2026-10-18", "2026-10-19")
    ]


@pytest.mark.parametrize("other", [2020, 2030])
def test_bronze_keeps_the_partitions_that_it_began_with(lake, other):
    """A day for each from go-live on, a year before it, whatever the setting is later."""
    contract = lake.source()
    changed = replace(lake, settings=replace(lake.settings, daily_from=date(other, 1, 1)))
    days = ("2019-07-01", "2025-07-01", "2026-07-01")
    for number, at in enumerate((lake, changed, lake)):
        for day in days:
            at.deliver(f"{number}_{day}.csv", table(number, day=day, meter=f"m{number}"))
        assert at.ingest(contract).ledger.landed == 3
    kept = {str(row["partition_date"]) for row in lake.bronze()}
    assert kept == {"2019-01-01", "2025-01-01", "2026-07-01"}
    # The control: a lake that begins with the other date has other partitions.
    new = lake.source("others")
    for day in days:
        changed.deliver(f"{day}.csv", table(1, day=day), folder="others")
    changed.ingest(new)
    assert {str(row["partition_date"]) for row in lake.bronze("others")} != kept


FILES = {
    "a.csv": table(1, 2, "x", 4),
    "b.csv": table(2, "x", 4, 5, first=1),
    "c.csv": table(1, 7),
    "d.csv": table(3, meter="m2"),
    "e.csv": table(1, 2, "x", 4),
    "f.csv": table(1, 2, 8, 4, 5, 6),
    "g.csv.gz": gzip.compress(table(7, 4, 5, first=1).encode(), mtime=1),
}
"""Deliveries that overlap, correct each other, are the same bytes, and the same rows packed."""

AT_ONCE = 20
"""Orders that are tried in one lake: each has meters of its own, so no row meets another's."""


def own(name: str, number: int) -> bytes:
    """A delivery of the order with a number, with that order's meters."""
    content = FILES[name]
    text = gzip.decompress(content).decode() if isinstance(content, bytes) else content
    mine = text.replace("m1;", f"m1_{number};").replace("m2;", f"m2_{number};").encode()
    return gzip.compress(mine, mtime=1) if name.endswith(".gz") else mine


def outcomes(orders, batches) -> tuple[list[tuple], bool]:
    """What bronze and quarantine have of each order, and whether the account adds up.

    The first deliveries of all orders come first, then the second of all; an ingest follows
    those places that `batches` names.
    """
    with tempfile.TemporaryDirectory() as folder:
        lake = new_lake(Path(folder))
        contract = lake.source()
        for place in range(len(FILES)):
            for number, order in enumerate(orders):
                name = f"{place}_{number}_{order[place]}"
                lake.deliver(name, own(order[place], number))
            if place in batches or place == len(FILES) - 1:
                lake.ingest(contract)
        ledger = [row for row in lake.ledger() if row["outcome"] != "refused"]
        offered = sum(row["rows_in"] for row in ledger)
        settled = sum(row[k] for row in ledger for k in ("landed", "quarantined", "duplicates"))
        bronze, held = lake.bronze(), lake.quarantine()
    found = []
    for number in range(len(orders)):
        sign = f"_{number}"
        rows = [repr([str(row[name]).removesuffix(sign) for name in BUSINESS])
                for row in bronze if row["device"].endswith(sign)]  # fmt: skip
        broken = [(row["raw"].replace(sign, "", 1), row["rule"])
                  for row in held if row["raw"].split(";")[0].endswith(sign)]  # fmt: skip
        found.append((sorted(rows), sorted(broken)))
    return found, offered == settled


@cache
def in_order() -> tuple:
    """What any order must come to."""
    (found,), adds_up = outcomes([sorted(FILES)], set(range(len(FILES))))
    # Nine readings of one meter, of which three hours were corrected, one of the other meter.
    assert ([len(rows) for rows in found], adds_up) == ([10, 1], True)
    return found


@pytest.mark.slow
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    orders=st.lists(
        st.permutations(sorted(FILES)), min_size=AT_ONCE, max_size=AT_ONCE, unique_by=tuple
    ),
    batches=st.sets(st.integers(0, len(FILES) - 1), max_size=3),
)
def test_order_of_deliveries_does_not_matter(orders, batches):
    """B5: 200 orders, cut into batches anywhere."""
    found, adds_up = outcomes(orders, batches)
    assert adds_up
    for order, one in zip(orders, found, strict=True):
        assert one == in_order(), order


def test_another_delivery_comes_to_something_else():
    """The control of the test above: a row more, or one other value, is seen."""
    for changed in (table(1, 2, "y", 4), table(1, 2.0000000001), table(1, first=9)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(FILES, "e.csv", changed)
            (other,), adds_up = outcomes([sorted(FILES)], set())
        assert other != in_order()
        assert adds_up


def test_hash_notices_one_other_value(lake):
    """The control of the test above."""
    contract = lake.source()
    lake.deliver("a.csv", table(1, 2))
    lake.ingest(contract)
    before = lake.hash()
    lake.deliver("b.csv", table(1, 2.0000000001))
    lake.ingest(contract)
    assert lake.hash() != before


def test_two_ingests_of_one_source_at_once(lake):
    """B6: they wait for each other, and the second finds nothing to do."""
    contract = lake.source()
    for number in range(3):
        lake.deliver(f"{number}.csv", table(*range(5), meter=f"m{number}"))
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda _: lake.ingest(contract), range(2)))
    assert sorted(outcome.ledger.landed for outcome in outcomes) == [0, 15]
    assert len(lake.bronze()) == 15


def test_source_that_is_being_ingested_is_busy(lake):
    contract = lake.source()
    impatient = replace(lake, settings=replace(lake.settings, patience_s=0))
    with exclusive(lake.settings, "ingest.meters"), pytest.raises(Busy, match=r"ingest\.meters"):
        impatient.ingest(contract)


def test_four_sources_at_once(lake):
    """B7: all write one ledger table; nothing is lost."""
    contracts = [lake.source(f"meters{number}") for number in range(4)]
    for contract in contracts:
        lake.deliver("a.csv", table(*range(20)), folder=contract.id)
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lake.ingest, contracts))
    assert [outcome.ledger.landed for outcome in outcomes] == [20] * 4
    for contract in contracts:
        assert len(lake.bronze(contract.id)) == 20
        assert len(lake.ledger(contract.id)) == 1


def test_commit_whose_answer_is_lost(lake, monkeypatch):
    """B9: every commit succeeds and then reports an error."""
    contract = lake.source()
    lake.deliver("a.csv", table(1, "x"))
    real = delta.write_deltalake

    def lose_the_answer(*given, **options):
        real(*given, **options)
        raise DeltaError("connection reset")

    with monkeypatch.context() as patch:
        patch.setattr(delta, "write_deltalake", lose_the_answer)
        ledger = lake.ingest(contract).ledger
    assert (ledger.landed, ledger.quarantined) == (1, 1)
    assert lake.ingest(contract).receipts == ()
    assert (len(lake.bronze()), len(lake.quarantine()), len(lake.ledger())) == (1, 1, 1)


def test_damaged_delivery_beside_good_ones(lake):
    """C4: refused whole and named; the others land."""
    contract = lake.source()
    whole = gzip.compress(table(*range(20), meter="bad").encode())
    lake.deliver("a.csv", table(1))
    lake.deliver("b.csv.gz", whole[:-8])
    lake.deliver("c.csv", b"")
    lake.deliver("d.csv", "<html>503</html>")
    lake.deliver("e.csv", table(2, meter="m2"))
    (lake.inbox / "meters" / "f.csv").symlink_to("/etc/hostname")
    outcome = lake.ingest(contract)
    assert sorted(r.name for r in outcome.refused) == [
        "meters/b.csv.gz", "meters/c.csv", "meters/d.csv", "meters/f.csv",
    ]  # fmt: skip
    assert {row["device"] for row in lake.bronze()} == {"m1", "m2"}
    held = {row["name"]: row for row in lake.quarantine()}
    assert set(held) == {receipt.name for receipt in outcome.refused}
    assert {row["rule"] for row in held.values()} == {"delivery_refused"}
    assert "damaged" in held["meters/b.csv.gz"]["reason"]
    versions = lake.versions()
    lake.ingest(contract)
    assert lake.versions() == versions


def test_mended_contract_gives_another_chance(lake):
    lake.deliver("a.csv", "meter;time;kwh;extra\nm1;2026-10-19T10:00:00;1;x\n")
    contract = lake.source(delivery=CSV | {"drift": "freeze"})
    assert len(lake.ingest(contract).refused) == 1
    assert lake.ingest(contract).receipts == ()  # not while it is the same contract
    mended = lake.source(delivery=CSV | {"csv": {"delimiter": ";", "extraColumns": "ignore"}})
    outcome = lake.ingest(mended)
    assert (outcome.ledger.landed, outcome.refused) == (1, ())


def test_file_that_is_still_growing_is_refused_and_the_others_land(lake, monkeypatch):
    contract = lake.source()
    lake.deliver("a.csv", table(1))
    lake.deliver("b.csv", table(2, meter="m2"))
    real = landing._copied

    def grow(file, target):
        sha256 = real(file, target)
        path = Path(f"/proc/self/fd/{file.fileno()}").readlink()
        if path.name == "a.csv":
            path.write_text(table(1, 5))
        return sha256

    with monkeypatch.context() as patch:
        patch.setattr(landing, "_copied", grow)
        outcome = lake.ingest(contract)
    assert [receipt.name for receipt in outcome.refused] == ["meters/a.csv"]
    assert outcome.ledger.landed == 1
    assert lake.ingest(contract).ledger.landed == 2


@pytest.mark.parametrize(("key", "known"), [("protocol", "folder"), ("format", "csv")])
def test_unknown_protocol_or_format(lake, key, known):
    with pytest.raises(ContractError, match=rf"delivery\.{key}: 'ftp' is no {key}.*{known}"):
        lake.ingest(lake.source(delivery=CSV | {key: "ftp"}))


def test_numbers_at_their_limits(lake):
    """D3: to the last bit, or quarantined."""
    columns = [*METER[:2], column("kwh", "active_energy", "kW.h")]
    cells = ["NaN", "inf", "-inf", "1e400", "9223372036854775808", "0.1", "1e308", "5e-324",
             "12345678901234567890.123456789012345678"]  # fmt: skip
    lake.deliver("a.csv", table(*cells))
    ledger = lake.ingest(lake.source(columns=columns)).ledger
    assert (ledger.landed, ledger.quarantined) == (5, 4)
    assert [row["value"] for row in lake.bronze()] == [float(cell) for cell in cells[4:]]


def test_same_rows_twice_in_one_file(lake):
    """D5."""
    contract = lake.source()
    lake.deliver(
        "a.csv", HEAD + "m1;2026-10-19T10:00:00;1\n" * 3 + "m1;2026-10-19T10:00:00;x\n" * 2
    )
    ledger = lake.ingest(contract).ledger
    assert (ledger.landed, ledger.quarantined, ledger.duplicates) == (1, 1, 3)


def test_a_document_too_large_for_the_memory_is_refused_alone(lake, monkeypatch):
    """One document is read whole; the deliveries beside it land, and the run goes on."""
    monkeypatch.setattr(batch, "_MEMORY", "48MB")
    contract = lake.source(
        delivery={"protocol": "folder", "format": "sensorthings"},
        columns=[column("kwh", "active_energy", "kW.h")],
    )
    value = [{"phenomenonTime": f"2026-10-{day:02}T00:00:00Z", "result": day} for day in (1, 2)]
    stream = {"name": "kwh", "unitOfMeasurement": {"symbol": "kWh"}, "Thing": {"name": "m1"}}
    lake.deliver("small.json", json.dumps({"value": [stream | {"Observations": value}]}))
    large = {"value": [stream | {"Observations": value * 240_000}]}
    lake.deliver("large.json", json.dumps(large))
    outcomes = {one.name: one for one in lake.ingest(contract).receipts}
    assert outcomes["meters/small.json"].outcome == "landed"
    assert outcomes["meters/large.json"].outcome == "refused"
    assert outcomes["meters/small.json"].ledger.landed == 2
    (held,) = [row for row in lake.quarantine() if row["name"] == "meters/large.json"]
    assert "more than the 48MB" in held["reason"]
