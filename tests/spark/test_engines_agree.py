"""DuckDB and an engine that speaks Spark Connect make the same rows of the sample city.

`make test-spark` runs this, with LakeSail's server on loopback; it needs `.venv-spark`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import cast

import pytest

from benchmarks.spark_server import serving
from lakehouse import delta
from lakehouse.duck import connect, delta_scan
from lakehouse.settings import PROJECT
from tests.spark.tables import differences, rows_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("SJOSTAD_SPARK" not in os.environ, reason="make test-spark runs it"),
]

TOOLS = PROJECT / os.environ.get("SJOSTAD_SPARK", ".venv-spark") / "bin"
SJOSTAD = Path(sys.executable).with_name("sjostad")


@dataclass(frozen=True)
class City:
    """A lake of the sample city, built by DuckDB, and by Spark beside it."""

    home: Path
    inbox: Path
    spark: Path

    def deliver(self) -> None:
        """Take what is in the inbox, and build it with DuckDB."""
        run(SJOSTAD, "ingest", "--inbox", self.inbox, "--home", self.home)
        run(SJOSTAD, "build", "--home", self.home)

    def build_on_spark(self, remote: str, *since: str) -> None:
        """As docs/scaling.md says."""
        told = run(
            *(SJOSTAD, "spark-tables", "--vars", "--to", self.spark, "--home", self.home, *since)
        )
        run(
            *(TOOLS / "dbt", "--quiet", "run", "--target", "spark", "--vars", told),
            *("--project-dir", PROJECT / "dbt", "--profiles-dir", PROJECT / "dbt"),
            *("--target-path", self.home / "target", "--log-path", self.home / "target"),
            SPARK_REMOTE=remote,
        )

    def batches(self) -> dict[str, int]:
        """How many batches each source has in bronze."""
        sources = sorted((self.home / "lake" / "bronze").iterdir())
        return {path.name: delta.mark_of(path, "batch") for path in sources}

    def earliest_after(self, batches: Mapping[str, int]) -> date:
        """The first day that anything has come for since."""
        parts = [
            f"select phenomenon_time from {delta_scan(self.home / 'lake' / 'bronze' / source_id)} "
            f"where _batch > {number}"
            for source_id, number in batches.items()
        ]
        with connect() as connection:
            query = f"select min(phenomenon_time)::date from ({' union all '.join(parts)})"
            (found,) = connection.execute(query).fetchall()
        return cast("date", found[0])

    def hours_of(self, day: str) -> list[str]:
        """Files that Spark has written of a day's hours."""
        found = self.spark.glob(f"gold/observations_hourly/partition_date={day}/*.parquet")
        return sorted(path.name for path in found)

    def differing(self, printed: Callable[[str], None]) -> dict[str, list[str]]:
        """Models of which the two have other rows."""
        found = {}
        for path in sorted(PROJECT.glob("dbt/models/*/**/*.sql")):
            name = f"{path.relative_to(PROJECT / 'dbt' / 'models').parts[0]}/{path.stem}"
            ours, theirs = rows_of(self.home / "lake" / name), rows_of(self.spark / name)
            if differing := list(differences(ours, theirs)):
                found[name] = differing
            said = "other rows" if differing else "the same"
            printed(f"{name:44}{ours.num_rows:>9,} rows {said}")
        return found


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    """The city when its last week, and corrections of the first, are still to come."""
    folder = tmp_path_factory.mktemp("city")
    made = City(folder / "home", folder / "inbox", folder / "spark")
    run(sys.executable, "-m", "sample_city", "--into", folder / "all")
    for path in sorted((folder / "all").glob("*/*")):
        into = folder / "later" if is_late(path.name) else made.inbox
        (into / path.parent.name).mkdir(parents=True, exist_ok=True)
        path.rename(into / path.parent.name / path.name)
    made.deliver()
    return made


def is_late(name: str) -> bool:
    day = re.search(r"2026-\d\d-\d\d", name)
    return "_rattad" in name or (day is not None and day[0] >= "2026-10-27")


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Spark Connect server."""
    log = tmp_path_factory.mktemp("sail") / "sail.log"
    with serving(TOOLS, log) as (address, _):
        yield address


def test_every_model_has_the_same_rows_whole_and_from_a_day_on(city, remote, capsys):
    def printed(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", end="")  # noqa: T201

    city.build_on_spark(remote)
    assert not city.differing(lambda _: None)

    before, first_day = city.batches(), city.hours_of("2026-10-19")
    shutil.copytree(city.inbox.parent / "later", city.inbox, dirs_exist_ok=True)
    city.deliver()
    assert "gold/observations_hourly" in city.differing(lambda _: None)  # what is new is seen
    since = city.earliest_after(before)
    assert since > date(2026, 10, 19)  # something is left as it is
    printed(f"built from {since} on")
    city.build_on_spark(remote, "--since", str(since))
    assert not city.differing(printed)
    # Its partitions were replaced in one commit, and not the whole table.
    assert delta.version_of(city.spark / "gold" / "observations_hourly") == 1
    assert city.hours_of("2026-10-19") == first_day != []


def run(*command: str | Path, **more: str) -> str:
    """Run a command; returns what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=PROJECT,
        env=os.environ | more,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
