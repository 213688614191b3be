"""A small real lake that dbt builds in this process: the project's contracts, rows of our own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from unittest import mock

import pyarrow as pa
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from lakehouse import delta, tables
from lakehouse.contracts import Contracts, load_contracts
from lakehouse.delta.changes import changes_since
from lakehouse.duck import connect, delta_scan
from lakehouse.reference import write_reference
from lakehouse.settings import PROJECT, Settings
from lakehouse.timeline import partition_date

AIR, METERS, LAMPS = "miljo_luft", "hamnar_elmatare", "kista_multisensor"
FOLLOWERS = ("silver.observation", "gold.observations_hourly", "gold.observations_daily",
             "gold.states_hourly", "gold.luftkvalitet_timme",
             "gold.energianvandning_timme", "gold.energi_och_vatten_dygn",
             "gold.sensor_day")  # fmt: skip
_DBT = PROJECT / "dbt"
_TARGET = Path(tempfile.gettempdir()) / f"sjostad-dbt-{os.getpid()}"
_QUIETLY = [
    *("--project-dir", str(_DBT), "--profiles-dir", str(_DBT), "--target-path", str(_TARGET)),
    *("--quiet", "--no-write-json", "--log-level-file", "none", "--log-path", str(_TARGET)),
]


@dataclass(frozen=True, slots=True)
class Lake:
    """A lake in a folder, with contracts that a test may change."""

    settings: Settings

    @classmethod
    def in_folder(cls, folder: Path, daily_from: date = date(2026, 1, 1)) -> Lake:
        shutil.copytree(PROJECT / "contracts", folder / "contracts")
        settings = Settings(
            home=folder / "home",
            contracts=folder / "contracts",
            inbox=folder / "inbox",
            base_url="https://data.stockholm.example",
            daily_from=daily_from,
            patience_s=1,
        )
        lake = cls(settings)
        lake.write_reference()
        return lake

    @property
    def contracts(self) -> Contracts:
        return load_contracts(self.settings.contracts)

    def write_reference(self) -> None:
        write_reference(self.settings, self.contracts)

    def edit_contract(self, source_id: str, old: str, new: str) -> None:
        """Change one thing in a source's contract, as its owner would."""
        (path,) = (self.settings.contracts / "sources").rglob(f"{source_id}.yaml")
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def land(self, source_id: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Commit rows as the next batch of a source, just as ingestion does."""
        address = tables.bronze(self.settings, source_id)
        batch = delta.mark_of(address, "batch") + 1
        base = {"quality": "good", "_batch": batch, "_delivery": f"{batch:064x}",
                "_received_at": datetime(2026, 11, 1, 0, 0, batch, tzinfo=UTC),
                "_landed_at": datetime(2026, 11, 1, tzinfo=UTC)}  # fmt: skip
        filled = [
            base | {"_row": number, "partition_date": self._partition(row)} | dict(row)
            for number, row in enumerate(rows, start=1)
        ]
        table = pa.Table.from_pylist(filled, tables.TELEMETRY)
        delta.append(address, table, tables.TELEMETRY, marks={"batch": batch})

    def _partition(self, row: Mapping[str, object]) -> date:
        return partition_date(row["phenomenon_time"].date(), self.settings.daily_from)

    def dbt(self, *arguments: str, succeeds: bool = True) -> str:
        """Run dbt on this lake; returns what it said went wrong."""
        # dbt keeps its DuckDB between calls; a new process, which it is in life, would not.
        DuckDBConnectionManager.close_all_connections()
        with mock.patch.dict(os.environ, self.settings.as_environment()):
            runner = dbtRunner(manifest=_manifest(self.settings.daily_from))
            result = runner.invoke([*arguments, *_QUIETLY])
        said = "\n".join(
            [str(result.exception or "")]
            + [f"{one.node.name}: {one.message}" for one in getattr(result.result, "results", [])
               if one.status not in ("success", "pass", "no-op")]
        )  # fmt: skip
        assert result.success is succeeds, said
        return said

    def build(self, *arguments: str) -> None:
        """Build silver and its followers, or what the arguments select."""
        followers = [table.split(".")[1] for table in FOLLOWERS]
        chosen = () if "--select" in arguments else ("--select", "sjostad.silver", *followers)
        self.dbt("run", *chosen, *arguments)

    def address(self, table: str) -> Path:
        return self.settings.lake.joinpath(*table.split("."))

    def rows(self, table: str, columns: str = "*") -> list[tuple[object, ...]]:
        """All rows of a table, in one order whatever the files' order is."""
        with connect() as connection:
            query = f"select {columns} from {delta_scan(self.address(table))} order by all"
            return connection.execute(query).fetchall()

    def versions(self) -> dict[str, int | None]:
        """The Delta version of every table of the lake."""
        return {
            f"{path.parent.name}.{path.name}": delta.version_of(path)
            for path in sorted(self.settings.lake.glob("*/*"))
        }

    def written_since(self, table: str, version: int) -> set[str | None]:
        """Partition dates that commits after a version have added to or removed from."""
        return {
            partition.get("partition_date")
            for change in changes_since(self.address(table), version)
            for partition in change.partitions
        }


@cache
def _manifest(_daily_from: date) -> Manifest:
    """The parsed project; go-live stands in its variables, so each date has one of its own."""
    return dbtRunner().invoke(["parse", "--no-partial-parse", *_QUIETLY]).result


def forget_dbt() -> None:
    """Close dbt's DuckDB and remove what it compiled."""
    DuckDBConnectionManager.close_all_connections()
    shutil.rmtree(_TARGET, ignore_errors=True)


def reading(
    device: str, channel: str, when: datetime, value: float, **more: object
) -> dict[str, object]:
    """One bronze row."""
    return {"device": device, "channel": channel, "phenomenon_time": when, "value": value} | more
