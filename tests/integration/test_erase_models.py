"""Silver and gold after one device was erased are those of a lake that never had it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingestion.erasing import erase_device
from lakehouse.traces import find_traces
from tests.flow import METERS, Lake, reading
from tests.integration.test_incremental import require_same_as_full_refresh

DECISION = {"erased_by": "Dataskyddsombud", "erased_because": "2026/1041"}
KAJ1, KAJ2 = "vartahamnen/kaj1", "vartahamnen/kaj2"


def port(folder) -> Lake:
    """Two meters of a port, taken and built twice, so that there are older versions."""
    lake = Lake.in_folder(folder)
    start = datetime(2026, 1, 10, tzinfo=UTC)
    for day in range(2):
        lake.land(METERS, [
            reading(device, "energi_kwh", start + timedelta(days=day, minutes=15 * n), 100.0 + n)
            for n in range(8) for device in (KAJ1, KAJ2)
        ])  # fmt: skip
        lake.build()
    return lake


@pytest.mark.slow
def test_silver_and_gold_after_a_build_are_those_of_a_lake_that_never_had_it(tmp_path):
    lake = port(tmp_path / "lake")
    names = [name for name in lake.versions() if name.startswith(("silver.", "gold."))]
    before = {name: others(lake, name) for name in ("silver.observation", "silver.datastream")}
    assert {name for name in names if mentions(lake, name)} >= {
        "silver.observation", "silver.datastream", "gold.observations_hourly",
    }  # fmt: skip
    lake.edit_contract(METERS, f"device: {KAJ1}", "device: vartahamnen/kaj9")
    lake.write_reference()
    done = erase_device(
        lake.settings,
        lake.contracts.sources[METERS],
        KAJ1,
        sources=lake.contracts.sources,
        decision=DECISION,
    )
    assert done.left == ()
    assert done.model_rows
    assert not [name for name in names if mentions(lake, name)]
    lake.build()
    assert find_traces(lake.settings, KAJ1) == []
    assert {name: others(lake, name) for name in before} == before
    require_same_as_full_refresh(lake)
    again = lake.versions()
    lake.build()
    assert lake.versions() == again


def mentions(lake: Lake, name: str) -> bool:
    return any(KAJ1 in str(row) for row in lake.rows(name))


def others(lake: Lake, name: str) -> list[str]:
    return sorted(str(row) for row in lake.rows(name) if KAJ1 not in str(row))
