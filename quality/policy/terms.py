"""Rules about the terms on which data are shared: licence, attribution, receivers.

Source: licences of Creative Commons and Open Data Commons; öppna data-lagen (2022:818).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quality.policy.answers import Answer
from quality.policy.facts import Facts

MAY_BECOME: Final[Mapping[str | None, frozenset[str]]] = {
    None: frozenset({"CC0-1.0", "CC-BY-4.0", "ODbL-1.0"}),
    "CC0-1.0": frozenset({"CC0-1.0", "CC-BY-4.0", "ODbL-1.0"}),
    "CC-BY-4.0": frozenset({"CC-BY-4.0", "ODbL-1.0"}),
    "ODbL-1.0": frozenset({"ODbL-1.0"}),
    "MIT": frozenset({"CC-BY-4.0", "ODbL-1.0"}),
}
"""Licences that a product may have, by the licence of what it is made from."""

WITH_ATTRIBUTION: Final = frozenset({"CC-BY-4.0", "ODbL-1.0", "MIT"})
"""Licences that ask for the origin to be named."""


def licence(facts: Facts) -> Answer | None:
    if facts.audience != "open":
        return None
    for one in facts.origins:
        allowed = MAY_BECOME.get(one.licence)
        if allowed is None:
            return Answer(
                False,
                f"Licensen {one.licence} för {one.name} är inte bedömd.",
                f"The licence {one.licence} of {one.name} has not been assessed.",
            )
        if facts.licence not in allowed:
            return Answer(
                False,
                f"{one.name} har {one.licence}; därför får produkten inte ha {facts.licence}.",
                f"{one.name} has {one.licence}, so the product may not have {facts.licence}.",
            )
    return Answer(True, f"{facts.licence} är tillåten.", f"{facts.licence} is allowed.")


def attribution(facts: Facts) -> Answer | None:
    asks = facts.licence in WITH_ATTRIBUTION or any(
        one.licence in WITH_ATTRIBUTION for one in facts.origins
    )
    if not asks:
        return None
    if not (facts.attribution or "").strip():
        return Answer(
            False,
            "Licensen kräver att upphovet anges, men orden saknas.",
            "The licence asks for attribution, but there are no words for it.",
        )
    return Answer(True, "Upphovet anges.", "Attribution is given.")


def receivers(facts: Facts) -> Answer | None:
    if facts.audience != "restricted":
        return None
    if not facts.receivers:
        return Answer(False, "Mottagarna är inte namngivna.", "The receivers are not named.")
    told = ", ".join(facts.receivers)
    return Answer(True, f"Mottagare: {told}.", f"Receivers: {told}.")
