"""Errors a person can act on: every one names the place, the problem and the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, in the words of the person who has to mend it.

    Attributes:
        place: Where it is: a file, a key in a file, a table, an address.
        what: What is wrong, with the offending value.
        remedy: What to write or run instead.
    """

    place: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}. {self.remedy}"


class SjostadError(Exception):
    """Base of every error this product raises on purpose; carries its problems."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class ContractError(SjostadError):
    """A contract or vocabulary file cannot be used; nothing has been run."""

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> ContractError:
        """Gather problems from many files into one error, in file order."""
        return cls(*sorted(problems, key=lambda problem: problem.place))


class SettingsError(SjostadError):
    """An environment variable or option cannot be used."""


class SourceUnavailable(SjostadError):
    """A source did not answer after its bounded retries; other sources go on."""


class DeliveryRefused(SjostadError):
    """A whole delivery cannot be trusted (damaged, wrong layout); nothing of it lands."""


class LakeError(SjostadError):
    """The lake itself is not as it should be."""


class LakeConflict(SjostadError):
    """Another writer committed first; the caller must read again and recompute."""


class Busy(SjostadError):
    """Another process is doing the same work on this lake."""


class ReleaseRefused(SjostadError):
    """A product may not be released: its audit failed, is missing or is of another version."""


class SignatureRefused(SjostadError):
    """A signature is missing, cannot be read, or was not made by a trusted key over these bytes."""


class NotLogged(SjostadError):
    """An event may not stand in the audit log as it was told; nothing was written."""
