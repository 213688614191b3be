"""The events of the locks, read back and held against the summary."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import datetime
from itertools import pairwise

import pytest

from lakehouse.ledger import Ledger
from sample_city.smarta_las import AREAS, HEADER, LOW_PERCENT, OPENED, REFUSED, STATUS

CORRECTED = "las_2026-10-25_rattad.csv"


@pytest.fixture(scope="module")
def summary(city):
    return city.summary["smarta_las"]


@pytest.fixture(scope="module")
def files(city) -> dict[str, list[list[str]]]:
    found = {}
    for path in sorted((city.inbox / "smarta_las").iterdir()):
        header, *lines, last = path.read_bytes().decode("utf-8").split("\r\n")
        assert (header, last) == (HEADER, "")
        found[path.name] = [line.split(";") for line in lines]
    return found


@pytest.fixture(scope="module")
def used(files) -> dict[str, dict[str, set[str]]]:
    """The locks that were opened, by day and area."""
    found = defaultdict(lambda: defaultdict(set))
    for name, rows in files.items():
        for row in rows:
            if len(row) == 5 and row[3] == OPENED:
                found[name][row[2]].add(row[1])
    return found


def test_summary_is_what_an_ingest_finds(files, summary):
    for delivery in summary.deliveries:
        rows = files[delivery.name]
        whole = [row for row in rows if len(row) == 5]
        nowhere = sum(not row[2] for row in whole)
        cut = len(rows) - len(whole)
        known = 2 * len(rows) if delivery.name == CORRECTED else 0
        offered = 3 * len(whole) + cut
        assert delivery.ledger == Ledger(
            records=len(rows), rows_in=offered, landed=offered - nowhere - cut - known,
            quarantined=nowhere + cut, duplicates=known,
        )  # fmt: skip
        assert delivery.faults.get("cut_line", 0) == cut
        assert delivery.faults.get("unknown_area", 0) == nowhere
    faults = summary.faults
    assert faults["cut_line"] == 1
    assert faults["misspelt_area"] == faults["correction"] == len(files[CORRECTED])
    assert faults["unknown_area"] > 1


def test_columns_and_areas_are_the_contracts_own(contracts, files):
    contract = contracts["smarta_las"]
    assert [column.delivered_as for column in contract.columns] == HEADER.split(";")
    assert contract.delivery.drift == "freeze"
    assert not contract.things
    told = Counter(row[2] for rows in files.values() for row in rows if len(row) == 5)
    assert {*told} == {*AREAS, "", "Sodermalm"}


def test_nobody_can_be_told_from_what_is_delivered(files):
    """Times, pseudonyms, areas and what a lock did; no name, address or key."""
    cells = re.compile(
        r"2026-1\d-\d\dT\d\d:\d\d:\d\d\+0[12]:00|LAS-[0-9a-f]{10}|\w*malm|Kungsholmen|Gamla stan"
        rf"|{OPENED}|{REFUSED}|{STATUS}|\d{{1,3}}|"
    )
    whole = [row for rows in files.values() for row in rows if len(row) == 5]
    assert all(cells.fullmatch(cell) for row in whole for cell in row)
    assert len({row[1] for row in whole}) == sum(AREAS.values()) == 60


def test_a_file_has_the_events_of_a_day_in_stockholm_in_order(files):
    for name, rows in files.items():
        times = [datetime.fromisoformat(row[0]) for row in rows if len(row) == 5]
        assert times == sorted(times)
        assert {f"{time:%Y-%m-%d}" for time in times} == {name[4:14]}
    twice = [row[0] for row in files["las_2026-10-25.csv"] if row[0][11:13] == "02"]
    assert {time[-6:] for time in twice} == {"+02:00", "+01:00"}
    keys = [(row[1], row[0]) for name, rows in files.items() if name != CORRECTED for row in rows]
    assert len(keys) == len({*keys})


def test_one_area_is_always_small_and_one_is_now_and_then(used):
    days = [areas for name, areas in used.items() if name != CORRECTED]
    assert len(days) == 14
    assert max(len(areas["Gamla stan"]) for areas in days) <= 3
    seldom = [len(areas["Norrmalm"]) for areas in days]
    assert min(seldom) < 5 <= max(seldom)
    for area in ("Södermalm", "Kungsholmen", "Östermalm"):
        assert min(len(areas[area]) for areas in days) >= 5


def test_locks_refuse_seldom_but_on_one_day(files):
    refused = {
        name: {row[1] for row in rows if len(row) == 5 and row[3] == REFUSED}
        for name, rows in files.items()
    }
    outage = refused.pop("las_2026-10-28.csv")
    assert len(outage) > 15
    assert 0 < sum(map(len, refused.values())) < 80


def test_batteries_run_down(files):
    low = [
        {row[1] for row in rows if len(row) == 5 and int(row[4]) < LOW_PERCENT}
        for name, rows in files.items() if name != CORRECTED
    ]  # fmt: skip
    assert all(before <= after for before, after in pairwise(low))
    assert len(low[0]) >= 4
    assert len(low[-1]) > 20
