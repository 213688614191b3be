"""The CSV files, read back by a reader of their own and held against the summary."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from lakehouse.ledger import Ledger
from sample_city.air import STATIONS

HEADER = "Mätstation;Tid;PM10;PM2,5;NO2;Status"


def read(path) -> list[list[str]]:
    lines = path.read_bytes().decode("iso-8859-1").split("\r\n")
    assert lines[0] == HEADER
    assert lines[-1] == ""
    return [line.split(";") for line in lines[1:-1]]


@pytest.fixture(scope="module")
def folder(city):
    return city.inbox / "miljo_luft"


@pytest.fixture(scope="module")
def summary(city):
    return city.summary["miljo_luft"]


def is_time(text: str) -> bool:
    return re.fullmatch(r"2026-1[01]-\d\d [0-2]\d:[0-5]\d", text) is not None


def account(rows, seen: dict) -> tuple[Ledger, Counter]:
    """A small ingest of one file: where each of its values went."""
    counts, faults, folds = Counter(), Counter(), Counter()
    for station, time, *cells, status in rows:
        folds[station, time] += 1
        faults["malformed_time"] += not is_time(time)
        for channel, cell in enumerate(cells):
            key = (station, time, folds[station, time], channel)
            number = cell.replace(",", ".").replace(".", "", 1).isdigit()
            if cell == "-" and status != "FEL":
                counts["empty"] += 1
            elif not is_time(time):
                counts["quarantined"] += 1
            elif cell != "-" and (not number or float(cell.replace(",", ".")) > 1000):
                counts["quarantined"] += 1
                faults["out_of_range" if number else "text_value"] += 1
            elif seen.get(key) == cell:
                counts["duplicates"] += 1
            else:
                counts["landed"] += 1
                faults["correction"] += key in seen
                seen[key] = cell
    ledger = Ledger(
        records=len(rows),
        rows_in=3 * len(rows),
        landed=counts["landed"],
        quarantined=counts["quarantined"],
        duplicates=counts["duplicates"],
        filtered={"empty_value": counts["empty"]} if counts["empty"] else {},
    )
    return ledger, faults


def test_summary_is_what_an_ingest_finds(folder, summary):
    seen: dict = {}
    known: set[bytes] = set()
    found: Counter = Counter()
    for delivery in summary.deliveries:
        content = (folder / delivery.name).read_bytes()
        assert delivery.resent == (content in known)
        if content in known:
            assert delivery.ledger == Ledger()
            continue
        known.add(content)
        ledger, faults = account(read(folder / delivery.name), seen)
        assert ledger == delivery.ledger, delivery.name
        found += faults
    planted = {kind: summary.faults[kind] for kind in found}
    assert found == planted
    assert planted == {"correction": 8, "malformed_time": 1, "out_of_range": 1, "text_value": 1}


def test_bytes(folder):
    for path in folder.iterdir():
        content = path.read_bytes()
        assert content.startswith(b"M\xe4tstation;")
        assert content.count(b"\n") == content.count(b"\r\n")
        with pytest.raises(UnicodeDecodeError):
            content.decode("utf-8")


def test_the_day_of_25_hours(folder):
    rows = read(folder / "luft_2026-10-25.csv")
    quarters = Counter(row[0] for row in rows)
    assert quarters == dict.fromkeys(STATIONS, 100)
    times = [row[1][11:] for row in rows if row[0] == "HORN-01"]
    hours = [time[:2] for time in times[4:20:4]]
    assert hours == ["01", "02", "02", "03"]
    assert times[8:12] == times[12:16] == ["02:00", "02:15", "02:30", "02:45"]


def test_rows_are_ordered_by_time_then_station(folder):
    rows = read(folder / "luft_2026-10-19.csv")
    assert [(row[1], row[0]) for row in rows] == sorted((row[1], row[0]) for row in rows)


def test_stations_are_the_contracts_own(contracts):
    assert [thing.device for thing in contracts["miljo_luft"].things] == list(STATIONS)


def test_header_is_the_contracts_own(contracts):
    columns = [column.delivered_as for column in contracts["miljo_luft"].columns]
    assert columns == HEADER.split(";")


def test_resent_file_is_the_same_file(folder, summary):
    (resent,) = (delivery for delivery in summary.deliveries if delivery.resent)
    original = folder / "luft_2026-10-20.csv"
    assert (folder / resent.name).read_bytes() == original.read_bytes()
    assert resent.faults == {"resent_file": 1, "resent_record": len(read(original))}
    assert summary.resent_files == 1


def test_overlap_repeats_six_hours_either_side_of_midnight(folder, summary):
    rows = read(folder / "luft_2026-10-22_rattad.csv")
    times = sorted({row[1] for row in rows})
    assert (times[0], times[-1], len(times)) == ("2026-10-21 18:00", "2026-10-22 05:45", 48)
    before = [*read(folder / "luft_2026-10-21.csv"), *read(folder / "luft_2026-10-22.csv")]
    known = {(row[0], row[1]): row for row in before}
    changed = [row for row in rows if known[row[0], row[1]] != row]
    assert len(changed) == summary.faults["correction"] == 8


def test_late_station_is_missing_and_then_comes_alone(folder, summary):
    day = {row[0] for row in read(folder / "luft_2026-10-23.csv")}
    late = read(folder / "luft_2026-10-25_HORN-04.csv")
    assert set(STATIONS) - day == {"HORN-04"} == {row[0] for row in late}
    assert {row[1][:10] for row in late} == {"2026-10-23"}
    assert len(late) == summary.faults["late_record"] == 96


def test_roof_is_cleaner_and_status_mostly_good(folder):
    rows = [row for day in (19, 20, 21) for row in read(folder / f"luft_2026-10-{day}.csv")]
    gas: dict[str, list[float]] = {}
    for station, _, _, _, no2, status in rows:
        if status == "OK" and no2 != "-":
            gas.setdefault(station, []).append(float(no2.replace(",", ".")))
    means = {station: sum(values) / len(values) for station, values in gas.items()}
    assert min(means, key=means.get) == "TORK-01"
    statuses = Counter(row[5] for row in rows)
    assert statuses["KAL"] == 8 * 3
    assert statuses["OK"] > 0.98 * len(rows)
    assert set(statuses) <= {"OK", "KAL", "FEL"}


def test_rush_hour_is_busier_than_night_and_than_sunday(folder):
    def mean(day: int, hour: str) -> float:
        rows = read(folder / f"luft_2026-10-{day}.csv")
        values = [row[4] for row in rows if row[1][11:13] == hour and row[4] != "-"]
        return sum(float(value.replace(",", ".")) for value in values) / len(values)

    assert mean(20, "08") > 3 * mean(20, "04")
    assert mean(20, "08") > 2 * mean(25, "08")
