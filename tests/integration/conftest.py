"""What lakes that dbt builds need."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.flow import AIR, LAMPS, METERS, Lake, forget_dbt, reading


@pytest.fixture(scope="session", autouse=True)
def _dbt_leaves_nothing() -> Iterator[None]:
    yield
    forget_dbt()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Three days around New Year, built once; take a copy to change it."""
    lake = Lake.in_folder(tmp_path_factory.mktemp("built"))
    start = datetime(2025, 12, 31, 12, tzinfo=UTC)
    quarters = [start + timedelta(minutes=15 * number) for number in range(4 * 48)]
    lake.land(AIR, [reading("HORN-01", "pm10", when, 10 + when.hour) for when in quarters])
    lake.land(
        METERS,
        [
            reading("vartahamnen/kaj1", "energi_kwh", when, 1000 + 3.5 * number)
            for number, when in enumerate(quarters)
        ],
    )
    lake.land(LAMPS, [reading("a84041000181c001", "vdd", start, 3600)])
    lake.dbt("run")
    return lake


@pytest.fixture
def lake(built: Lake, tmp_path: Path) -> Lake:
    """A copy of the built lake that a test may change."""
    home, contracts = tmp_path / "home", tmp_path / "contracts"
    shutil.copytree(built.settings.home, home)
    shutil.copytree(built.settings.contracts, contracts)
    return Lake(replace(built.settings, home=home, contracts=contracts, inbox=tmp_path / "inbox"))
