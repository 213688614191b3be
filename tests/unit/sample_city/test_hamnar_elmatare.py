"""The historian, read as Ignition's tables ask to be read, and held against the summary."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from itertools import pairwise
from typing import NamedTuple

import pytest

from lakehouse.ledger import Ledger
from sample_city import generate
from sample_city.quays import QUAYS


class Value(NamedTuple):
    path: str
    tag: int
    whole: int | None
    fraction: float | None
    quality: int
    time: int

    @property
    def number(self) -> float:
        return self.whole if self.whole is not None else self.fraction


def read(inbox, sql: str) -> list[tuple]:
    path = inbox / "hamnar_elmatare" / "historian.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def values_of(inbox) -> list[Value]:
    """All stored values, in the order in which they were stored."""
    partitions = read(inbox, "SELECT pname FROM sqlth_partitions ORDER BY start_time")
    return [
        Value(*row)
        for (table,) in partitions
        for row in read(
            inbox,
            "SELECT tagpath, tagid, intvalue, floatvalue, dataintegrity, t_stamp "
            f"FROM {table} JOIN sqlth_te ON sqlth_te.id = tagid ORDER BY {table}.rowid",
        )
    ]


@pytest.fixture(scope="module")
def values(city):
    return values_of(city.inbox)


@pytest.fixture(scope="module")
def summary(city):
    return city.summary["hamnar_elmatare"]


def series(values, path: str) -> dict[int, Value]:
    return {value.time: value for value in values if value.path == path}


def register_steps(values, quay: str) -> tuple[int, int, int]:
    """Steps of the register: how many agree with the power, how many do not, how many fall."""
    energy = series(values, f"hamnen/{quay}/energi_kwh")
    power = series(values, f"hamnen/{quay}/effekt_w")
    good = [time for time in sorted(energy) if energy[time].quality == 192]
    agree = disagree = falls = 0
    for start, end in pairwise(good):
        step = energy[end].number - energy[start].number
        falls += step < 0
        quarters = [power[time] for time in range(start, end, 900_000)]
        if step < 0 or any(value.quality != 192 for value in quarters):
            continue
        expected = sum(value.number for value in quarters) * 0.25 / 1000
        agree += abs(step - expected) < 1e-6
        disagree += abs(step - expected) >= 1e-6
    return agree, disagree, falls


def test_summary_is_what_an_ingest_finds(values, summary):
    assert summary.ledger == Ledger(len(values), len(values), len(values))
    assert summary.faults["bad_quality"] == sum(value.quality != 192 for value in values) == 6


def test_tables_have_ignitions_columns(city):
    columns = {
        table: [name for _, name, *_ in read(city.inbox, f"PRAGMA table_info({table})")]
        for (table,) in read(city.inbox, "SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    typed = ["intvalue", "floatvalue", "stringvalue", "datevalue"]
    data = ["tagid", *typed, "dataintegrity", "t_stamp"]
    assert columns == {
        "sqlth_drv": ["id", "name", "provider"],
        "sqlth_scinfo": ["id", "scname", "drvid"],
        "sqlth_sce": ["scid", "start_time", "end_time", "rate"],
        "sqlth_te": ["id", "tagpath", "scid", "datatype", "querymode", "created", "retired"],
        "sqlth_partitions": ["pname", "drvid", "start_time", "end_time", "blocksize", "flags"],
        "sqlt_data_1_2026_10": data,
        "sqlt_data_1_2026_11": data,
    }


def test_values_stand_in_the_partition_of_their_time(city):
    partitions = read(city.inbox, "SELECT pname, start_time, end_time FROM sqlth_partitions")
    for table, start, end in partitions:
        ((first, last),) = read(city.inbox, f"SELECT min(t_stamp), max(t_stamp) FROM {table}")
        assert start <= first <= last < end


def test_only_the_column_of_the_datatype_is_filled(city, values):
    datatypes = dict(read(city.inbox, "SELECT id, datatype FROM sqlth_te"))
    for value in values:
        assert (value.whole is None) == (datatypes[value.tag] == 1)
        assert (value.fraction is None) == (datatypes[value.tag] == 0)


def test_one_value_a_tag_and_quarter(values):
    counts = Counter(value.path for value in values)
    assert counts == {
        f"hamnen/{quay}/{channel}": 14 * 96 + 4
        for quay in QUAYS
        for channel in ("energi_kwh", "effekt_w")
    }
    assert all(value.time % 900_000 == 0 for value in values)


def test_register_is_the_integral_of_power(values, summary):
    found = {quay: register_steps(values, quay) for quay in QUAYS}
    assert all(agree > 1300 for agree, _, _ in found.values())
    assert all(disagree == 0 for _, disagree, _ in found.values())
    resets = {quay: falls for quay, (_, _, falls) in found.items() if falls}
    assert resets == {"stadsgarden/kaj160": summary.faults["register_reset"]}


@pytest.mark.parametrize("seed", range(6))
def test_register_is_the_integral_of_power_in_small_cities(tmp_path, seed):
    generate(tmp_path, seed=seed, scale=0.1, days=2)
    agree, disagree, falls = register_steps(values_of(tmp_path), QUAYS[0])
    assert agree > 150
    assert (disagree, falls) == (0, 1)


def test_swapped_meter_starts_from_zero(values):
    energy = series(values, "hamnen/stadsgarden/kaj160/energi_kwh")
    falls = [
        energy[after].number
        for before, after in pairwise(sorted(energy))
        if energy[after].number < energy[before].number
    ]
    assert falls == [0.0]


def test_ships_come_and_go(values):
    for quay in QUAYS:
        powers = [value.number for value in series(values, f"hamnen/{quay}/effekt_w").values()]
        free = powers.count(0) / len(powers)
        assert 0.2 < free < 0.8
        assert 500_000 < max(powers) < 20_000_000


def test_recreated_tag_goes_on_under_another_id(city, values, summary):
    rows = read(city.inbox, "SELECT tagpath, id, created, retired FROM sqlth_te ORDER BY id")
    lives: dict[str, list[tuple]] = {}
    for path, *life in rows:
        lives.setdefault(path, []).append(life)
    ((path, (old, new)),) = ((path, found) for path, found in lives.items() if len(found) > 1)
    assert path == "hamnen/frihamnen/kaj634/energi_kwh"
    assert old[2] == new[1]
    assert new[2] is None
    for value in series(values, path).values():
        assert value.tag == (old[0] if value.time < old[2] else new[0])
    assert summary.faults["recreated_tag"] == 1


def test_late_values_keep_their_time(values, summary):
    newest, late = 0, []
    for value in values:
        if value.time < newest:
            late.append(value)
        newest = max(newest, value.time)
    assert len(late) == summary.faults["late_sample"] == 16
    assert {value.path for value in late} == {
        "hamnen/masthamnen/kaj167/energi_kwh",
        "hamnen/masthamnen/kaj167/effekt_w",
    }


def test_bad_values_repeat_the_last_one(values):
    bad = [value for value in values if value.quality != 192]
    assert {value.quality for value in bad} == {24, 500}
    for value in bad:
        assert value.number == series(values, value.path)[value.time - 900_000].number


def test_devices_are_the_contracts_own(contracts):
    assert [thing.device for thing in contracts["hamnar_elmatare"].things] == list(QUAYS)


def test_values_stay_in_the_contracts_range(contracts, values):
    limits = {channel.name: channel for channel in contracts["hamnar_elmatare"].channels}
    for value in values:
        channel = limits[value.path.rsplit("/", 1)[1]]
        assert channel.minimum <= value.number <= channel.maximum
