"""Whether the audit log is whole, and if not, which place is the first that is not.

What is found: lines that were deleted, altered, put in another order or inserted anywhere before
the newest line or head that bears witness of them, files that end before their signed head says,
and heads that are missing or not signed by a trusted key. What nobody can find in the files alone
is that lines after the newest head were cut off, or that the whole log was written anew by
somebody who has the key: for that, heads are copied to another place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from lakehouse.audit_log import heads
from lakehouse.audit_log.blame import first_at_fault
from lakehouse.audit_log.chain import Chain, place_of
from lakehouse.audit_log.lines import Line, days_in, lines_of
from lakehouse.errors import SignatureRefused
from lakehouse.settings import Settings
from lakehouse.signatures import trusted_keys

What = Literal[
    "deleted", "altered", "reordered", "inserted", "truncated", "head missing", "head signature"
]


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place that is not as it was written.

    Attributes:
        path: File of a day, or a head.
        line: Number of the line in it, from 1; where lines are gone, of what stands there now.
        what: What was done to it.
        why: How that is known.
    """

    path: Path
    line: int
    what: What
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}: {self.why}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What verification found.

    Attributes:
        events: Lines that fit, up to the first that does not.
        digest: sha-256 of the last of them.
        days: Files that were looked at.
        signed: Days whose head bears a good signature.
        unsigned: Events after the newest good head: their end has no witness yet.
        closed_off: Places where a crash tore a line and the next line closed it off.
        open_end: Place of a line that is torn, or being written, and not closed off yet.
        broken: The first place that is not as it should be; None when the log is whole.
    """

    events: int
    digest: str
    days: int
    signed: int
    unsigned: int
    closed_off: tuple[str, ...]
    open_end: str | None
    broken: Broken | None

    @property
    def is_whole(self) -> bool:
        """Whether nothing speaks against the log."""
        return self.broken is None


def verify(settings: Settings) -> Outcome:
    """Walk the whole log, line by line and head by head.

    It holds no lock: lines that are written meanwhile may or may not be seen.

    Raises:
        SettingsError: There are heads and no file of trusted keys that can be used.
    """
    return _Walk(settings).outcome()


class _Walk:
    """One way through the log."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._files = days_in(settings.audit_log)
        self._signed_days = heads.signed_days(settings)
        self._trusted = trusted_keys(settings) if self._signed_days else ()
        self._chain = Chain()
        self._days = self._signed = self._witnessed = 0
        self._open_end: str | None = None

    def outcome(self) -> Outcome:
        """Walk until the end or the first broken place."""
        broken = None
        for day in sorted({*self._files, *self._signed_days}):
            broken = self._broken_in(day)
            if broken is not None:
                break
            self._days += 1
        chain = self._chain
        return Outcome(
            events=chain.number,
            digest=chain.digest,
            days=self._days,
            signed=self._signed,
            unsigned=chain.number - self._witnessed,
            closed_off=tuple(chain.closed_off),
            open_end=self._open_end,
            broken=broken,
        )

    def _broken_in(self, day: date) -> Broken | None:
        """The first broken place of a day. The head is read first: it ends what may be written."""
        path = self._files.get(day, self._settings.audit_log / f"{day}.jsonl")
        head, refused = self._head(day)
        lines: list[Line] = []
        if path.exists():
            for line in lines_of(path):
                lines = [line]
                if self._chain.take(line) is not None:
                    found = first_at_fault(
                        self._chain,
                        line,
                        self._after(line),
                        head.sha256 if head else None,
                        is_last_signed=self._witnessed == self._chain.number,
                    )
                    return Broken(found.line.path, found.line.number, found.what, found.why)
        broken = self._broken_end(path, lines, head) or refused
        if broken is None and head is not None:
            self._signed += 1
            self._witnessed = head.number
        return broken

    def _head(self, day: date) -> tuple[heads.Head | None, Broken | None]:
        """The head of a day, or what is wrong with it."""
        place = heads.path_of(self._settings, day)
        try:
            head = heads.load(self._settings, day, self._trusted)
        except SignatureRefused as error:
            return None, Broken(place, 1, "head signature", str(error))
        if head is None and any(later > day for later in self._files):
            why = "days follow this one and it has no signed head; `sjostad log sign` makes it"
            return None, Broken(place, 1, "head missing", f"{why}, once it is known why")
        return head, None

    def _after(self, line: Line) -> Iterator[Line]:
        """All lines that follow one."""
        for path in self._files.values():
            if path >= line.path:
                for one in lines_of(path):
                    if path > line.path or one.number > line.number:
                        yield one

    def _broken_end(
        self, path: Path, last: Sequence[Line], head: heads.Head | None
    ) -> Broken | None:
        """Whether a day ends as it should."""
        if head is not None:
            return self._unlike_head(path, last, head)
        is_newest = path == next(reversed(self._files.values()), None)
        if self._chain.torn:
            first, final = self._chain.torn[0], self._chain.torn[-1]
            if is_newest and not final.is_ended:
                self._open_end = place_of(first)
                return None
            why = "it cannot be read, and no line closes it off"
            return Broken(path, first.number, "altered" if final.is_ended else "truncated", why)
        if last and not last[0].is_ended and not is_newest:
            return Broken(path, last[0].number, "truncated", "the line has lost its end")
        return None

    def _unlike_head(self, path: Path, last: Sequence[Line], head: heads.Head) -> Broken | None:
        """The first line of a day that its signed head speaks against."""
        chain = self._chain
        end = last[0].number if last else 0
        gone = end + 1 if not last or last[0].is_ended else end
        size = path.stat().st_size if path.exists() else 0
        found: tuple[int, What, str] | None = None
        if chain.torn and (chain.number, chain.digest) == (head.number, head.sha256):
            found = chain.torn[0].number, "inserted", "the day was signed without it"
        elif chain.torn:
            is_kept = size == head.bytes
            what: What = "altered" if is_kept else "truncated"
            found = chain.torn[0].number, what, "it cannot be read"
        elif chain.number < head.number:
            why = f"the signed head counts up to {head.number}, the file to {chain.number}"
            found = gone, "truncated" if path.exists() else "deleted", why
        elif chain.number > head.number:
            found = head.lines + 1, "inserted", f"the signed head ends with {head.number}"
        elif chain.digest != head.sha256:
            found = end, "altered", "the signed head has another hash of it"
        elif size != head.bytes:
            found = end, "truncated", "the signed head has another size of the file"
        return Broken(path, *found) if found else None
