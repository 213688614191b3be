"""Timetables: how often each stop is called at in the feed's period."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections import Counter

import pytest

from lakehouse.errors import DeliveryRefused
from tests.unit.ingestion.lake import column

DELIVERY = {"protocol": "folder", "format": "gtfs"}
COLUMNS = [column("planned_calls", "uplink_payload", "1")]

FEED = {
    "agency.txt": "agency_name,agency_timezone\nSL,Europe/Stockholm\n",
    "stops.txt": "\ufeffstop_id,stop_name,stop_lat,stop_lon\n"
    'A,"Odenplan, T",59.343,18.05\nB,Slussen,59.319,18.072\nC,Ödsliga,,\n',
    "trips.txt": "route_id,service_id,trip_id\nR,W,T1\nR,W,T2\nR,S,T3\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "T1,08:00:00,08:00:00,A,1\nT1,08:10:00,08:10:00,B,2\n"
    "T2,25:00:00,25:00:00,A,1\nT3,09:00:00,09:00:00,A,1\n",
    # A week of workdays, one of them cancelled, and one extra day of S.
    "calendar.txt": "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,"
    "start_date,end_date\nW,1,1,1,1,1,0,0,20260323,20260329\n",
    "calendar_dates.txt": "service_id,date,exception_type\nW,20260325,2\nS,20260328,1\n",
}


def feed(**changes: str | None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        named = {f"{name}.txt": text for name, text in changes.items()}
        for name, text in (FEED | named).items():
            if text is not None:
                packed.writestr(name, text)
    return file.getvalue()


@pytest.fixture
def read(lake):
    def judged(*contents: bytes):
        contract = lake.source(columns=COLUMNS, delivery=DELIVERY)
        files = [lake.deliver(f"{n}.zip", content) for n, content in enumerate(contents)]
        return lake.judged(contract, *files)

    return judged


def calls(rows) -> dict[str, float]:
    return {row["device"]: row["value"] for row in rows}


def test_calls_on_all_days_of_the_feed(read):
    rows = read(feed())
    # Four workdays: two trips at A, one at B; one Saturday at A.
    assert calls(rows) == {"A": 2 * 4 + 1, "B": 4, "C": 0}
    assert {(str(row["t"]), str(row["t_end"])) for row in rows} == {
        # The feed's days in Stockholm: from winter time into summer time.
        ("2026-03-22 23:00:00", "2026-03-28 23:00:00")
    }
    assert [(row["longitude"], row["latitude"]) for row in rows] == [
        (18.05, 59.343),
        (18.072, 59.319),
        (None, None),
    ]
    assert json.loads(rows[0]["attributes"]) == {"name": "Odenplan, T"}
    assert [(row["_row"], row["verdict"]) for row in rows] == [(n, "sound") for n in (1, 2, 3)]


def test_period_that_the_feed_tells(read):
    rows = read(feed(feed_info="feed_start_date,feed_end_date\n20260301,20260331\n"))
    assert (str(rows[0]["t"]), str(rows[0]["t_end"])) == (
        "2026-02-28 23:00:00",
        "2026-03-31 22:00:00",
    )


def test_frequencies_multiply_a_trip(read):
    text = "trip_id,start_time,end_time,headway_secs\nT1,06:00:00,07:00:00,600\n"
    assert calls(read(feed(frequencies=text)))["B"] == 4 * 6
    more = text + "T1,07:00:00,08:00:00,1800\n"
    assert calls(read(feed(frequencies=more)))["B"] == 4 * (6 + 2)


def test_exceptions_alone_are_a_calendar(read):
    assert calls(read(feed(calendar=None))) == {"A": 1, "B": 0, "C": 0}


def test_rows_that_lead_nowhere_are_quarantined(read):
    strays = "T9,10:00:00,10:00:00,A,1\nT1,10:00:00,10:00:00,Z,3\n"
    rows = read(feed(stop_times=FEED["stop_times.txt"] + strays))
    broken = [row for row in rows if row["verdict"] == "broken"]
    assert [(row["_row"], row["rule"], row["reason"]) for row in broken] == [
        (5, "layout", "the trip 'T9' is not in trips.txt"),
        (6, "layout", "the stop 'Z' is not in stops.txt"),
    ]
    assert calls(row for row in rows if row["verdict"] == "sound")["A"] == 9


def test_two_feeds_are_kept_apart(read):
    other = feed(calendar_dates=None)
    rows = read(feed(), other)
    assert [row["value"] for row in rows if row["device"] == "B"] == [4, 5]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stops": None}, "the feed lacks stops.txt"),
        ({"calendar": None, "calendar_dates": None}, "lacks calendar.txt or calendar_dates.txt"),
        ({"stops": "stop,name\nA,x\n"}, "columns are missing: stop_id"),
        ({"stops": ""}, "Empty CSV file"),
        ({"stops": FEED["stops.txt"] + "D,too,many,cells,here\n"}, "the file cannot be read"),
        ({"agency": "agency_timezone\nMars/Olympus\n"}, "no zone that there is"),
        ({"calendar": None, "calendar_dates": "service_id,date,exception_type\nW,igår,1\n"},
         "no service of the feed runs on any day"),
    ],
)  # fmt: skip
def test_feeds_that_cannot_be_trusted(read, changes, reason):
    with pytest.raises(DeliveryRefused, match=reason):
        read(feed(**changes))


def test_archive_of_something_else(read):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("readme.md", "x")
    with pytest.raises(DeliveryRefused, match="no file of a GTFS feed"):
        read(file.getvalue())


def test_real_feed_stop_by_stop(lake, real_data):
    folder = real_data / "opendata" / "gtfs-kalmar"
    texts = {path.name: path.read_text("utf-8") for path in folder.glob("*.txt")}
    texts["stops.txt"] = gzip.decompress((folder / "stops.txt.gz").read_bytes()).decode()
    tables = {name: list(csv.DictReader(io.StringIO(text))) for name, text in texts.items()}
    days = Counter(row["service_id"] for row in tables["calendar_dates.txt"])
    service = {row["trip_id"]: row["service_id"] for row in tables["trips.txt"]}
    told = Counter()
    for row in tables["stop_times.txt"]:
        told[row["stop_id"]] += days[service[row["trip_id"]]]

    contract = lake.source(columns=COLUMNS, delivery=DELIVERY)
    files = [
        lake.deliver(path.name, path.read_bytes(), folder="kalmar")
        for path in sorted(folder.iterdir())
        if path.is_file()
    ]
    rows = lake.judged(contract, *files)
    assert len(rows) == len(tables["stops.txt"]) == 9375
    assert {row["verdict"] for row in rows} == {"sound"}
    assert calls(rows) == {row["stop_id"]: told[row["stop_id"]] for row in tables["stops.txt"]}
    assert sum(told.values()) == sum(row["value"] for row in rows) > 0
