"""Deliveries made by others, counted against the manifest that came with them."""

from __future__ import annotations

import csv
from collections import Counter
from zoneinfo import ZoneInfo

import pytest

from ingestion import ingest_source
from lakehouse import tables
from lakehouse.contracts import load_contracts
from lakehouse.settings import PROJECT, Settings
from tests.unit.ingestion.lake import Lake

pytestmark = pytest.mark.slow
SMHI_HEADER_LINES = 6
"""Lines of the blocks above an SMHI table that are not blank; the manifest counts them."""


@pytest.fixture(scope="module")
def contracts():
    return load_contracts(PROJECT / "examples" / "open_data")


@pytest.fixture(scope="module")
def manifest(real_data) -> dict[str, int]:
    with (real_data / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        return {row["path"]: int(row["rows"]) for row in csv.DictReader(file) if row["rows"]}


@pytest.fixture(scope="module")
def world(real_data, tmp_path_factory, contracts) -> Lake:
    home = tmp_path_factory.mktemp("world")
    return Lake(
        Settings.from_environment({}, contracts=contracts.folder, inbox=real_data, home=home)
    )


@pytest.fixture(scope="module")
def outcome_of(world, contracts):
    done = {}

    def outcome(name):
        if name not in done:
            done[name] = ingest_source(world.settings, contracts.source(name))
        return done[name]

    return outcome


def expected(manifest, receipts) -> dict[str, int]:
    return {receipt.name: manifest[receipt.name] for receipt in receipts}


@pytest.mark.parametrize(
    "name",
    [
        "basel_parking",
        "citylearn_meters",
        "elprice_hours",
        "entsoe_prices",
        "freiburg_park_and_ride",
        "machine_temperature",
        "nordpool_prices",
        "sensor_community_climate",
        "sensor_community_pm",
        "sensor_community_year",
        "smhi_forecast",
        "traffic_speed",
        "uci_air_quality",
        "vrn_park_and_ride",
    ],
)
def test_records_are_the_manifests_rows(outcome_of, manifest, contracts, real_data, name):
    outcome = outcome_of(name)
    assert outcome.refused == ()
    counted = {receipt.name: receipt.ledger.records for receipt in outcome.receipts}
    assert counted == expected(manifest, outcome.receipts)
    assert len(counted) == len(list(real_data.glob(contracts.source(name).location))) > 0
    assert outcome.ledger.rows_in == outcome.ledger.records * len(contracts.source(name).channels)
    assert outcome.ledger.adds_up


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("kalmar_timetable", "opendata/gtfs-kalmar/stops.txt.gz"),
        ("openaq_measurements", "opendata/openaq-v3/measurements.json"),
        ("scb_population", "opendata/scb-jsonstat/TAB638-jsonstat2.json"),
    ],
)
def test_records_of_one_row_each_are_the_manifests_rows(outcome_of, manifest, name, file):
    outcome = outcome_of(name)
    assert outcome.refused == ()
    counted = {r.name: r.ledger.records for r in outcome.receipts if r.ledger.records}
    assert counted == {file: manifest[file]}
    assert outcome.ledger.landed == outcome.ledger.rows_in == manifest[file]


def test_records_that_the_manifest_does_not_count(outcome_of, real_data):
    """It counts lines of a document; these are its car parks and the cells of its table."""
    expected = {"pbw_parking": 101, "scb_population_px": 5 * 3 * 6, "stuttgart_parking": 49}
    assert {name: outcome_of(name).ledger.records for name in expected} == expected
    text = (real_data / "opendata" / "parking" / "stuttgart-realtime.xml").read_text("utf-8")
    assert text.count("<parkingFacilityReference ") == 49


def test_files_that_overlap_land_once(outcome_of):
    ledger = outcome_of("elprice_hours").ledger
    assert (ledger.landed, ledger.duplicates, ledger.quarantined) == (171, 6 * 3, 0)


def test_sentinels_and_empty_rows_of_the_air_sensor(world, outcome_of):
    ledger = outcome_of("uci_air_quality").ledger
    rows = world.quarantine("uci_air_quality")
    # 114 rows without anything are one row in quarantine for each channel, the rest duplicates.
    assert {row["rule"] for row in rows} == {"time_missing"}
    assert (ledger.quarantined, ledger.duplicates) == (5, 113 * 5)
    assert ledger.landed + ledger.filtered_rows == 9357 * 5
    assert min(row["value"] for row in world.bronze("uci_air_quality")) > -3


@pytest.mark.parametrize("name", ["smhi_precipitation", "smhi_snow_depth", "smhi_temperature"])
def test_smhi_counts_its_header_too(outcome_of, manifest, name):
    outcome = outcome_of(name)
    assert outcome.refused == ()
    for receipt in outcome.receipts:
        assert receipt.ledger.records + SMHI_HEADER_LINES == manifest[receipt.name]
    assert outcome.ledger.adds_up
    assert outcome.ledger.duplicates == outcome.ledger.filtered_rows == 0


def test_snow_depths_below_zero_are_held_with_their_values(world, outcome_of):
    """SMHI writes -0.01 and -0.02, codes rather than depths, on nine winter mornings."""
    outcome_of("smhi_snow_depth")
    rows = world.quarantine("smhi_snow_depth")
    assert {row["rule"] for row in rows} == {"value_below_minimum"}
    assert Counter(row["raw"].split(";")[2] for row in rows) == {"-0.02": 7, "-0.01": 2}
    for name in ("smhi_precipitation", "smhi_temperature"):
        assert outcome_of(name).ledger.quarantined == 0


def test_sums_that_are_known(outcome_of):
    records = {name: outcome_of(name).ledger.records for name in
               ("citylearn_meters", "entsoe_prices", "sensor_community_year")}  # fmt: skip
    assert records == {
        "citylearn_meters": 35_040,
        "entsoe_prices": 26_283,
        "sensor_community_year": 178_326,
    }


def test_missing_hours_of_march_are_quarantined(world, outcome_of):
    assert outcome_of("entsoe_prices").ledger.quarantined == 3
    rows = world.quarantine("entsoe_prices")
    assert [row["rule"] for row in rows] == ["time_nonexistent"] * 3
    assert all("02:00:00 does not exist in Europe/Stockholm" in row["reason"] for row in rows)
    assert all(row["raw"] for row in rows)


def test_days_of_23_and_25_hours(world, outcome_of):
    outcome_of("entsoe_prices")
    stockholm = ZoneInfo("Europe/Stockholm")
    instants = {row["phenomenon_time"] for row in world.bronze("entsoe_prices")}
    days = Counter(instant.astimezone(stockholm).date() for instant in instants)
    odd = {str(day): hours for day, hours in days.items() if hours != 24}
    assert odd == {
        "2021-03-28": 23, "2021-10-31": 25, "2022-03-27": 23, "2022-10-30": 25,
        "2023-03-26": 23, "2023-10-29": 25,
    }  # fmt: skip
    # The control: on the wall clock the doubled hour is one.
    local = {instant.astimezone(stockholm).replace(tzinfo=None, fold=0) for instant in instants}
    assert len(local) == len(instants) - 3


def test_uplinks_of_two_versions(world, outcome_of, manifest, real_data, contracts):
    outcome = outcome_of("lorawan_uplinks")
    files = list(real_data.glob(contracts.source("lorawan_uplinks").location))
    assert len(outcome.receipts) == len(files) == 43
    assert sum(manifest[receipt.name] for receipt in outcome.receipts) == 43
    ledger = outcome.ledger
    assert (ledger.landed, ledger.quarantined, ledger.duplicates) == (31, 11, 1)
    reasons = {row["reason"] for row in world.quarantine("lorawan_uplinks")}
    assert reasons == {
        "no ChirpStack v4 uplink: deviceInfo is missing (it looks like ChirpStack v3)"
    }


def test_year_of_day_files_keeps_its_members(world, outcome_of):
    outcome_of("sensor_community_year")
    ((members, channels),) = world.query(
        "select count(distinct _member), count(distinct channel) from {bronze}",
        bronze=tables.bronze(world.settings, "sensor_community_year"),
    )
    assert (members, channels) == (321, 2)


def test_second_ingest_writes_nothing(world, outcome_of, contracts):
    for name in ("entsoe_prices", "lorawan_uplinks", "smhi_snow_depth"):
        first = outcome_of(name)
        versions = world.versions(name)
        again = ingest_source(world.settings, contracts.source(name))
        assert (again.receipts, again.passed_over) == ((), len(first.receipts))
        assert world.versions(name) == versions
