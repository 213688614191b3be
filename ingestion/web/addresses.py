"""Web addresses as contracts write them: one text may stand for several.

`{a,b}` stands for each of its words, `{day}` for each of the last days (`http.days`), oldest
first. `env:NAME` reads the whole address from the environment.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx2

from lakehouse.contracts import SourceContract
from lakehouse.errors import Problem, SourceUnavailable

DAY: Final = "{day}"
_CHOICE: Final = re.compile(r"\{([^{}]*)\}")


def of(contract: SourceContract, now: datetime) -> list[httpx2.URL]:
    """The addresses that a contract's server stands for, in its order.

    Args:
        contract: Its location holds them.
        now: Says which days are meant.

    Raises:
        SourceUnavailable: There is none, or one of them is no address.
    """
    text = _location(contract)
    days = contract.delivery.http.days if DAY in text else 1
    today = now.astimezone(UTC).date()
    dates = [str(today - timedelta(days=back)) for back in range(days - 1, -1, -1)]
    if not dates:
        raise _wrong(contract, "the address has {day}, but no days are asked for", "Set http.days.")
    try:
        found = [httpx2.URL(one) for day in dates for one in _chosen(text.replace(DAY, day))]
    except httpx2.InvalidURL:
        found = []
    if not found or not all(one.scheme and one.host for one in found):
        raise _wrong(contract, "this is no web address", "Write one such as https://host/path.")
    return found


def _location(contract: SourceContract) -> str:
    location = contract.location
    if not location.startswith("env:"):
        return location
    name = location.removeprefix("env:")
    if not os.environ.get(name):
        raise _wrong(contract, f"{name} is not set", "Set the variable.")
    return os.environ[name]


def _chosen(text: str) -> Iterator[str]:
    """The texts that a text with `{a,b}` stands for."""
    parts = _CHOICE.split(text)
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(parts)]
    return ("".join(chosen) for chosen in itertools.product(*choices))


def _wrong(contract: SourceContract, what: str, remedy: str) -> SourceUnavailable:
    return SourceUnavailable(Problem(f"{contract.path}: servers", what, remedy))
