"""The command and the nightly job that do the upkeep, and what the doctor says without them."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from lakehouse import delta, tables
from lakehouse.delta import compaction, data_files
from lakehouse.locks import exclusive
from orchestration import doctor
from orchestration.jobs import maintenance
from tests.flow import AIR, FOLLOWERS, reading
from tests.integration.test_incremental import at
from tests.integration.test_reconcile import sjostad
from tests.unit.ingestion.lake import new_lake


@pytest.fixture
def taken(tmp_path):
    """A source that has delivered twelve times; two rows are broken."""
    lake = new_lake(tmp_path)
    contract = lake.source()
    for number in range(12):
        broken = "\nm1;2026-10-19T11:00:00;x" if number in (3, 4) else ""
        rows = f"meter;time;kwh\nm1;2026-10-19T10:{number:02}:00;{number}{broken}"
        lake.deliver(f"{number:02}.csv", rows)
        lake.ingest(contract)
    return lake


def files(lake) -> dict[str, int]:
    return {
        name: data_files.extent_of(delta.open_table(address)).files
        for name, address in tables.every(lake.settings).items()
    }


def test_the_command_tells_what_it_did(taken):
    assert files(taken) == {"bronze.meters": 12, "quarantine.meters": 1, "ledger": 12}
    planned = sjostad(taken, "maintain", "--dry-run")
    assert (planned.returncode, planned.stderr.count("Traceback")) == (0, 0)
    assert "Nothing was written." in planned.stdout
    assert files(taken)["ledger"] == 12
    done = sjostad(taken, "maintain")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["bronze.meters", "12", "→", "1"] in [line[:4] for line in lines]
    assert ["ledger", "12", "→", "1"] in [line[:4] for line in lines]
    assert "1 of 3 tables need nothing" in done.stdout
    assert files(taken) == {"bronze.meters": 1, "quarantine.meters": 1, "ledger": 1}
    told = json.loads(sjostad(taken, "maintain", "ledger", "--json").stdout)
    assert (list(told), told["ledger"]["together"], told["ledger"]["left"]) == (["ledger"], 0, [])
    assert len(taken.bronze()) == 12


def test_the_command_says_what_it_will_not_do(taken):
    unknown = sjostad(taken, "maintain", "silver.observation")
    assert unknown.returncode == 2
    assert "Tables: bronze.meters, quarantine.meters, ledger." in " ".join(unknown.stderr.split())
    short = sjostad(taken, "maintain", "--keep-days", "3")
    assert (short.returncode, "--allow-short" in short.stderr) == (2, True)
    assert sjostad(taken, "maintain", "--keep-days", "3", "--allow-short").returncode == 0
    with exclusive(taken.settings, "maintain"):
        assert sjostad(taken, "maintain", variables={"SJOSTAD_PATIENCE_S": "0"}).returncode == 3


def test_a_table_that_others_work_on_waits_and_a_broken_one_stops_no_other(taken):
    with exclusive(taken.settings, "ingest.meters"):
        left = sjostad(taken, "maintain", variables={"SJOSTAD_PATIENCE_S": "0"})
    assert left.returncode == 0
    assert "bronze.meters left alone: compaction: process" in " ".join(left.stdout.split())
    assert files(taken) == {"bronze.meters": 12, "quarantine.meters": 1, "ledger": 1}
    file = next(tables.bronze(taken.settings, "meters").glob("partition_date=*/*.parquet"))
    file.write_bytes(b"torn")
    failed = sjostad(taken, "maintain")
    assert failed.returncode == 1
    assert "files cannot be read" in " ".join(failed.stderr.split())
    assert "Traceback" not in failed.stderr


def test_the_nightly_job_sees_to_every_table(taken):
    with dg.DagsterInstance.ephemeral() as instance:
        assert maintenance(taken.settings).execute_in_process(instance=instance).success
        assert files(taken) == {"bronze.meters": 1, "quarantine.meters": 1, "ledger": 1}
        taken.ingest(taken.source())
        next(iter(tables.ledger(taken.settings).glob("_delta_log/*.json"))).write_bytes(b"{")
        job = maintenance(taken.settings)
        done = job.execute_in_process(instance=instance, raise_on_error=False)
        (failure,) = [event for event in done.all_events if event.is_step_failure]
    assert not done.success
    assert "operations/ledger" in failure.step_failure_data.error.message


def test_the_doctor_tells_of_what_was_neglected(taken, monkeypatch):
    def found() -> list[doctor.Finding]:
        return [one for one in doctor._tables(taken.settings) if not one.is_well]

    assert found() == []
    monkeypatch.setattr(doctor, "_MANY_SMALL", 10)
    monkeypatch.setattr(doctor, "_LONG_LOG", 10)
    told = [(one.subject, one.what, one.remedy) for one in found()]
    remedy = "Run 'sjostad maintain ledger', and see whether the schedule every_night is on."
    assert ("operations/ledger", "12 small files: reading is slow", remedy) in told
    commits = "13 commits since the last checkpoint: opening is slow"
    assert ("operations/ledger", commits, remedy) in told
    assert len(told) == 4
    sjostad(taken, "maintain")
    assert found() == []


@pytest.mark.slow
def test_what_was_put_together_is_no_news_to_models(lake):
    """Silver and gold are not built again, and what comes later is built as ever."""
    for number in range(10):
        lake.land(AIR, [reading("HORN-01", "pm10", at(2, 12, number), 30 + number)])
    lake.build()
    before = {name: version_of(lake, name) for name in FOLLOWERS}
    bronze = tables.bronze(lake.settings, AIR)
    bundles = compaction.plan(delta.open_table(bronze))
    assert bundles
    compaction.compact(bronze, bundles)
    lake.build()
    assert {name: version_of(lake, name) for name in FOLLOWERS} == before
    lake.land(AIR, [reading("HORN-01", "pm10", at(2, 13), 99)])
    lake.build()
    assert version_of(lake, "silver.observation") == before["silver.observation"] + 1


def version_of(lake, name: str) -> int | None:
    return delta.version_of(tables.model(lake.settings, *name.split(".")))
