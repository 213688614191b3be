"""Getting a lake ready to run: its folders, Dagster's instance and dbt's manifest."""

from __future__ import annotations

import os

import dagster as dg

from lakehouse.settings import Settings
from orchestration.dbt_manifest import write_if_stale
from orchestration.lake import mark_lake

_INSTANCE = """\
# Written by sjostad. SQLite in this folder serves one machine; for more, see docs/operations.md.
nux:
  enabled: false
telemetry:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 2
  pools:
    default_limit: 1
run_monitoring:
  enabled: true
  start_timeout_seconds: 180
  cancel_timeout_seconds: 180
  max_runtime_seconds: 14400
  free_slots_after_run_end_seconds: 300
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
retention:
  sensor:
    purge_after_days:
      skipped: 7
      success: 30
      failure: 90
"""


def prepare(settings: Settings) -> None:
    """Make what a run needs and is not there yet.

    Raises:
        LakeError: dbt cannot parse its project.
    """
    for folder in (settings.home, settings.dagster_home):
        folder.mkdir(parents=True, exist_ok=True)
    if settings.inbox.is_relative_to(settings.home):
        settings.inbox.mkdir(parents=True, exist_ok=True)
    mark_lake(settings)
    config = settings.dagster_home / "dagster.yaml"
    if not config.is_file():
        config.write_text(_INSTANCE, encoding="utf-8")
    os.environ.update(settings.as_environment())
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    write_if_stale()


def instance(settings: Settings) -> dg.DagsterInstance:
    """Dagster's instance in the home folder, so that a run here shows in the UI."""
    return dg.DagsterInstance.from_config(str(settings.dagster_home))
