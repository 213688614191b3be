"""The sample city through the real lake, held against the generator's own account."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from ingestion import ingest_source
from lakehouse import delta, tables
from lakehouse.contracts import load_contracts
from lakehouse.ledger import Ledger
from lakehouse.settings import PROJECT
from sample_city import generate
from tests.unit.ingestion.lake import Lake, new_lake

pytestmark = pytest.mark.slow
FOLDERS = ("belysning", "dataportal_loggar", "drottninggatan_lejon", "kista_multisensor",
           "miljo_luft", "sisab_inomhus", "smarta_las", "smhi_vader", "trafik_floden")  # fmt: skip
SOURCES = ("hamnar_elmatare", "svoa_vatten", *FOLDERS)


@pytest.fixture(scope="module")
def contracts():
    return load_contracts(PROJECT / "contracts")


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> Lake:
    return new_lake(tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def summary(city):
    return generate(city.inbox)


@pytest.fixture(scope="module")
def outcomes(city, summary, contracts):
    assert {source.source_id for source in summary.sources} == set(SOURCES)
    return {name: ingest_source(city.settings, contracts.source(name)) for name in SOURCES}


@pytest.mark.parametrize("name", SOURCES)
def test_ledger_is_the_generators_account(outcomes, summary, name):
    fresh = [receipt for receipt in outcomes[name].receipts if receipt.outcome == "landed"]
    assert sum((receipt.ledger for receipt in fresh), Ledger()) == summary[name].ledger


def test_every_file_has_the_account_of_its_own(outcomes, summary):
    for name in FOLDERS:
        found = {receipt.name: receipt for receipt in outcomes[name].receipts}
        for delivery in summary[name].deliveries:
            receipt = found.pop(f"{name}/{delivery.name}")
            if delivery.resent:
                assert receipt.outcome == "duplicate"
                assert receipt.ledger.duplicates == receipt.ledger.rows_in > 0
            else:
                assert (receipt.outcome, receipt.ledger) == ("landed", delivery.ledger)
        assert found == {}


@pytest.mark.parametrize("name", SOURCES)
def test_tables_hold_what_the_ledger_says(city, outcomes, name):
    ledger = outcomes[name].ledger
    assert ledger.adds_up
    assert len(city.bronze(name)) == ledger.landed
    assert len(city.quarantine(name)) == ledger.quarantined
    rows = city.ledger(name)
    for count in ("records", "rows_in", "landed", "quarantined", "duplicates"):
        assert sum(row[count] for row in rows) == getattr(ledger, count)


def test_planted_faults_are_quarantined_by_name(city, outcomes, summary):
    rules = sorted(row["rule"] for row in city.quarantine("miljo_luft"))
    assert rules == [
        *["time_unreadable"] * 3,
        "value_above_maximum",
        "value_unreadable",
    ]
    rules = sorted(row["rule"] for row in city.quarantine("kista_multisensor"))
    faults = summary["kista_multisensor"].faults
    assert rules == ["layout"] * faults["cut_line"] + ["value_above_maximum"] * len(
        [rule for rule in rules if rule == "value_above_maximum"]
    )
    assert len(rules) == faults["cut_line"] + faults["out_of_range"]
    for name in ("hamnar_elmatare", "svoa_vatten", "sisab_inomhus", "smhi_vader"):
        assert city.quarantine(name) == []
    rules = sorted(row["rule"] for row in city.quarantine("trafik_floden"))
    assert rules == ["layout", "value_above_maximum"]
    rules = Counter(row["rule"] for row in city.quarantine("smarta_las"))
    assert rules == {"layout": 1, "value_missing": summary["smarta_las"].faults["unknown_area"]}
    (row,) = city.quarantine("belysning")
    assert (row["rule"], "65535 W" in row["reason"]) == ("value_above_maximum", True)


def test_a_log_that_names_the_staff_is_refused_whole(tmp_path, contracts):
    """What the contract does not ask for may not come in unasked."""
    lake = new_lake(tmp_path)
    path = lake.inbox / "smarta_las" / "las_2026-11-02.csv"
    path.parent.mkdir(parents=True)
    header = "Tidpunkt;Lås;Område;Händelse;Batteri;Personal"
    path.write_text(f"{header}\n2026-11-02T08:00:00+01:00;LAS-1;Kista;öppnat;50;Kim\n", "utf-8")
    (receipt,) = ingest_source(lake.settings, contracts.source("smarta_las")).receipts
    assert (receipt.outcome, "columns are new: Personal" in receipt.reason) == ("refused", True)
    assert lake.bronze("smarta_las") == []
    assert "Kim" not in str(lake.quarantine("smarta_las"))


def test_what_a_contract_names_is_not_reported_as_missing_in_it(outcomes):
    """The keys of a tracker's position are rows, too, and measure nothing."""
    found = [one for receipt in outcomes["drottninggatan_lejon"].receipts
             for one in receipt.findings]  # fmt: skip
    assert not [one for one in found if "is not in the contract" in one]


def test_values_of_a_broken_station_land_as_bad(city, outcomes):
    bad = [row for row in city.bronze("miljo_luft") if row["quality"] == "bad"]
    assert {row["channel"] for row in bad if row["value"] is None} == {"pm10", "pm2_5"}
    assert all(row["quality_code"] == "FEL" for row in bad)


def test_day_of_25_hours_and_its_neighbours(city, outcomes):
    """UTC hours of one roof station's gas on Stockholm's days; no hour twice, none missing."""
    rows = city.query(
        """select date_trunc('day', timezone('Europe/Stockholm', phenomenon_time))::date as day,
            count(distinct date_trunc('hour', phenomenon_time)),
            count(distinct date_trunc('hour', timezone('Europe/Stockholm', phenomenon_time)))
        from {bronze} where device = 'TORK-01' and channel = 'no2'
        group by day having day::varchar in ('2026-10-24', '2026-10-25', '2026-10-26')
        order by day""",
        bronze=tables.bronze(city.settings, "miljo_luft"),
    )
    assert [hours for _, hours, _ in rows] == [24, 25, 24]
    # The control: hours counted on the wall clock merge the doubled one.
    assert [hours for _, _, hours in rows] == [24, 24, 24]


def test_second_ingest_lands_nothing_and_writes_nothing(city, outcomes, contracts):
    before = {name: city.versions(name) for name in SOURCES}
    for name in SOURCES:
        again = ingest_source(city.settings, contracts.source(name))
        assert again.receipts == ()
        assert again.ledger == Ledger()
        assert again.passed_over + again.reread > 0
        assert again.version == outcomes[name].version
    assert {name: city.versions(name) for name in SOURCES} == before


def test_cursor_stands_at_the_newest_value(city, outcomes):
    newest = max(row["phenomenon_time"] for row in city.bronze("hamnar_elmatare"))
    bronze = tables.bronze(city.settings, "hamnar_elmatare")
    assert delta.mark_of(bronze, "cursor") == int(newest.timestamp() * 1000)


def test_clocks_on_standard_time_are_read_as_such(city, outcomes):
    """The control system's clocks do not change: no hour of its is twice, none is missing."""
    rows = city.bronze("svoa_vatten")
    times = sorted(row["phenomenon_time"] for row in rows if row["device"] == "ENS-ARS")
    assert {after - before for before, after in pairwise(times)} == {timedelta(minutes=15)}
    assert times[0] == datetime(2026, 10, 18, 22, tzinfo=UTC)


def test_weather_tells_when_it_was_published(city, outcomes):
    rows = city.bronze("smhi_vader")
    delays = [row["result_time"] - row["phenomenon_time"] for row in rows]
    assert min(delays) >= timedelta(minutes=4)
    assert sum(delay > timedelta(hours=1) for delay in delays) == 14 + 1
