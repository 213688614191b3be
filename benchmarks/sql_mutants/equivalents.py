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
        changes: What is done there, as `Mutant.change` says it, or its beginning.
        why: Why no row is another.
    """

    file: str
    code: str
    changes: tuple[str, ...]
    why: str

    def matches(self, mutant: Mutant) -> bool:
        """Whether a mutant is one of these."""
        return (
            mutant.file == self.file
            and mutant.code.startswith(self.code)
            and mutant.change.startswith(self.changes)
        )


def accepted() -> list[Equivalent]:
    """The list as it stands in the file."""
    return [
        Equivalent(one["file"], one["code"], tuple(one["changes"]), one["why"])
        for one in yaml.safe_load(LIST.read_text("utf-8")) or []
    ]


def reason(mutant: Mutant, equivalents: Iterable[Equivalent]) -> str | None:
    """Why a mutant is equivalent; None if nobody says so."""
    return next((one.why for one in equivalents if one.matches(mutant)), None)
