"""Which line is at fault where the chain breaks, and what was done to it.

A break shows between two lines and does not say which of them is wrong. What decides is what
others say of them: the line after, the signed head, and whether the number that is missing here,
or the one that stands here, is found further on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lakehouse.audit_log.chain import Chain
from lakehouse.audit_log.lines import Entry, Line, read


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is not as it was written.

    Attributes:
        line: Where it stands; where lines are gone, what stands there now.
        what: What was done.
        why: How that is known.
    """

    line: Line
    what: Literal["deleted", "altered", "reordered", "inserted"]
    why: str


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What stands after the line where the chain breaks.

    Attributes:
        next: The next line that can be read.
        has_due: Whether the number that is due is found there.
        has_same: Whether the number of the line itself is found there again.
    """

    next: Entry | None
    has_due: bool
    has_same: bool


def first_at_fault(
    chain: Chain, line: Line, rest: Iterator[Line], head: str | None, *, is_last_signed: bool
) -> Fault:
    """Say which line is at fault.

    Args:
        chain: The chain up to the break.
        line: The line that does not fit; it can be read.
        rest: The lines after it.
        head: Hash in the signed head of the line's day, if it has one.
        is_last_signed: Whether a signed head bears witness of the last line that fits.
    """
    entry = read(line.content)
    assert entry is not None  # noqa: S101 - lines that cannot be read are kept as torn
    ahead = _look_ahead(rest, due=chain.number + 1, same=entry.number)
    following = ahead.next
    is_intact = line.digest == head or (following is not None and following.previous == line.digest)
    is_doubted = not is_intact and (following is not None or head is not None)
    if chain.torn:
        return _at_torn(chain, line, entry, is_doubted=is_doubted)
    if entry.previous == chain.digest:
        return _next_to_last(chain, line, entry)
    if following is not None and chain.fits(following) and entry.number <= chain.number + 1:
        return Fault(line, "inserted", "the chain goes on without it")
    if entry.number == chain.number + 1:
        return _between(chain, line, may_be_last=not is_doubted and not is_last_signed)
    if entry.number <= chain.number:
        return _again(chain, line, entry, is_intact=is_intact)
    return _early(chain, line, entry, ahead)


def _look_ahead(rest: Iterator[Line], *, due: int, same: int) -> _Ahead:
    following: Entry | None = None
    has_due = has_same = False
    for line in rest:
        entry = read(line.content)
        if entry is not None:
            following = following or entry
            has_due = has_due or entry.number == due
            has_same = has_same or entry.number == same
    return _Ahead(following, has_due, has_same)


def _at_torn(chain: Chain, line: Line, entry: Entry, *, is_doubted: bool) -> Fault:
    """Lines that cannot be read, and what follows them does not close them off."""
    if is_doubted and (chain.fits(entry) or entry.action == "closed_off"):
        return Fault(line, "altered", "the next line has another hash of it")
    if chain.fits(entry) and entry.action != "closed_off":
        return Fault(chain.torn[0], "inserted", "it cannot be read, and the chain goes on without")
    return Fault(chain.torn[0], "altered", "it cannot be read, and no line closes it off")


def _next_to_last(chain: Chain, line: Line, entry: Entry) -> Fault:
    """It does follow the last line, and yet does not fit."""
    if chain.fits(entry):
        return Fault(line, "deleted", "the torn line that it closes off is gone")
    why = f"it follows line {chain.number} and says that it is {entry.number}"
    return Fault(line, "altered", why)


def _between(chain: Chain, line: Line, *, may_be_last: bool) -> Fault:
    """The number is right and the hash is not: this line was altered, or the one before."""
    if chain.last is not None and may_be_last:
        return Fault(chain.last, "altered", "the next line has another hash of it")
    return Fault(line, "altered", "it has another hash of the line before")


def _early(chain: Chain, line: Line, entry: Entry, ahead: _Ahead) -> Fault:
    """A number that is not due yet."""
    if ahead.has_same:
        return Fault(line, "inserted", f"line {entry.number} stands further on, too")
    if ahead.has_due:
        return Fault(line, "reordered", f"line {chain.number + 1} stands further on")
    why = f"line {entry.number} follows line {chain.number}; those between are gone"
    return Fault(line, "deleted", why)


def _again(chain: Chain, line: Line, entry: Entry, *, is_intact: bool) -> Fault:
    """A number that has been: one of two lines does not belong here; who is followed does."""
    last = read(chain.last.content) if chain.last is not None else None
    if (
        chain.last is not None
        and last is not None
        and chain.last.digest != line.digest
        and (entry.number, entry.previous) == (last.number, last.previous)
        and is_intact
    ):
        return Fault(chain.last, "inserted", f"another line {entry.number} has the next one's word")
    return Fault(line, "inserted", f"line {entry.number} has been before")
