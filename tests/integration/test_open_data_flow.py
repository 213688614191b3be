"""The README's real-input command, from deliveries made by others to a catalogue.

That a second run changes nothing is shown on the sample city, in test_cli.py.
"""

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mcp import Client, StdioServerParameters
from rdflib import Graph

from lakehouse import tables
from lakehouse.contracts import load_contracts
from lakehouse.duck import connect, delta_scan
from lakehouse.settings import PROJECT, Settings
from publishing.catalogue import profile
from publishing.releases.manifest import newest_release

pytestmark = pytest.mark.slow

CONTRACTS = PROJECT / "examples" / "open_data"
PRODUCTS = ("energianvandning_timme", "luftkvalitet_timme")


@dataclass(frozen=True)
class Flow:
    """A lake that the command has been run on, and what that said."""

    settings: Settings
    stages: list[dict]

    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.settings.as_environment()}


def run(settings: Settings) -> list[dict]:
    places = ["--contracts", str(CONTRACTS), "--inbox", str(settings.inbox)]
    command = [sys.executable, "-m", "orchestration.cli", "run", *places, "--json"]
    environment = {**os.environ, "SJOSTAD_HOME": str(settings.home)}
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env=environment,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def flow(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    home = tmp_path_factory.mktemp("open_data")
    settings = Settings.from_environment({}, contracts=CONTRACTS, inbox=real_data, home=home)
    return Flow(settings, run(settings))


def query(sql: str) -> list[tuple]:
    with connect() as connection:
        return connection.execute(sql).fetchall()


def made(stages: list[dict], job: str) -> dict[str, dict]:
    return next(stage["assets"] for stage in stages if stage["job"] == job)


def test_every_row_is_accounted_for(flow):
    sources = {k: v for k, v in made(flow.stages, "ingestion").items() if k.startswith("bronze/")}
    assert len(sources) == len(load_contracts(CONTRACTS).sources) > 9
    for name, counts in sources.items():
        out = counts["landed"] + counts["quarantined"] + counts["duplicates"] + counts["filtered"]
        assert counts["rows_in"] == out > 0, name


@pytest.mark.parametrize("product", PRODUCTS)
def test_csv_parquet_and_delta_hold_the_same_rows(flow, product):
    release = newest_release(flow.settings, product)
    parquet = pq.read_table(release.folder / f"{product}.parquet")
    with (release.folder / f"{product}.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    address = tables.model(flow.settings, "gold", product)
    columns = ", ".join(parquet.column_names)
    scan = delta_scan(address, release.delta_version)
    total = query(
        f"select count(*), sum(hash({columns})::hugeint) from (select {columns} from {scan})"
    )
    files = f"read_parquet('{release.folder / f'{product}.parquet'}')"
    assert total == query(f"select count(*), sum(hash({columns})::hugeint) from {files}")
    assert len(lines) == parquet.num_rows == total[0][0] == release.rows
    amounts = [n for n in parquet.column_names if n in ("energy_kwh", "pm10_ug_m3", "readings")]
    for name in amounts:
        written = sum(float(line[name]) for line in lines if line[name] != "")
        held = sum(value for value in parquet[name].to_pylist() if value is not None)
        assert written == pytest.approx(held, rel=1e-12)


def test_entsoe_days_have_23_24_or_25_hours_and_keep_their_sum(flow):
    hourly = delta_scan(tables.model(flow.settings, "gold", "observations_hourly"))
    odd = query(
        f"""select strftime(timezone('Europe/Stockholm', hour_start), '%Y-%m-%d') as day, count(*)
        from {hourly} where datastream_id = 'entsoe_prices/SE3/price'
        group by day having count(*) <> 24 order by day"""
    )
    assert odd == [
        ("2021-03-28", 23), ("2021-10-31", 25), ("2022-03-27", 23),
        ("2022-10-30", 25), ("2023-03-26", 23), ("2023-10-29", 25),
    ]  # fmt: skip
    naive = query(
        f"""select count(distinct date_trunc('hour', timezone('Europe/Stockholm', hour_start)))
        from {hourly} where datastream_id = 'entsoe_prices/SE3/price'"""
    )
    whole = query(f"select count(*) from {hourly} where datastream_id = 'entsoe_prices/SE3/price'")
    assert whole == [(26_280,)]
    assert naive == [(26_277,)], "local hours merge the doubled one: the trap must still be there"


def test_days_on_stockholms_clocks_hold_every_hour_once(flow):
    """Years of prices: sums of days are those of hours; days in UTC would be other days."""
    daily, hourly = (
        delta_scan(tables.model(flow.settings, "gold", name))
        for name in ("observations_daily", "observations_hourly")
    )
    prices = "datastream_id = 'entsoe_prices/SE3/price'"
    days = query(
        f"""select hours_in_day, count(*), sum(hours_with_readings), sum(readings_good)
        from {daily} where {prices} group by hours_in_day order by 1"""
    )
    assert days == [(23, 3, 69, 69), (24, 1089, 26136, 26136), (25, 3, 75, 75)]
    ((of_days,), (of_hours,)) = (
        query(f"select sum(mean_value * readings_good) from {table} where {prices}")[0]
        for table in (daily, hourly)
    )
    assert of_days == pytest.approx(of_hours, rel=1e-9)
    in_utc = query(
        f"""select count(*) from (select count(*) as hours from {hourly} where {prices}
            group by hour_start::date) where hours <> 24"""
    )
    assert in_utc == [(2,)], "no day in UTC has 23 or 25 hours: only the first and last are cut"


def test_the_catalogue_keeps_the_swedish_profile(flow):
    graph = Graph().parse(flow.settings.site / "catalog.rdf", format="xml")
    assert profile.check(graph) == []
    assert len(list(graph.subjects(None, None))) > 50


@pytest.mark.anyio
async def test_an_assistant_gets_an_answer_with_a_citation(flow):
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "orchestration.cli", "mcp"],
        env=flow.environment(),
        cwd=str(PROJECT),
    )
    async with Client(server) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"search_datasets", "describe_dataset", "query_dataset"} <= tools
        asked = {"sql": "select count(*) as hours from energianvandning_timme"}
        answer = await client.call_tool("query_dataset", asked)
        told = answer.structured_content
    assert told["rows"] == [[35_040]]
    assert len(told["citations"]) == 1
    assert "licenses/by/4.0" in json.dumps(told["citations"][0])


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
