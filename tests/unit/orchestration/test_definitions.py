"""The assets, jobs and sensors that contracts give, without a lake and without a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from lakehouse.audit_log import entries
from lakehouse.contracts import Contracts, load_contracts
from lakehouse.settings import PROJECT, Settings
from orchestration.automation import CHAINED_BY
from orchestration.code_location import build
from orchestration.instance import prepare

GOLDEN = PROJECT / "tests" / "golden" / "asset_keys.txt"


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("definitions")
    return Settings.from_environment({}, home=folder / "home", inbox=folder / "inbox")


@pytest.fixture(scope="module")
def contracts(settings) -> Contracts:
    return load_contracts(settings.contracts)


@pytest.fixture(scope="module")
def definitions(settings, contracts, tmp_path_factory) -> dg.Definitions:
    with pytest.MonkeyPatch.context() as patch:
        for name in (*settings.as_environment(), "DAGSTER_HOME"):
            patch.setenv(name, os.environ.get(name, ""))  # prepare() sets them for good
        other = Settings.from_environment({}, home=tmp_path_factory.mktemp("prepared"))
        prepare(other)
    return build(settings, contracts)


@pytest.fixture(scope="module")
def graph(definitions) -> dg.AssetSelection:
    return definitions.resolve_asset_graph()


def keys(graph, job) -> set[str]:
    return {key.to_user_string() for key in job.asset_layer.executable_asset_keys}


def test_loading_touches_nothing(definitions, settings):
    assert definitions.resolve_job_def("ingestion")
    assert not settings.home.exists()
    assert not settings.inbox.exists()


@pytest.mark.slow
def test_the_workspace_is_valid(definitions, tmp_path):
    done = subprocess.run(
        [Path(sys.executable).with_name("dagster"), "definitions", "validate", "-w",
         "workspace.yaml"],
        cwd=PROJECT,
        env=os.environ | {"SJOSTAD_HOME": str(tmp_path / "home"), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "home").exists()


def test_the_assets_are_those_that_people_have_linked_to(graph):
    """A key that changes breaks bookmarks and history; change the file only on purpose."""
    listed = sorted(key.to_user_string() for key in graph.get_all_asset_keys())
    assert listed == GOLDEN.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    "model", ["observation", "datastream", "datastream_restricted", "position"]
)
def test_silver_waits_for_every_telemetry_source(graph, contracts, model):
    parents = graph.get(dg.AssetKey(["silver", model])).parent_keys
    bronze = {key.path[-1] for key in parents if key.path[0] == "bronze"}
    assert bronze == set(contracts.sources)


def test_contracts_say_whose_an_asset_is(graph, contracts):
    for source in contracts.sources.values():
        node = graph.get(dg.AssetKey(["bronze", source.id]))
        assert list(node.owners) == [source.ownership.contact]
        assert node.group_name == "bronze"
        assert node.tags["domain"] == source.domain
        assert "delta" in node.kinds
        assert source.name in node.description
    for product in contracts.products.values():
        node = graph.get(dg.AssetKey(["release", product.id]))
        assert list(node.owners) == [product.publication.contact.email]
        assert node.description == product.publication.title.en
    assert graph.get(dg.AssetKey(["silver", "unit"])).group_name == "silver"


def test_each_job_selects_its_own_step(definitions, graph, contracts):
    chosen = {name: definitions.resolve_job_def(name) for name in
              ("ingestion", "transformation", "publishing", "portal")}  # fmt: skip
    layers = {
        name: {key.path[0] for key in job.asset_layer.executable_asset_keys}
        for name, job in chosen.items()
    }
    assert layers == {
        "ingestion": {"bronze", "reference"},
        "transformation": {"silver", "gold"},
        "publishing": {"release"},
        "portal": {"portal", "ai"},
    }
    gate = {f"{check}_{one}" for one in contracts.products for check in ("audit", "sharing")}
    checks = {
        name: {key.name for data in job.asset_layer.data for key in data.assets_def.check_keys}
        for name, job in chosen.items()
    }  # fmt: skip
    assert checks["publishing"] == gate
    assert not checks["transformation"] & gate
    assert len(checks["transformation"]) > 50


@pytest.mark.parametrize("check", ["audit", "sharing"])
def test_the_gate_blocks(definitions, graph, contracts, check):
    for product in contracts.products.values():
        key = dg.AssetCheckKey(dg.AssetKey(["gold", product.model]), f"{check}_{product.id}")
        assert graph.get_check_spec(key).blocking


def test_the_inbox_sensor_asks_for_changed_sources_alone(definitions, settings):
    sensor = definitions.resolve_sensor_def("inbox")

    def look(cursor):
        context = dg.build_sensor_context(cursor=cursor, definitions=definitions)
        return sensor(context), context.cursor

    asked, cursor = look(None)
    assert isinstance(asked, dg.SkipReason)
    for source in ("miljo_luft/a.csv", "kista_multisensor/a.ndjson"):
        path = settings.inbox / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    asked, cursor = look(cursor)
    assert {key.path[-1] for key in asked.asset_selection} == {"miljo_luft", "kista_multisensor"}
    first = asked.run_key
    asked, cursor = look(cursor)
    assert isinstance(asked, dg.SkipReason)
    (settings.inbox / "miljo_luft" / "b.csv").write_text("y")
    asked, cursor = look(cursor)
    assert [key.path[-1] for key in asked.asset_selection] == ["miljo_luft"]
    assert asked.run_key != first


def test_sources_that_can_count_are_asked_weekly_and_what_was_missed_is_built(definitions):
    schedule = definitions.resolve_schedule_def("every_sunday_night")
    assert schedule.job_name == "reconciliation"
    assert definitions.resolve_sensor_def("transformation_after_reconciliation_success")


def test_tables_are_seen_to_every_night(definitions):
    schedule = definitions.resolve_schedule_def("every_night")
    assert schedule.job_name == "maintenance"
    assert definitions.resolve_job_def("maintenance")


@pytest.mark.parametrize("tags", [{}, {CHAINED_BY: "cli"}])
def test_jobs_follow_each_other_unless_the_cli_sees_to_it(definitions, tags):
    sensor = definitions.resolve_sensor_def("transformation_after_ingestion_failure")
    with dg.DagsterInstance.ephemeral() as instance:

        @dg.op
        def fails():
            raise ValueError("down")

        @dg.job(name="ingestion", tags=tags)
        def ingestion():
            fails()

        result = ingestion.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_event=result.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        )
        asked = sensor(context)
    assert isinstance(asked, dg.SkipReason if tags else dg.RunRequest)


@pytest.mark.parametrize(("tags", "noted"), [({}, 1), ({CHAINED_BY: "cli"}, 0)])
@pytest.mark.parametrize(("fails", "status"), [(True, "failure"), (False, "success")])
def test_runs_of_the_ui_are_noted_once_in_the_audit_log(
    definitions, settings, tags, noted, fails, status
):
    """The command notes its own runs."""
    sensor = definitions.resolve_sensor_def(f"noted_{status}")
    with dg.DagsterInstance.ephemeral() as instance:

        @dg.op
        def works():
            if fails:
                raise ValueError("down")

        @dg.job(name="ingestion", tags=tags)
        def ingestion():
            works()

        result = ingestion.execute_in_process(instance=instance, raise_on_error=False)
        ended = result.get_run_failure_event() if fails else result.get_run_success_event()
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_event=ended,
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        )
        before = len(list(entries(settings)))
        sensor(context)
    found = list(entries(settings))[before:]
    told = [(entry.action, entry.object, entry.outcome, entry.details["run"]) for entry in found]
    outcome = "failed" if fails else "done"
    assert told == [("ran", "job/ingestion", outcome, result.run_id[:8])] * noted
    assert definitions.resolve_sensor_def("noted_canceled")
