"""Asking a source again when it does not answer, and giving up in words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from lakehouse.contracts import SourceContract
from lakehouse.errors import Problem, SourceUnavailable

Answer = TypeVar("Answer")

_FIRST_WAIT_S: Final = 0.5


def patiently(
    contract: SourceContract,
    ask: Callable[[], Answer],
    failures: tuple[type[Exception], ...],
    told: Callable[[Exception], str],
    asked: str,
) -> Answer:
    """Ask, and ask again after a while, twice as long each time, if there is no answer.

    Args:
        contract: Says how often in all.
        ask: What is tried.
        failures: Errors that may pass.
        told: An error in words, without any secret; called after each.
        asked: Who did not answer, such as `the database`.

    Raises:
        SourceUnavailable: There was no answer within the contract's attempts.
    """
    attempts = contract.delivery.pull.attempts
    for attempt in range(1, attempts + 1):
        try:
            return ask()
        except failures as error:
            words = told(error)
            if attempt == attempts:
                raise SourceUnavailable(
                    Problem(
                        contract.id,
                        f"{asked} did not answer in {attempts} attempts: {words}",
                        "Check the link and the address in the contract; the next run goes on "
                        "from where this one stood.",
                    )
                ) from None
            time.sleep(_FIRST_WAIT_S * 2 ** (attempt - 1))
    raise AssertionError("unreachable")
