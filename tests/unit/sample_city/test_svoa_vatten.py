"""The water historian's database, held against the summary and against what flows in the zones."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import NamedTuple

import pytest

from lakehouse.ledger import Ledger
from sample_city.period import Period
from sample_city.water_zones import LEAK_M3_H, flows_of

STANDARD_TIME = timezone(timedelta(hours=1))


class Row(NamedTuple):
    id: int
    meter: str
    signal: str
    time: str
    value: float
    unit: str
    quality: int

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.time).replace(tzinfo=STANDARD_TIME).astimezone(UTC)


@pytest.fixture(scope="module")
def rows(city) -> list[Row]:
    path = city.inbox / "svoa_vatten" / "driftdata.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return [Row(*row) for row in connection.execute("select * from driftdata order by id")]


@pytest.fixture(scope="module")
def summary(city):
    return city.summary["svoa_vatten"]


def series(rows: list[Row], meter: str) -> dict[datetime, float]:
    return {row.at: row.value for row in rows if row.meter == meter}


def test_summary_is_what_an_ingest_finds(rows, summary):
    assert summary.ledger == Ledger(len(rows), len(rows), len(rows))
    assert summary.faults["bad_quality"] == sum(row.quality != 192 for row in rows) == 5
    newest, late = rows[0].at, 0
    for row in rows:
        late += row.at < newest
        newest = max(newest, row.at)
    assert late == summary.faults["late_sample"] == 12


def test_devices_are_the_contracts_own_and_values_in_its_range(contracts, rows):
    contract = contracts["svoa_vatten"]
    assert {row.meter for row in rows} == {thing.device for thing in contract.things}
    limits = {channel.delivered_as: channel for channel in contract.channels}
    for row in rows:
        assert limits[row.signal].minimum <= row.value <= limits[row.signal].maximum


def test_roles_of_the_contract_make_every_zone_a_whole(contracts):
    roles = [thing.attributes for thing in contracts["svoa_vatten"].things]
    told = {role: {one[role] for one in roles if role in one}
            for role in ("inflow_of", "outflow_of", "consumption_of")}  # fmt: skip
    assert told["inflow_of"] == told["consumption_of"] == {"Bromma", "Enskede", "Årsta"}
    assert told["outflow_of"] == {"Enskede"}


def test_standard_time_has_neither_a_gap_nor_an_hour_twice(rows):
    times = sorted(series(rows, "ENS-ARS"))
    assert len(times) == 14 * 96 + 4
    assert {after - before for before, after in pairwise(times)} == {timedelta(minutes=15)}
    assert times[0] == datetime(2026, 10, 18, 22, tzinfo=UTC)


def test_what_flows_in_is_what_is_used_lost_and_passed_on(rows):
    """What flows into Årsta and is not used there is its old loss, and then the leak as well."""
    flow, used = series(rows, "ENS-ARS"), series(rows, "ARS-F")
    losses = {}
    for start, end in pairwise(sorted(used)):
        quarters = [flow[start + timedelta(minutes=15 * number)] for number in range(4)]
        losses[start] = sum(quarters) * 3.6 / 4 - (used[end] - used[start])
    leaks = datetime(2026, 10, 28, 22, tzinfo=UTC)
    assert all(3.5 < loss < 6.5 for start, loss in losses.items() if start < leaks)
    assert all(
        3.5 + LEAK_M3_H < loss < 6.5 + LEAK_M3_H for start, loss in losses.items() if start >= leaks
    )


def test_a_night_of_one_meter_is_lost_for_good(rows, summary):
    whole = set(series(rows, "BRO-01"))
    lost = whole - set(series(rows, "BRO-02"))
    assert len(lost) == summary.faults["lost_sample"] == 10
    assert min(lost) == datetime(2026, 10, 26, 0, tzinfo=UTC)


def test_the_leak_is_told(summary):
    """An hour of one day and the four days after it."""
    assert summary.faults["leaking_quarter"] == 4 + 4 * 96


def test_few_days_have_no_leak():
    assert not flows_of(Period.of_days(9), 2026).leaking
