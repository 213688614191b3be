"""What starts the jobs: a daily schedule, deliveries in the inbox, and each job's end the next.

A job follows the one before it whether that succeeded or failed: what landed must not wait for
what did not. Runs that the CLI chains itself carry a tag and are left alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition as Job,
)

from lakehouse import audit_log
from lakehouse.contracts import Contracts
from lakehouse.settings import Settings
from orchestration.bronze import bronze_key
from orchestration.jobs import ORDER

CHAINED_BY: Final = "sjostad/chained_by"
"""Tag that says who starts the next job of a run."""

_POLL_S: Final = 60


def daily(ingestion: Job) -> dg.ScheduleDefinition:
    """Every morning, before anyone asks."""
    return dg.ScheduleDefinition(
        name="every_morning",
        job=ingestion,
        cron_schedule="30 4 * * *",
        execution_timezone="Europe/Stockholm",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )


def weekly(reconciliation: dg.JobDefinition) -> dg.ScheduleDefinition:
    """In the night to Sunday, when databases have least to do."""
    return dg.ScheduleDefinition(
        name="every_sunday_night",
        job=reconciliation,
        cron_schedule="30 2 * * 0",
        execution_timezone="Europe/Stockholm",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )


def nightly(maintenance: dg.JobDefinition) -> dg.ScheduleDefinition:
    """In the night, before the morning's deliveries are taken."""
    return dg.ScheduleDefinition(
        name="every_night",
        job=maintenance,
        cron_schedule="30 1 * * *",  # an hour that clocks never leave out or repeat
        execution_timezone="Europe/Stockholm",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )


def inbox_sensor(settings: Settings, contracts: Contracts, ingestion: Job) -> dg.SensorDefinition:
    """Start the ingestion of exactly those sources whose inbox has changed."""
    watched = [source for source in contracts.sources.values() if source.protocol == "folder"]

    @dg.sensor(
        name="inbox",
        job=ingestion,
        minimum_interval_seconds=_POLL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks for new files of every source that delivers to the inbox.",
    )
    def _inbox(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        listing = {
            source.id: _listing(settings, source.location)
            for source in watched
            if settings.inbox.is_dir()
        }
        before = dict(
            line.split(" ", 1) for line in (context.cursor or "").splitlines() if " " in line
        )
        changed = [
            source_id
            for source_id, digest in listing.items()
            if digest and before.get(source_id) != digest
        ]
        if not changed:
            return dg.SkipReason("no new files in the inbox")
        cursor = "\n".join(f"{source_id} {digest}" for source_id, digest in listing.items())
        context.update_cursor(cursor)
        return dg.RunRequest(
            run_key=hashlib.sha256(cursor.encode()).hexdigest(),
            asset_selection=[bronze_key(source_id) for source_id in changed],
        )

    return _inbox


def chain(
    jobs: Mapping[str, Job], reconciliation: dg.JobDefinition
) -> Sequence[dg.SensorDefinition]:
    """Sensors that start each job when the one before it has ended.

    What a reconciliation has taken in is news like any other.
    """
    pairs: list[tuple[Job | dg.JobDefinition, Job]] = [
        (jobs[first], jobs[second]) for first, second in pairwise(ORDER)
    ]
    pairs.append((reconciliation, jobs["transformation"]))
    return [
        _after(first, second, status)
        for first, second in pairs
        for status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)
    ]


def note_run(settings: Settings, job: str, run_id: str, *, is_sound: bool) -> None:
    """Note a run that has ended in the audit log."""
    audit_log.note(settings, "ran", f"job/{job}", "done" if is_sound else "failed", run=run_id[:8])


def noting(
    settings: Settings, jobs: Sequence[Job | dg.JobDefinition]
) -> Sequence[dg.SensorDefinition]:
    """Sensors that note runs which have ended in the audit log, those that the UI has started."""
    return [
        _noted(settings, jobs, status)
        for status in (
            dg.DagsterRunStatus.SUCCESS,
            dg.DagsterRunStatus.FAILURE,
            dg.DagsterRunStatus.CANCELED,
        )
    ]


def _noted(
    settings: Settings, jobs: Sequence[Job | dg.JobDefinition], status: dg.DagsterRunStatus
) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        name=f"noted_{status.value.lower()}",
        run_status=status,
        monitored_jobs=list(jobs),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Notes runs that have ended ({status.value.lower()}) in the audit log.",
    )
    def _sensor(context: dg.RunStatusSensorContext) -> dg.SkipReason:
        run = context.dagster_run
        if CHAINED_BY in run.tags:
            return dg.SkipReason("whoever started that run has noted it")
        is_sound = status is dg.DagsterRunStatus.SUCCESS
        note_run(settings, run.job_name, run.run_id, is_sound=is_sound)
        return dg.SkipReason(f"noted: {run.job_name}")

    return _sensor


def _after(
    first: Job | dg.JobDefinition, second: Job, status: dg.DagsterRunStatus
) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        name=f"{second.name}_after_{first.name}_{status.value.lower()}",
        run_status=status,
        monitored_jobs=[first],
        request_job=second,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Starts {second.name} when {first.name} has ended ({status.value.lower()}).",
    )
    def _sensor(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
        if CHAINED_BY in context.dagster_run.tags:
            return dg.SkipReason("whoever started that run starts the next one too")
        return dg.RunRequest(run_key=context.dagster_run.run_id)

    return _sensor


def _listing(settings: Settings, pattern: str) -> str:
    """A fingerprint of the files a source has in the inbox; empty when there are none."""
    seen = [
        f"{path.relative_to(settings.inbox)}:{stat.st_size}:{stat.st_mtime_ns}"
        for path in sorted(settings.inbox.glob(pattern))
        for stat in [path.lstat()]
    ]
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()[:16] if seen else ""
