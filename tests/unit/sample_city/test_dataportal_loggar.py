"""The counts of the portal, read back and held against the summary."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from lakehouse.ledger import Ledger
from sample_city.dataportal_loggar import DATASETS, HEADER


@pytest.fixture(scope="module")
def summary(city):
    return city.summary["dataportal_loggar"]


@pytest.fixture(scope="module")
def files(city) -> dict[str, list[list[str]]]:
    found = {}
    for path in sorted((city.inbox / "dataportal_loggar").iterdir()):
        header, *lines, last = path.read_bytes().decode("utf-8").split("\r\n")
        assert (header, last) == (HEADER, "")
        found[path.name] = [line.split(";") for line in lines]
    return found


def test_summary_is_what_an_ingest_finds(files, summary):
    for delivery in summary.deliveries:
        rows = 0 if delivery.resent else len(files[delivery.name])
        assert delivery.ledger == Ledger(records=rows, rows_in=3 * rows, landed=3 * rows)
    assert summary.faults == {"lost_day": 1, "resent_file": 1, "resent_record": len(DATASETS)}
    assert "portal_2026-10-27.csv" not in files


def test_a_day_goes_from_midnight_to_midnight_in_stockholm(files):
    hours = {}
    for name, rows in files.items():
        ((start, end),) = {(row[0], row[1]) for row in rows}
        length = datetime.fromisoformat(end) - datetime.fromisoformat(start)
        hours[name[7:17]] = length.total_seconds() / 3600
        assert start[11:19] == end[11:19] == "00:00:00"
    assert hours.pop("2026-10-25") == 25
    assert set(hours.values()) == {24}


def test_datasets_and_columns_are_the_contracts_own(contracts, files):
    contract = contracts["dataportal_loggar"]
    assert [thing.device for thing in contract.things] == [name for name, _ in DATASETS]
    assert [column.delivered_as for column in contract.columns] == HEADER.split(";")
    for rows in files.values():
        assert [row[2] for row in rows] == [name for name, _ in DATASETS]


def test_nobody_can_be_told_from_what_is_delivered(files):
    """Dates, datasets and counts; no address and no agent."""
    cells = {cell for rows in files.values() for row in rows for cell in row}
    assert all(re.fullmatch(r"\d+|[a-z_]+|2026-1\d-\d\dT00:00:00\+0[12]:00", one) for one in cells)


def test_one_dataset_is_never_asked_for(files):
    unused = [row for rows in files.values() for row in rows if row[2] == DATASETS[-1][0]]
    assert {tuple(row[3:]) for row in unused} == {("0", "0", "0")}
