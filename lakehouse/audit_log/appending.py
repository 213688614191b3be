"""Noting an event: one line at the end of the log, on disk before anyone is told that it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from lakehouse.audit_log import heads
from lakehouse.audit_log.actors import actor_of
from lakehouse.audit_log.lines import Action, Details, Ended, Entry, Value, require_sound, written
from lakehouse.audit_log.tail import Tail, append, closing, stamp, tail_of
from lakehouse.errors import SjostadError
from lakehouse.locks import exclusive
from lakehouse.settings import Settings

_POLL_S: Final = 0.002
_LEAST_PATIENCE_S: Final = 30.0


def note(
    settings: Settings, action: Action, about: str, outcome: Ended = "done", /, **details: Value
) -> Entry:
    """Note an event in the audit log; when this returns, it is on disk.

    Args:
        settings: The lake.
        action: What was done.
        about: To what, as kind and id: `product/luftkvalitet_timme`.
        outcome: How it ended.
        **details: Versions, counts, codes: `version=41, rows=1200`.

    Returns:
        The line that was written.

    Raises:
        NotLogged: The event tells what may not stand in the log.
        SettingsError: `SJOSTAD_ACTOR` or a key cannot be used.
        LakeError: The disk did not take it.
        Busy: Others have held the log for half a minute.
    """
    return record(settings, datetime.now(UTC), action, about, outcome, details)


def record(
    settings: Settings, now: datetime, action: str, about: str, outcome: str, details: Details
) -> Entry:
    """Note an event at a time, as `note` does now."""
    require_sound(action, about, outcome, details)
    actor = actor_of(settings)
    with _held(settings):
        tail = _settled(settings, actor, now)
        path = settings.audit_log / f"{heads.open_day(settings, now.astimezone(UTC).date())}.jsonl"
        if not path.exists():
            tail = _signed(settings, tail, path, actor, now)
        entry = Entry(
            tail.number + 1,
            stamp(now),
            actor,
            cast("Action", action),
            about,
            cast("Ended", outcome),
            dict(details),
            tail.digest,
        )
        append(path, written(entry))
    return entry


def sign_heads(settings: Settings, now: datetime | None = None) -> list[Path]:
    """Sign the head of every day that is over and has none.

    The log does so by itself when a new day begins; this is for a day that nothing followed, and
    for heads that could not be made or have been removed. Look into the reason first: what is
    signed here is the log as it is now.

    Raises:
        LakeError: The chain does not hold; nothing is signed from there on.
        SettingsError: There is no usable key.
        SignatureRefused: A head is not as it should be.
    """
    moment = datetime.now(UTC) if now is None else now
    with _held(settings):
        _settled(settings, actor_of(settings), moment)
        return heads.sign_days(settings, moment.astimezone(UTC).date(), is_asked=True)


@contextmanager
def _held(settings: Settings) -> Iterator[None]:
    """Hold the log. A line takes milliseconds, so even who is impatient waits for one."""
    patient = replace(settings, patience_s=max(settings.patience_s, _LEAST_PATIENCE_S))
    with exclusive(patient, "audit_log", poll_s=_POLL_S):
        yield


def _settled(settings: Settings, actor: str, now: datetime) -> Tail:
    """The end of the log, after what a crash has left there has been closed off."""
    tail = tail_of(settings.audit_log)
    if tail.path is None:
        return tail
    if not tail.is_ended:
        append(tail.path, b"\n")
    if tail.torn:
        append(tail.path, written(closing(tail, tail.path, actor, now)))
    return tail_of(settings.audit_log) if tail.torn else tail


def _signed(settings: Settings, tail: Tail, path: Path, actor: str, now: datetime) -> Tail:
    """Sign the days before a new one. What is not signed is told, and keeps no line out."""
    day = datetime.fromisoformat(path.stem).date()
    try:
        heads.sign_days(settings, day)
    except SjostadError as error:
        entry = Entry(
            tail.number + 1,
            stamp(now),
            actor,
            "signed",
            f"log/{path.stem}",
            "failed",
            {"error": type(error).__name__},
            tail.digest,
        )
        append(path, written(entry))
        return tail_of(settings.audit_log)
    return tail
