"""The dbt models as assets: silver and gold, joined to bronze by what the contracts name."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject, dbt_assets
from packaging.version import Version

from lakehouse import delta, tables
from lakehouse.contracts import Contracts
from lakehouse.locks import exclusive
from lakehouse.metering import Meter, Purpose
from lakehouse.settings import Settings
from orchestration import metadata
from orchestration.bronze import bronze_key
from orchestration.dbt_manifest import DBT, nodes, require
from orchestration.metering import Metering, of_models

_TELEMETRY = dg.AssetKey(["bronze", "telemetry"])


class LakeTranslator(DagsterDbtTranslator):
    """Names and groups assets by layer, so that the graph reads from bronze to catalogue."""

    def __init__(self, contracts: Contracts) -> None:
        """Remember which sources `bronze.telemetry` stands for."""
        super().__init__()
        self._telemetry = [bronze_key(source_id) for source_id in contracts.sources]

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The layer, which is the first folder below models/."""
        layer: str = dbt_resource_props["fqn"][1]
        return layer

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        """Replace the union view `bronze.telemetry` by the sources it is a union of."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        if not any(dep.asset_key == _TELEMETRY for dep in spec.deps):
            return spec
        others = [dep for dep in spec.deps if dep.asset_key != _TELEMETRY]
        return spec.replace_attributes(deps=[*others, *map(dg.AssetDep, self._telemetry)])


def model_assets(settings: Settings, contracts: Contracts) -> dg.AssetsDefinition:
    """All dbt models as one asset definition; dbt's tests are its checks.

    Raises:
        LakeError: dbt has not parsed the project yet.
    """

    @dbt_assets(
        manifest=require(),
        name="dbt_models",
        dagster_dbt_translator=LakeTranslator(contracts),
    )
    def _models(
        context: dg.AssetExecutionContext, dbt: DbtCliResource, meter: Metering
    ) -> Iterator[dg.Output[Any] | dg.AssetCheckResult | Any]:
        with exclusive(settings, "transformation"), _metered(settings, contracts, meter):
            before = _versions(settings)
            # dbt's unit tests are about the SQL, not about today's rows: development runs them.
            command = ["build", "--exclude-resource-type", "unit_test"]
            run = dbt.cli(command, context=context, target_path=dbt_target(settings))
            for event in run.stream():
                if isinstance(event, dg.Output):
                    key = context.asset_key_for_output(event.output_name)
                    layer, name = key.path[-2:]
                    address = tables.model(settings, layer, name)
                    shown = metadata.of_table(address)
                    written = delta.version_of(address) != before.get(address)
                    shown["committed"] = dg.MetadataValue.bool(written)
                    yield dg.Output(
                        event.value,
                        event.output_name,
                        metadata={**event.metadata, **shown},
                        data_version=event.data_version,
                    )
                else:
                    yield event

    return _models


@contextmanager
def _metered(settings: Settings, contracts: Contracts, meter: Meter) -> Iterator[None]:
    """Measure a run of dbt, and let those bear it that its models are built for."""
    told = dbt_target(settings) / "run_results.json"
    told.unlink(missing_ok=True)  # that of the run before
    try:
        with meter.measure(Purpose("gold", "platform", "dbt")) as whole:
            yield
    finally:
        results = json.loads(told.read_bytes())["results"] if told.is_file() else []
        meter.divide(whole, of_models(results, nodes(), contracts))


def _versions(settings: Settings) -> dict[Path, int | None]:
    """The version of every model's table now."""
    return {
        path: delta.version_of(path)
        for layer in ("silver", "gold")
        for path in (settings.lake / layer).glob("*")
    }


def dbt_target(settings: Settings) -> Path:
    """Where dbt writes what it compiled and how its run went."""
    return settings.home / "dbt"


class LakeDbt(DbtCliResource):
    """The dbt beside this Python, without two things this lake has no use for.

    dagster-dbt asks `dbt --version` in a process of its own, and builds a second adapter to
    count rows with; the version is the installed package's, and rows are counted from the Delta
    log. Both cost seconds in every run (dagster-dbt 0.29.27, `core/resource.py`).
    """

    @property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, _args: Sequence[str]) -> None:
        return None


def dbt_resource() -> DbtCliResource:
    """The dbt of this project; which lake it works on, the environment says."""
    # The dbt beside this Python, so that a venv need not be activated.
    executable = Path(sys.executable).with_name("dbt")
    return LakeDbt(project_dir=str(DBT), profiles_dir=str(DBT), dbt_executable=str(executable))
