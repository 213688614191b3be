"""What a protocol is asked with."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lakehouse.contracts import SourceContract
from lakehouse.errors import Problem, SourceUnavailable
from lakehouse.settings import Settings


@dataclass(frozen=True, slots=True)
class Fetch:
    """One fetching of one source.

    Attributes:
        contract: The source.
        settings: Says where the inbox and the landing zone are.
        cursor: Mark `cursor` of the source's bronze table, 0 when there is none yet; what it
            counts is the protocol's own affair.
        scratch: Folder for files that are offered.
        is_taken: Whether bytes with this sha-256 have been taken before.
    """

    contract: SourceContract
    settings: Settings
    cursor: int
    scratch: Path
    is_taken: Callable[[str], bool]


def address(contract: SourceContract, settings: Settings) -> str:
    """A contract's location with its secrets: `env:NAME` read, `{inbox}` filled in.

    Raises:
        SourceUnavailable: The variable is not set.
    """
    location = contract.location
    if location.startswith("env:"):
        return variable(contract, location)
    return location.replace("{inbox}", str(settings.inbox))


def variable(contract: SourceContract, text: str) -> str:
    """The value of the variable that `env:NAME` names; any other text as it is.

    Raises:
        SourceUnavailable: The variable is not set.
    """
    name = text.removeprefix("env:")
    if name == text:
        return text
    if name not in os.environ:
        raise SourceUnavailable(
            Problem(str(contract.path), f"the variable {name} is not set", "Set it.")
        )
    return os.environ[name]
