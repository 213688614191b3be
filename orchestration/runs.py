"""Running the jobs in order, in this process, on the instance the UI shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any, Final

import dagster as dg

from lakehouse.contracts import Contracts
from lakehouse.settings import Settings
from orchestration.automation import CHAINED_BY, note_run
from orchestration.bronze import bronze_key
from orchestration.code_location import build
from orchestration.instance import instance
from orchestration.metadata import plain

_QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class Stage:
    """What one job came to.

    Attributes:
        job: Its name.
        run_id: The run in Dagster.
        assets: Metadata of every asset made, by `layer/name`.
        checks: Whether each check passed, and what it said, by `layer/name: check`.
        failures: What went wrong, by the step it went wrong in.
    """

    job: str
    run_id: str
    assets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    checks: Mapping[str, tuple[bool, str]] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)


def run_jobs(
    settings: Settings,
    contracts: Contracts,
    names: Sequence[str],
    *,
    sources: Sequence[str] = (),
    tell: Callable[[str], None] = lambda _name: None,
) -> list[Stage]:
    """Run jobs one after the other; each takes what the one before left in good order.

    Args:
        settings: The lake.
        contracts: Its contracts.
        names: Jobs, in order.
        sources: Restricts ingestion to these.
        tell: Called with a job's name before it starts.
    """
    definitions = build(settings, contracts)
    stages = []
    with instance(settings) as where:
        for name in names:
            tell(name)
            with _output_to(settings, name):
                result = definitions.resolve_job_def(name).execute_in_process(
                    instance=where,
                    raise_on_error=False,
                    run_config=_QUIET,
                    tags={CHAINED_BY: "cli"},
                    asset_selection=_selection(name, sources),
                )
            stages.append(_stage(name, result))
            note_run(settings, name, result.run_id, is_sound=not stages[-1].failures)
    return stages


@contextmanager
def _output_to(settings: Settings, job: str) -> Iterator[None]:
    """Keep what dbt and others print in a file of the job; the terminal gets the summary."""
    folder = settings.home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{job}.log").open("w", encoding="utf-8") as log, redirect_stdout(log):
        yield


def _selection(job: str, sources: Sequence[str]) -> list[dg.AssetKey] | None:
    if job != "ingestion" or not sources:
        return None
    return [bronze_key(source_id) for source_id in sources]


def _stage(name: str, result: dg.ExecuteInProcessResult) -> Stage:
    assets: dict[str, Mapping[str, Any]] = {}
    checks: dict[str, tuple[bool, str]] = {}
    failures: dict[str, str] = {}
    for event in result.all_events:
        if event.is_step_materialization:
            made = event.step_materialization_data.materialization
            assets[made.asset_key.to_user_string()] = plain(made.metadata)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            data = event.asset_check_evaluation_data
            key = f"{data.asset_key.to_user_string()}: {data.check_name}"
            checks[key] = (data.passed, data.description or "")
        elif event.is_step_failure:
            failures[event.step_key or name] = _cause(event)
    if not result.success and not failures:
        failures[name] = "the run failed; see it in the Dagster UI"
    return Stage(name, result.run_id, assets, checks, failures)


def _cause(event: dg.DagsterEvent) -> str:
    """The innermost error's own words, without Dagster's wrapping and without a traceback."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    text = error.message if error else "unknown error"
    return text.split(": ", 1)[-1].strip()
