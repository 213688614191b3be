"""The chain: each line has the next number and the hash of the line before it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lakehouse.audit_log.lines import ZEROS, Entry, Line, read
from lakehouse.audit_log.tail import closes


@dataclass(slots=True)
class Chain:
    """How far the log has been found whole.

    Attributes:
        number: Number of the last line that fits.
        digest: Its sha-256.
        last: Where it stands; None before the first.
        torn: Lines after it that cannot be read, until a line closes them off.
        closed_off: Where torn lines stand that were closed off.
    """

    number: int = 0
    digest: str = ZEROS
    last: Line | None = None
    torn: list[Line] = field(default_factory=list)
    closed_off: list[str] = field(default_factory=list)

    def take(self, line: Line) -> Entry | None:
        """Go on over the next line; one that does not fit is given back and not taken.

        A line that cannot be read may yet be closed off, so it is kept for the next one to say.
        """
        entry = read(line.content)
        if entry is None:
            self.torn.append(line)
            return None
        is_closing = entry.action == "closed_off"
        if (
            not self.fits(entry)
            or is_closing != bool(self.torn)
            or (is_closing and not closes(entry, b"".join(line.raw for line in self.torn)))
        ):
            return entry
        self.closed_off += [place_of(line) for line in self.torn[:1]]
        self.number, self.digest, self.last, self.torn = entry.number, line.digest, line, []
        return None

    def fits(self, entry: Entry) -> bool:
        """Whether a line has the next number and the hash of the last."""
        return entry.number == self.number + 1 and entry.previous == self.digest


def place_of(line: Line) -> str:
    """A line's place as errors name it."""
    return f"{line.path}:{line.number}"
