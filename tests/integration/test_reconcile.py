"""The command and the weekly job that ask databases whether rows were missed."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess, run

import dagster as dg
import pytest

from lakehouse import delta, tables
from lakehouse.contracts import load_contracts
from orchestration.jobs import reconciliation
from orchestration.metering import metering
from tests import sjostad as command
from tests.unit.ingestion.lake import column, new_lake

PERIOD = ("--since", "2026-10-01", "--until", "2026-10-20")


def plant(lake, *rows: tuple, name: str = "plant"):
    """A database with readings, and the contract of a pull of them."""
    connection = sqlite3.connect(lake.inbox / f"{name}.sqlite")
    with connection:
        connection.execute("create table if not exists readings (t text, meter text, kwh real)")
        connection.executemany("insert into readings values (?, ?, ?)", rows)
    connection.close()
    return lake.source(
        name,
        columns=[column("meter", kind="string"), column("kwh", "active_energy", "kW.h")],
        location=f"sqlite:///{{inbox}}/{name}.sqlite",
        delivery={
            "protocol": "sql_table",
            "format": "sql_rows",
            "time": {"columns": ["t"], "zone": "UTC"},
            "device": {"column": "meter"},
            "pull": {"table": "readings", "overlapH": 1, "attempts": 1},
        },
    )


def sjostad(lake, *words: str, variables: Mapping[str, str] | None = None) -> CompletedProcess[str]:
    places = ("--contracts", lake.settings.contracts)
    settings = {"COLUMNS": "100"} | dict(variables or {})
    return command.sjostad(lake.settings.home, *words, *places, **settings)


def installed(lake, *words: str) -> CompletedProcess[str]:
    """The command as it is installed."""
    script = [Path(sys.executable).with_name("sjostad"), *words]
    script += ["--contracts", lake.settings.contracts, "--home", lake.settings.home]
    environment = os.environ | {"COLUMNS": "100"}
    return run(script, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def missed(tmp_path):
    """A lake that lacks a row of the 12th."""
    lake = new_lake(tmp_path)
    lake.ingest(plant(lake, ("2026-10-12 10:00", "a", 1), ("2026-10-19 10:00", "a", 2)))
    lake.ingest(plant(lake, ("2026-10-12 11:00", "b", 3)))
    assert len(lake.bronze("plant")) == 2
    return lake


def test_the_command_finds_and_repairs(missed):
    missed.source()  # a source of files, which cannot count, is passed over
    found = installed(missed, "reconcile", *PERIOD)
    assert found.returncode == 1, found.stderr
    assert ["2026-10-12", "2", "1", "1"] in [line.split() for line in found.stdout.splitlines()]
    assert "--repair" in found.stdout
    told = json.loads(sjostad(missed, "reconcile", "plant", *PERIOD, "--json").stdout)
    assert [(day["day"], day["missing"]) for day in told[0]["days"]] == [("2026-10-12", 1)]
    mended = sjostad(missed, "reconcile", "plant", *PERIOD, "--repair")
    assert (mended.returncode, mended.stderr) == (0, "")
    assert "1 rows landed" in mended.stdout
    assert len(missed.bronze("plant")) == 3
    clean = sjostad(missed, "reconcile", *PERIOD)
    assert (clean.returncode, "nothing is missing" in clean.stdout) == (0, True)


def test_the_command_says_what_it_cannot_do(missed):
    missed.source()
    cannot = sjostad(missed, "reconcile", "meters")
    assert cannot.returncode == 2
    assert "cannot count the rows of a day" in cannot.stderr
    assert sjostad(missed, "reconcile", "--since", "yesterday").returncode == 2
    plant(missed, name="other")
    (missed.inbox / "other.sqlite").unlink()
    down = sjostad(missed, "reconcile", *PERIOD, "--repair")
    assert down.returncode == 1
    assert "other" in down.stderr
    assert "Traceback" not in down.stderr
    assert "1 rows landed" in down.stdout  # the other source was mended all the same


def test_the_weekly_job_repairs_and_names_who_was_down(tmp_path):
    lake = new_lake(tmp_path)
    contract = plant(lake, *((f"{day} 10:00", "a", 1) for day in days_before(9, 2)))
    lake.ingest(contract)
    plant(lake, *((f"{day} 11:00", "b", 2) for day in days_before(8)))
    job = reconciliation(lake.settings, load_contracts(lake.settings.contracts))
    with dg.DagsterInstance.ephemeral() as instance:
        resources = {"meter": metering(lake.settings)}
        assert job.execute_in_process(instance=instance, resources=resources).success
        assert len(lake.bronze("plant")) == 3
        (spent,) = delta.open_table(tables.metering(lake.settings)).to_pyarrow_table().to_pylist()
        assert (spent["stage"], spent["subject"], spent["rows"]) == ("ingestion", "plant", 1)
        plant(lake, name="other")
        (lake.inbox / "other.sqlite").unlink()
        job = reconciliation(lake.settings, load_contracts(lake.settings.contracts))
        done = job.execute_in_process(instance=instance, raise_on_error=False, resources=resources)
        (failure,) = [event for event in done.all_events if event.is_step_failure]
    assert not done.success
    assert "other: the database did not answer" in failure.step_failure_data.error.message


def days_before(*numbers: int) -> list[str]:
    return [str(datetime.now(UTC).date() - timedelta(days=number)) for number in numbers]
