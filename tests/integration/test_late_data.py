"""Data that come late, the whole way: the right day, gold again, and a release with a changelog.

Readings of one station, quarter by quarter; three hours of them are delivered an hour, three days
and forty days after their time.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingestion import balance, ingest_source
from lakehouse.duck import connect, delta_scan
from publishing.making import comparison
from publishing.making.release import release
from publishing.portal.site import build_site
from publishing.releases.changes import DayChanges
from publishing.releases.manifest import Release
from publishing.releases.verification import verify_releases
from quality import audit_product, decide_product
from tests.flow import AIR, Lake

PRODUCT = "luftkvalitet_timme"
QUARTER = timedelta(minutes=15)
NOW = datetime(2026, 3, 20, 15, tzinfo=UTC)
START = NOW - timedelta(days=42)
CITY = ZoneInfo("Europe/Stockholm")

HOUR_LATE = [NOW - timedelta(hours=1) + 3 * QUARTER]
"""The last quarter of an hour whose others were in time: the hour changes."""
DAYS_LATE = [NOW - timedelta(days=3, hours=7) + number * QUARTER for number in range(4)]
"""A whole hour: it is added."""
WEEKS_LATE = [datetime(2026, 2, 8, 23, tzinfo=UTC) + number * QUARTER for number in range(4)]
"""A whole hour that is the 9th on the supplier's clocks and the 8th in UTC."""
LATE = [*HOUR_LATE, *DAYS_LATE, *WEEKS_LATE]
DAYS = ("2026-02-08", "2026-03-17", "2026-03-20")


@dataclass
class Late:
    """A lake on which what was in time has been released, then what came late."""

    lake: Lake
    first: Release
    first_bytes: dict[str, bytes]
    second: Release
    before: dict[str, int | None]


def deliver(lake: Lake, name: str, times: list[datetime], received: datetime, pm10: int) -> None:
    """A file as the supplier writes it, with wall-clock times."""
    lines = ["Mätstation;Tid;PM10;PM2,5;NO2;Status"]
    lines += [f"HORN-01;{t.astimezone(CITY):%Y-%m-%d %H:%M};{pm10},0;4,0;20,0;OK" for t in times]
    path = lake.settings.inbox / AIR / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode("iso-8859-1"))
    os.utime(path, (received.timestamp(), received.timestamp()))


def publish(lake: Lake) -> Release:
    """Ingest, build, audit, release."""
    contract = lake.contracts.sources[AIR]
    ingest_source(lake.settings, contract)
    assert balance(lake.settings, AIR).is_kept
    lake.build("--select", f"+{PRODUCT}")
    product = lake.contracts.product(PRODUCT)
    verdict = audit_product(lake.settings, product)
    decide_product(lake.settings, lake.contracts, product)
    assert verdict.passed, verdict.reasons
    return release(lake.settings, lake.contracts, PRODUCT)


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Late:
    lake = Lake.in_folder(tmp_path_factory.mktemp("late"))
    count = int((NOW - START) / QUARTER)
    in_time = [t for n in range(count) if (t := START + n * QUARTER) not in LATE]
    deliver(lake, "in_time.csv", in_time, NOW, 10)
    first = publish(lake)
    kept = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    before = lake.versions()
    # Taken in the order of their names, which is none of their times.
    deliver(lake, "a_weeks.csv", WEEKS_LATE, WEEKS_LATE[0] + timedelta(days=40), 30)
    deliver(lake, "b_hour.csv", HOUR_LATE, HOUR_LATE[0] + timedelta(hours=1), 50)
    deliver(lake, "c_days.csv", DAYS_LATE, DAYS_LATE[0] + timedelta(days=3), 40)
    second = publish(lake)
    return Late(lake, first, kept, second, before)


def hours(late: Late) -> dict[str, tuple[float, int]]:
    """Mean and number of readings of each hour of the product, by its start in UTC."""
    rows = late.lake.rows(f"gold.{PRODUCT}", "hour_start::varchar, pm10_ug_m3, readings")
    return {str(start)[:13]: (mean, count) for start, mean, count in rows}


def test_late_rows_stand_in_the_partition_of_their_day(late):
    wrong = "partition_date <> cast(phenomenon_time at time zone 'UTC' as date)"
    for table in ("bronze.miljo_luft", "silver.observation"):
        counts = f"count(*) filter ({wrong}), count(*)"
        assert late.lake.rows(table, counts) == [(0, 3 * 42 * 96)], table
    written = late.lake.written_since("silver.observation", late.before["silver.observation"])
    assert written == set(DAYS)


def test_the_days_of_gold_are_made_again(late):
    found = hours(late)
    assert len(found) == 42 * 24
    assert found["2026-02-08 23"] == (30.0, 12)
    assert found["2026-03-17 08"] == (40.0, 12)
    assert found["2026-03-20 14"] == (20.0, 12)  # three quarters of 10 and a late one of 50
    rows = late.lake.rows(f"gold.{PRODUCT}")
    late.lake.build("--select", f"+{PRODUCT}", "--full-refresh")
    assert late.lake.rows(f"gold.{PRODUCT}") == rows


def test_the_changelog_counts_them_on_their_days(late):
    assert late.second.changes.days == (
        DayChanges("2026-02-08", added=1, changed=0, removed=0),
        DayChanges("2026-03-17", added=1, changed=0, removed=0),
        DayChanges("2026-03-20", added=0, changed=1, removed=0),
    )
    assert late.second.changes.span == (DAYS[0], DAYS[-1])
    assert late.second.changes.compared_by == ("station_id", "hour_start")
    text = (late.second.folder / "changes.sv.md").read_text()
    assert "Den ersätter utgåva 1, version 1.0.0+1" in text
    assert "| 2026-02-08 | 1 | 0 | 0 |" in text


def test_the_release_before_is_untouched_and_named_as_superseded(late):
    assert (late.first.number, late.second.number) == (1, 2)
    assert {p.name: p.read_bytes() for p in late.first.folder.iterdir()} == late.first_bytes
    assert [found.problems for found in verify_releases(late.lake.settings, PRODUCT)] == [(), ()]
    told = json.loads((late.second.folder / "manifest.json").read_text())["changes"]
    assert told["supersedes"] == {"number": 1, "version": late.first.version}
    assert told["rows"] == {"added": 2, "changed": 1, "removed": 0}
    site = build_site(late.lake.settings, late.lake.contracts)
    page = (site.folder / "dataset" / PRODUCT / "index.html").read_text()
    row = page[page.index(f'<th scope="row">{late.first.version}') :]
    assert "Ersatt" in row[: row.index("</tr>")]


def test_a_comparison_by_the_wrong_rows_would_be_seen(late, tmp_path):
    """The control: the two files compared without their key's time tell other numbers."""
    old, new = (
        comparison.Side(one.folder / one.file(".parquet").name, one.columns, "hour_start")
        for one in (late.first, late.second)
    )
    _, right = comparison.compare(old, new, tmp_path / "spill")
    assert right == late.second.changes.days
    _, swapped = comparison.compare(new, old, tmp_path / "spill")
    assert swapped != right
    _, same = comparison.compare(new, new, tmp_path / "spill")
    assert same == ()


def test_nothing_new_is_no_release(late):
    again = publish(late.lake)
    assert (again.number, again.is_new) == (2, False)
    with connect() as connection:
        scan = delta_scan(Path(late.lake.address(f"gold.{PRODUCT}")))
        assert connection.execute(f"select count(*) from {scan}").fetchall() == [(42 * 24,)]
