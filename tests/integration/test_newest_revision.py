"""Of several revisions the one that was received last counts, whenever it was taken."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from ingestion import ingest_source, replay
from lakehouse import tables
from tests.flow import AIR, METERS, Lake, reading

WHEN = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in range(6, 10)]
AIR_HEAD = "Mätstation;Tid;PM10;PM2,5;NO2;Status\n"
BUILDS = pytest.mark.parametrize("how", [(), ("--full-refresh",)], ids=["news", "everything"])


def deliver(lake: Lake, name: str, value: float, received: datetime) -> None:
    """One reading of 13:00 in Stockholm, as the owner of the air sensors delivers it."""
    path = lake.settings.inbox / AIR / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"{AIR_HEAD}HORN-01;2026-01-05 13:00;{value};;;OK\n"
    path.write_bytes(text.encode("iso-8859-1"))
    os.utime(path, (received.timestamp(),) * 2)


def pm10(lake: Lake) -> list[float]:
    """The observations of that time, which must be one."""
    rows = lake.rows("silver.observation", "result, phenomenon_time, datastream_id")
    return [row[0] for row in rows if row[1] == WHEN and row[2] == f"{AIR}/HORN-01/pm10"]


@pytest.mark.slow
@BUILDS
def test_a_replay_of_an_old_delivery_does_not_outrun_a_later_correction(lake, how):
    """The first delivery breaks its contract, a correction comes, the contract is mended."""
    source = lake.contracts.sources[AIR]
    deliver(lake, "luft_1.csv", 2000, DAYS[0])
    assert ingest_source(lake.settings, source).ledger.quarantined == 1
    deliver(lake, "luft_2.csv", 7, DAYS[1])
    assert ingest_source(lake.settings, source).ledger.landed == 1
    lake.build()
    assert pm10(lake) == [7]
    lake.edit_contract(AIR, "minimum: 0, maximum: 1000}", "minimum: 0, maximum: 9000}")
    outcome = replay(lake.settings, lake.contracts.sources[AIR])
    assert (outcome.landed, outcome.released) == (1, 1)

    columns = "value, _received_at, _batch"
    bronze = tables.bronze(lake.settings, AIR).relative_to(lake.settings.lake)
    taken = [row for row in lake.rows(".".join(bronze.parts), columns) if row[0] in (7, 2000)]
    ((new, new_at, new_batch), (old, old_at, old_batch)) = sorted(taken)
    assert (new, new_at, old, old_at) == (7, DAYS[1], 2000, DAYS[0])
    assert old_batch > new_batch  # the control: by the order of taking, the old one would win
    lake.build(*how)
    assert pm10(lake) == [7]

    deliver(lake, "luft_3.csv", 8, DAYS[2])
    ingest_source(lake.settings, lake.contracts.sources[AIR])
    lake.build(*how)
    assert pm10(lake) == [8]


REVISIONS = (
    # which of (day it was received, hours after which the source changed it) counts
    ([(1, None), (0, None)], 0),
    ([(0, None), (1, None)], 1),
    ([(2, None), (0, None), (1, None)], 0),
    ([(0, 5), (1, 3)], 0),
    ([(1, 3), (0, 5)], 1),
    ([(0, 5), (1, None)], 0),
    ([(0, 5), (1, 5), (0, 5)], 1),
    ([(1, None), (1, None)], 1),
)


@pytest.mark.slow
@BUILDS
def test_the_source_s_time_of_change_decides_then_that_of_receipt(lake, how):
    """Case by case an hour, revision by revision a batch and a build of its own."""
    for batch in range(3):
        rows = []
        for hour, (revisions, _) in enumerate(REVISIONS):
            for day, hours in revisions[batch : batch + 1]:
                changed = None if hours is None else WHEN + timedelta(hours=hours)
                rows.append(
                    reading("vartahamnen/kaj1", "effekt_w", WHEN + timedelta(hours=hour),
                            1000.0 * batch, result_time=changed, _received_at=DAYS[day])
                )  # fmt: skip
        lake.land(METERS, rows)
        lake.build("--select", "observation", *how)
    rows = lake.rows("silver.observation", "phenomenon_time, result, datastream_id")
    found = [result for when, result, name in rows if when >= WHEN and name.endswith("/effekt_w")]
    assert found == [counts for _, counts in REVISIONS]
