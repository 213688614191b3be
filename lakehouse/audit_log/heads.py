"""Signed heads: what a finished day of the log ended with, under a signature.

A hash chain shows that lines belong together; whoever may write the files can still write a whole
new chain. A head says what a day's file held when the day was over, and whoever has a copy of it
elsewhere can tell. `ssh-keygen -Y verify` verifies it as it does a manifest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from lakehouse.audit_log.chain import Chain, place_of
from lakehouse.audit_log.lines import canonical, days_in, lines_of, names_in
from lakehouse.errors import LakeError, Problem, SignatureRefused
from lakehouse.flushing import write_whole
from lakehouse.settings import Settings
from lakehouse.signatures import (
    SUFFIX,
    TrustedKey,
    sign,
    trusted_keys,
    verify_file,
)

_KIND: Final = "sjostad audit head"


@dataclass(frozen=True, slots=True)
class Head:
    """What a day of the log ended with.

    Attributes:
        kind: What this file is, so that no other signed file can stand in its place.
        day: The day in UTC, as the file is named.
        number: Number of the last line.
        sha256: Hash of the last line.
        events: Lines of the day that can be read.
        lines: All lines of the day, torn ones too.
        bytes: Size of the day's file.
    """

    kind: str
    day: str
    number: int
    sha256: str
    events: int
    lines: int
    bytes: int


def path_of(settings: Settings, day: date) -> Path:
    """The head of a day; its signature stands beside it."""
    return settings.audit_log / "heads" / f"{day}.json"


def signed_days(settings: Settings) -> list[date]:
    """Days that have a head and a signature, good or not; oldest first."""
    return [date.fromisoformat(name[:10]) for name in _signatures(settings)]


def load(settings: Settings, day: date, trusted: Sequence[TrustedKey]) -> Head | None:
    """The head of a day; None if there is nothing of one.

    Raises:
        SignatureRefused: It is not signed as it should be, or is not the head of this day.
    """
    path = path_of(settings, day)
    if not path.exists() and not path.with_name(path.name + SUFFIX).exists():
        return None
    verify_file(path, trusted)
    head: Head | None = None
    with suppress(ValueError, TypeError):
        head = Head(**json.loads(path.read_bytes()))
    if head is None or (head.kind, head.day) != (_KIND, day.isoformat()):
        what = f"it is signed, but it is not the head of {day}"
        raise SignatureRefused(Problem(str(path), what, "Put this day's own head back."))
    return head


def sign_days(settings: Settings, before: date, *, is_asked: bool = False) -> list[Path]:
    """Sign heads of days that are over; whoever calls holds the log's lock.

    A head is only made over a chain that holds. By itself the log signs only what follows the
    newest head: one that has gone since is for a person to look into, and to ask for.

    Args:
        settings: The lake.
        before: The first day that may still get lines.
        is_asked: Whether days before the newest head are meant as well.

    Returns:
        The heads that were made.

    Raises:
        LakeError: The chain does not hold.
        SignatureRefused: An earlier head is not as it should be.
        SettingsError: There is no usable key.
    """
    have = signed_days(settings)
    days = {day: path for day, path in days_in(settings.audit_log).items() if day < before}
    if not set(days) - set(have):
        return []
    trusted = trusted_keys(settings) if have else ()
    chain = Chain()
    made: list[Path] = []
    for day, path in days.items():
        head = load(settings, day, trusted) if day in have else None
        if head is not None:
            chain = Chain(head.number, head.sha256)
            continue
        head = _walked(chain, day, path)
        if is_asked or not have or day > have[-1]:
            made.append(_keep(settings, day, head))
    return made


def open_day(settings: Settings, today: date) -> date:
    """The day whose file gets the next line: today, unless a clock has gone back.

    Lines stand in the order they were written in, so a file before the newest gets none, and
    neither does one that has been signed.
    """
    files, signed = names_in(settings.audit_log, ".jsonl"), _signatures(settings)
    day = max([date.fromisoformat(files[-1][:10]), today]) if files else today
    if signed and date.fromisoformat(signed[-1][:10]) >= day:
        return date.fromisoformat(signed[-1][:10]) + timedelta(days=1)
    return day


def _signatures(settings: Settings) -> list[str]:
    return names_in(settings.audit_log / "heads", f".json{SUFFIX}")


def _walked(chain: Chain, day: date, path: Path) -> Head:
    before, lines = chain.number, 0
    for line in lines_of(path):
        lines = line.number
        if chain.take(line) is not None or not line.is_ended:
            break
    else:
        if not chain.torn:
            size = path.stat().st_size
            return Head(_KIND, day.isoformat(), chain.number, chain.digest,
                        chain.number - before, lines, size)  # fmt: skip
    place = place_of(chain.torn[0]) if chain.torn else f"{path}:{lines}"
    raise LakeError(
        Problem(
            place,
            "the chain of the audit log does not hold, so it is not signed",
            "Run `sjostad log verify`, and find out who has been there.",
        )
    )


def _keep(settings: Settings, day: date, head: Head) -> Path:
    """Write the head, then its signature: a crash between leaves one that counts for nothing."""
    path = path_of(settings, day)
    content = canonical(asdict(head)) + b"\n"
    signature = sign(settings, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
    write_whole(path.with_name(path.name + SUFFIX), signature)
    return path
