"""A small real lake: the project's own contracts, a gold table and its verdict."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from lakehouse import delta, tables
from lakehouse.contracts import Contracts, load_contracts
from lakehouse.decisions import Decision, Outcome, inputs_of, save_decision
from lakehouse.settings import PROJECT, Settings
from lakehouse.verdicts import Check, Verdict, save_verdict
from publishing.making.release import release

PRODUCT = "luftkvalitet_timme"
OTHER = "energianvandning_timme"
HOUR = datetime(2026, 3, 1, tzinfo=UTC)
GOLD = pa.schema(
    [
        ("pm10_ug_m3", pa.float64()),
        ("hour_start", tables.INSTANT),
        ("station_id", pa.string()),
        ("hour_start_local", pa.string()),
        ("station_name", pa.string()),
        ("district", pa.string()),
        ("longitude", pa.float64()),
        ("latitude", pa.float64()),
        ("pm2_5_ug_m3", pa.float64()),
        ("no2_ug_m3", pa.float64()),
        ("readings", pa.int32()),
        ("secret_note", pa.string()),
    ]
)
METERS = pa.schema(
    [
        ("meter_id", pa.string()),
        ("hour_start", tables.INSTANT),
        ("hour_start_local", pa.string()),
        ("place_name", pa.string()),
        ("district", pa.string()),
        ("energy_kwh", pa.float64()),
        ("readings", pa.int64()),
    ]
)


def air_rows(count: int = 48, name: str = "Hornsgatan 108") -> list[dict[str, object]]:
    """Hourly rows of two stations, in no order, with gaps, quotes and an empty text."""
    rows = []
    for index in range(count):
        hour = HOUR + timedelta(hours=index // 2)
        rows.append(
            {
                "pm10_ug_m3": None if index % 7 == 3 else 10.5 + index / 3,
                "hour_start": hour,
                "station_id": f"se-{index % 2}",
                "hour_start_local": (hour + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S+01:00"),
                "station_name": name if index % 2 else 'Sveavägen, "59"',
                "district": "" if index % 5 == 0 else "Södermalm",
                "longitude": 18.05,
                "latitude": 59.32,
                "pm2_5_ug_m3": 1e-7 if index == 2 else 4.25,
                "no2_ug_m3": 21.0,
                "readings": 12,
                "secret_note": "never released",
            }
        )
    return rows[::-1]


def meter_rows(count: int = 24) -> list[dict[str, object]]:
    """Hourly rows of one meter."""
    return [
        {
            "meter_id": "kaj-167",
            "hour_start": HOUR + timedelta(hours=index),
            "hour_start_local": "2026-03-01T01:00:00+01:00",
            "place_name": "Kaj 167",
            "district": "Frihamnen",
            "energy_kwh": 100.0 + index,
            "readings": 4,
        }
        for index in range(count)
    ]


def lake_settings(folder: Path) -> Settings:
    return Settings(
        home=folder / "home",
        contracts=PROJECT / "contracts",
        inbox=folder / "inbox",
        base_url="https://data.stockholm.example",
        daily_from=date(2026, 1, 1),
        patience_s=1,
    )


def replace_gold(settings: Settings, rows: list[dict[str, object]], product: str = PRODUCT) -> int:
    """Replace a product's gold table; returns the Delta version."""
    schema = GOLD if product == PRODUCT else METERS
    table = pa.Table.from_pylist(rows, schema)
    return delta.replace(tables.model(settings, "gold", product), table, schema).version


def keep_verdict(
    settings: Settings,
    contracts: Contracts,
    version: int,
    rows: int,
    product: str = PRODUCT,
    **changes: object,
) -> Verdict:
    """Save a verdict on a version, any of whose fields can be overridden, and a decision."""
    keep_decision(settings, contracts, version, product)
    contract = contracts.product(product)
    column, last = contract.key[0], contract.columns[-1].name
    not_null, between = "expect_column_values_to_not_be_null", "expect_column_values_to_be_between"
    facts: dict[str, object] = {
        "product": product,
        "model": contract.model,
        "delta_version": version,
        "contract_version": contract.version,
        "contract_digest": contract.digest,
        "rows": rows,
        "checks": (
            Check(not_null, column, "critical", True, "no value is null", "0 of them are"),
            Check(between, last, "warning", False, "at least 1", "2 below", 2),
        ),
        "reasons": (),
        "audited_at": f"2026-11-{version + 1:02d}T06:00:00Z",
    }
    verdict = Verdict(**(facts | changes))
    save_verdict(settings, verdict)
    return verdict


def keep_decision(
    settings: Settings,
    contracts: Contracts,
    version: int,
    product: str = PRODUCT,
    **changes: object,
) -> Decision:
    """Save a decision to share a version; any of its fields can be overridden."""
    contract = contracts.product(product)
    facts: dict[str, object] = {
        "product": product,
        "audience": contract.publication.audience,
        "contract_version": contract.version,
        "inputs": inputs_of(contracts, contract),
        "delta_version": version,
        "outcomes": (Outcome("classified", "KLASSA", True, "Klassad 0-2-1.", "It is 0-2-1."),),
        "decided_on": "2026-01-01",
        "valid_until": "2199-12-31",
    }
    decision = Decision(**(facts | changes))
    save_decision(settings, decision)
    return decision


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return lake_settings(tmp_path)


@pytest.fixture(scope="session")
def contracts() -> Contracts:
    return load_contracts(PROJECT / "contracts")


@pytest.fixture
def write_gold(settings: Settings) -> Callable[..., int]:
    return partial(replace_gold, settings)


@pytest.fixture
def audit(settings: Settings, contracts: Contracts) -> Callable[..., Verdict]:
    return partial(keep_verdict, settings, contracts)


@pytest.fixture
def gold(write_gold: Callable[..., int], audit: Callable[..., Verdict]) -> int:
    """The air product's table with 48 audited rows; its version."""
    version = write_gold(air_rows())
    audit(version, 48)
    return version


def release_both(settings: Settings, contracts: Contracts) -> None:
    """Write, audit and release both products."""
    for product, rows in ((PRODUCT, air_rows()), (OTHER, meter_rows())):
        keep_verdict(settings, contracts, replace_gold(settings, rows, product), len(rows), product)
        release(settings, contracts, product)
