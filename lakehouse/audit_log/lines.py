r"""The lines of the audit log: what may stand in one, and how its bytes are written and read.

A line is one JSON object, written in the one way there is to write it: keys in order, no spaces,
UTF-8. So bytes and content are the same thing, and a byte that has changed is a line that cannot
be read or one with another hash. `previous` is the sha-256 of the line before without its line
end: `sed -n 7p FILE | tr -d '\n' | sha256sum`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

from lakehouse.audit_log.personal import is_path_like, reason_to_refuse
from lakehouse.errors import NotLogged, Problem

Action = Literal[
    "approved",
    "audited",
    "closed_off",
    "configured",
    "erased",
    "exported",
    "maintained",
    "ran",
    "read",
    "rebuilt",
    "reinstated",
    "released",
    "rolled_back",
    "signed",
    "verified",
    "withdrew",
]
"""What was done. `closed_off` and `signed` are the log's own: after a crash, and of its heads."""

Ended = Literal["done", "refused", "failed"]
Value = str | int | float | bool
Details = Mapping[str, Value]

ZEROS: Final = "0" * 64
"""`previous` of the first line."""

_OBJECT: Final = re.compile(r"[a-z][a-z_]{1,30}/[A-Za-z0-9ÅÄÖåäö_.:-]{1,120}")
_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MOST_DETAILS, _LONGEST = 16, 80
_WIDEST: Final = 1 << 63
_DAY_NAME: Final = re.compile(r"\d{4}-\d\d-\d\d\..+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One event.

    Attributes:
        number: 1 for the first line of the log, one more for each; it goes on over days.
        at: When it was noted, ISO 8601 in UTC with microseconds.
        actor: A role or service, or a pseudonym; never a name.
        action: What was done.
        object: To what, as kind and id: `product/luftkvalitet_timme`.
        outcome: How it ended.
        details: Versions, counts and codes.
        previous: sha-256 of the line before; zeros for the first.
    """

    number: int
    at: str
    actor: str
    action: Action
    object: str
    outcome: Ended
    details: Details
    previous: str

    @property
    def time(self) -> datetime:
        """When it was noted."""
        return datetime.fromisoformat(self.at)


@dataclass(frozen=True, slots=True)
class Line:
    """A line where it stands, whatever it holds.

    Attributes:
        path: File of the day.
        number: Number of the line in that file, from 1.
        raw: Its bytes with the line end, if it has one.
    """

    path: Path
    number: int
    raw: bytes

    @property
    def content(self) -> bytes:
        """Its bytes without the line end."""
        return self.raw.removesuffix(b"\n")

    @property
    def digest(self) -> str:
        """What the next line has to say of this one."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def is_ended(self) -> bool:
        """Whether it has its line end; a line that a crash has torn has none."""
        return self.raw.endswith(b"\n")


def written(entry: Entry) -> bytes:
    """The bytes of an event, with the line end."""
    return canonical(asdict(entry)) + b"\n"


def canonical(value: Mapping[str, Any]) -> bytes:
    """JSON in the one way there is to write it."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")


def read(content: bytes) -> Entry | None:
    """The event in a line's bytes; None if they are not exactly what `written` writes."""
    try:
        data = json.loads(content)
        if not isinstance(data, dict) or canonical(data) != content:
            return None
        return _checked(data)
    except (ValueError, TypeError, RecursionError):
        return None


def require_sound(action: str, about: str, outcome: str, details: Details) -> None:
    """See that an event says what a line may say, and nothing about a person.

    Raises:
        NotLogged: Naming what may not be told.
    """
    problem = _unknown(action, outcome) or _about(about) or _details(details)
    if problem is not None:
        raise NotLogged(problem)


def days_in(folder: Path) -> dict[date, Path]:
    """The files of the log by day, oldest first."""
    return {date.fromisoformat(name[:10]): folder / name for name in names_in(folder, ".jsonl")}


def names_in(folder: Path, ending: str) -> list[str]:
    """Names of a day and an ending, oldest first; names, as every line that is noted asks."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if _DAY_NAME.fullmatch(name) and name[10:] == ending)


def lines_of(path: Path) -> Iterator[Line]:
    """The lines of one day, as they stand there."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            yield Line(path, number, raw)


def _checked(data: dict[str, Any]) -> Entry | None:
    if sorted(data) != sorted(field.name for field in fields(Entry)):
        return None
    number, details = data["number"], data["details"]
    texts = [value for key, value in data.items() if key not in ("number", "details")]
    is_sound = (
        type(number) is int
        and number > 0
        and isinstance(details, dict)
        and all(isinstance(text, str) for text in texts)
        and datetime.fromisoformat(data["at"]).utcoffset() is not None
    )
    return Entry(**data) if is_sound else None


def _unknown(action: str, outcome: str) -> Problem | None:
    for what, word, known in (
        ("action", action, get_args(Action)),
        ("outcome", outcome, get_args(Ended)),
    ):
        if word not in known:
            words = ", ".join(known)
            return Problem("audit log", f"'{word}' is no {what} it knows", f"Known: {words}.")
    return None


def _about(about: str) -> Problem | None:
    why = reason_to_refuse(about)
    if why is None and not _OBJECT.fullmatch(about):
        why = "it is not a kind and an id"
    if why is None:
        return None
    return Problem("audit log, object", why, "Tell it like product/luftkvalitet_timme.")


def _details(details: Details) -> Problem | None:
    """The refused text itself is not repeated: errors are logged elsewhere."""
    if len(details) > _MOST_DETAILS:
        return Problem("audit log", f"{len(details)} details are too many", "Tell 16 at most.")
    for key, value in details.items():
        why = None if _KEY.fullmatch(key) else "its name is not plain (a-z, 0-9, _)"
        why = why or _value(value)
        if why is not None:
            place = f"audit log, detail {key[:40]!r}"
            return Problem(place, why, "Tell counts, versions, codes and short words only.")
    return None


def _value(value: object) -> str | None:
    if isinstance(value, str):
        if len(value) > _LONGEST or not value.isprintable():
            return f"the text is longer than {_LONGEST} characters or cannot be printed"
        if is_path_like(value):
            return "it looks like a path"
        return reason_to_refuse(value)
    if type(value) is float:
        return None if math.isfinite(value) else "it is no finite number"
    if type(value) is int:
        return None if abs(value) < _WIDEST else "the number has more than 64 bits"
    return None if type(value) is bool else f"{type(value).__name__} is no number and no text"
