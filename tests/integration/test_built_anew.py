"""Silver and gold after a source was built anew: as if they had been made from nothing."""

import os
from datetime import UTC, datetime, timedelta

from ingestion import balance, build_anew, ingest_source
from tests.flow import AIR, FOLLOWERS, METERS, Lake
from tests.integration.test_incremental import observations, require_same_as_full_refresh

RECEIVED = datetime(2026, 2, 1, tzinfo=UTC)
DAY = datetime(2026, 1, 10)
WRONG, RIGHT = "zone: Europe/Stockholm", "zone: UTC"


def take(lake: Lake, source_id: str, name: str, text: str) -> None:
    path = lake.settings.inbox / source_id / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("iso-8859-1"))
    os.utime(path, (RECEIVED.timestamp(), RECEIVED.timestamp()))
    ingest_source(lake.settings, lake.contracts.sources[source_id])


def times(lake: Lake, table: str, column: str) -> list[str]:
    rows = lake.rows(table, f"distinct {column}::varchar")
    return sorted(str(value)[:16] for (value,) in rows)


def test_rows_read_on_the_wrong_clock_are_replaced_everywhere(tmp_path):
    lake = Lake.in_folder(tmp_path)
    quarters = [DAY + timedelta(minutes=15 * number) for number in range(8)]
    lines = ["Mätstation;Tid;PM10;PM2,5;NO2;Status"]
    lines += [f"HORN-01;{when:%Y-%m-%d %H:%M};12,0;4,0;20,0;OK" for when in quarters]
    take(lake, AIR, "day.csv", "\r\n".join(lines) + "\r\n")
    lake.land(METERS, [
        {"device": "vartahamnen/kaj1", "channel": "energi_kwh", "phenomenon_time": when,
         "value": 1000.0 + number}
        for number, when in enumerate(
            datetime(2026, 1, 20, 12, tzinfo=UTC) + timedelta(minutes=15 * n) for n in range(8)
        )
    ])  # fmt: skip
    lake.build()
    assert times(lake, "silver.observation", "phenomenon_time")[0] == "2026-01-09 23:00"
    before, meters = lake.versions(), observations(lake)[METERS]

    lake.edit_contract(AIR, WRONG, RIGHT)
    outcome = build_anew(lake.settings, lake.contracts.sources[AIR])
    assert (outcome.gone, outcome.new) == (12, 12)  # 12 of 24 lie where others lay: same values
    assert balance(lake.settings, AIR).is_kept
    lake.build()

    assert times(lake, "silver.observation", "phenomenon_time")[0] == "2026-01-10 00:00"
    assert times(lake, "gold.luftkvalitet_timme", "hour_start") == [
        "2026-01-10 00:00", "2026-01-10 01:00"
    ]  # fmt: skip
    # The days of the old and the new times are made again, and no other source's.
    written = lake.written_since("silver.observation", before["silver.observation"])
    assert written == {"2026-01-09", "2026-01-10"}
    assert observations(lake)[METERS] == meters
    nothing_new = lake.versions()
    lake.build()
    assert lake.versions() == nothing_new
    require_same_as_full_refresh(lake)

    # A second time over, back to what it was: the rows of the first time are not taken for done.
    lake.edit_contract(AIR, RIGHT, WRONG)
    build_anew(lake.settings, lake.contracts.sources[AIR])
    lake.build()
    assert times(lake, "silver.observation", "phenomenon_time")[0] == "2026-01-09 23:00"
    require_same_as_full_refresh(lake)
    assert set(FOLLOWERS) <= set(lake.versions())
