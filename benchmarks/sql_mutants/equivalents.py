"""Mutants that give the same rows whatever comes in, each with the reason somebody has found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.sql_mutants.rules import Mutant

LIST = Path(__file__).with_name("equivalent.yaml")


@dataclass(frozen=True, slots=True)
class Equivalent:
    """Changes of one line that change no row.

    Attributes:
        file: The model, or the file of macros.
        code: The line as it stands, or its beginning.
        changes: What is done there, as `Mutant.change` says it, or its beginning; each excuses as
            many mutants as `times` says, so that another like them is not hidden behind them.
        why: Why no row is another.
        times: How many each change excuses; one, where the list does not say.
    """

    file: str
    code: str
    changes: tuple[str, ...]
    why: str
    times: int = 1

    def matches(self, mutant: Mutant) -> list[str]:
        """The changes that a mutant is."""
        if mutant.file != self.file or not mutant.code.startswith(self.code):
            return []
        return [change for change in self.changes if mutant.change.startswith(change)]


def accepted() -> list[Equivalent]:
    """The list as it stands in the file."""
    return [
        Equivalent(**one | {"changes": tuple(one["changes"])})
        for one in yaml.safe_load(LIST.read_text("utf-8"))
    ]


def reasons(survivors: Iterable[Mutant], equivalents: Iterable[Equivalent]) -> dict[Mutant, str]:
    """Why survivors are no holes in the tests, of those that somebody has found a reason for."""
    found: dict[Mutant, str] = {}
    open_still = [
        (one, change) for one in equivalents for change in one.changes for _ in range(one.times)
    ]
    for mutant in survivors:
        for one, change in open_still:
            if change in one.matches(mutant):
                found[mutant] = one.why
                open_still.remove((one, change))
                break
    return found
