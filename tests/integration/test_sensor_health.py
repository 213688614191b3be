"""What is wrong with which sensor: of the rows that are there, whenever they came."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from ingestion.batches import frame_counters
from lakehouse.duck import connect, delta_scan
from sample_city.chance import seeded
from tests.flow import AIR, LAMPS, Lake, reading

pytestmark = pytest.mark.slow

MODELS = ("--select", "+sensorhalsa_dygn")
START = datetime(2026, 1, 9, 23, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def air(days: range, quarters: range = range(96)) -> list[dict[str, object]]:
    """Readings of a station on local days, counted from the tenth of January."""
    return [
        reading("HORN-03", "pm10", START + day * 96 * QUARTER + quarter * QUARTER,
                10 + (day * 7 + quarter * 5) % 13 / 10)
        for day in days
        for quarter in quarters
    ]  # fmt: skip


def verdicts(lake: Lake) -> dict[str, tuple[str, int, int]]:
    rows = lake.rows(
        "gold.sensorhalsa_dygn",
        "thing_id, local_date::varchar, status, readings, readings_expected",
    )
    return {day: told for thing, day, *told in rows if thing == f"{AIR}/HORN-03"}


def test_late_readings_restate_their_day_and_no_other(lake):
    lake.land(AIR, air(range(9)) + air(range(9, 10), range(60)) + air(range(10, 11)))
    lake.build(*MODELS)
    before = verdicts(lake)
    assert before["2026-01-19"] == ["incomplete", 60, 96]
    lake.land(AIR, air(range(9, 10), range(60, 96)))
    lake.build(*MODELS)
    after = verdicts(lake)
    assert after.pop("2026-01-19") == ["ok", 96, 96]
    assert after.items() < before.items()
    built = lake.rows("gold.sensorhalsa_dygn")
    lake.build(*MODELS, "--full-refresh")
    assert lake.rows("gold.sensorhalsa_dygn") == built


def test_uplinks_lost_by_day_are_those_that_ingestion_reports(lake):
    """The SQL of the model and that of the receipts tell the same of the same rows."""
    rng = seeded(7, "uplinks")
    rows = []
    for device in ("a84041000181c005", "a84041000181c006"):
        frame, session = rng.randrange(65_400, 65_500), 0
        for slot in range(6 * 96):
            if rng.random() < 0.004:
                frame, session = 0, session + 1
            if rng.random() > 0.2:
                told = json.dumps({"session": f"s{session}", "f_cnt": frame % 65_536},
                                  separators=(",", ":"))  # fmt: skip
                when = START + slot * QUARTER
                rows += [reading(device, one, when, 20, attributes=told)
                         for one in ("temperature", "humidity")]  # fmt: skip
            frame += 1
    lake.land(LAMPS, rows)
    lake.build("--select", "uplinks_daily")
    found = lake.rows(
        "gold.uplinks_daily",
        "split_part(thing_id, '/', 2), uplinks_received, uplinks_lost, counter_resets",
    )
    with connect() as connection:
        bronze = f"(from {delta_scan(lake.address(f'bronze.{LAMPS}'))})"
        reported = connection.execute(
            f"select device, sum(received), sum(lost), sum(resets) "
            f"from ({frame_counters.losses(bronze)}) group by device order by device"
        ).fetchall()
    summed = {
        device: tuple(sum(row[number] for row in found if row[0] == device) for number in (1, 2, 3))
        for device, *_ in found
    }
    assert sum(lost for _, lost, _ in summed.values()) > 100
    assert summed == {device: (heard, lost, resets) for device, heard, lost, resets in reported}
