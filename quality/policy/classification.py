"""Rules about how data are classified.

Source: SKR KLASSA; säkerhetsskyddslagen (2018:585); OSL (2009:400).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quality.policy.answers import AUDIENCES, Answer
from quality.policy.facts import Facts

HIGHEST_K: Final[Mapping[str, int]] = {"open": 0, "internal": 1, "restricted": 2}
"""The highest confidentiality that each audience may have."""


def classified(facts: Facts) -> Answer:
    if facts.classification is None:
        return Answer(False, "Produkten är inte klassad.", "The product is not classified.")
    levels = facts.classification.levels
    return Answer(True, f"Klassad K-R-T {levels}.", f"Classified K-R-T {levels}.")


def origins_classified(facts: Facts) -> Answer:
    if not facts.origins:
        return Answer(
            False,
            "Det framgår inte vad produkten är gjord av.",
            "It does not say what it is made of.",
        )
    unknown = ", ".join(one.name for one in facts.origins if one.classification is None)
    if unknown:
        return Answer(False, f"Källan är inte klassad: {unknown}.", f"Not classified: {unknown}.")
    return Answer(True, "Alla källor är klassade.", "All sources are classified.")


def fit_for_the_lake(facts: Facts) -> Answer:
    sv, en = facts.named(lambda one: one.k >= 3)
    columns = ", ".join(name for name, levels in facts.columns if levels and levels.k >= 3)
    if sv or columns:
        swedish, english = (", ".join(filter(None, (told, columns))) for told in (sv, en))
        return Answer(
            False,
            f"Klassat K3 eller högre, så det får inte finnas i den gemensamma datasjön: {swedish}.",
            f"Classified K3 or higher, so it may not stand in the shared lakehouse: {english}.",
        )
    return Answer(True, "Inget är klassat K3 eller högre.", "Nothing is classified K3 or higher.")


def confidentiality(facts: Facts) -> Answer:
    sv, en = AUDIENCES[facts.audience]
    limit = HIGHEST_K[facts.audience]
    high = ", ".join(name for name, levels in facts.columns if levels and levels.k > limit)
    if facts.k > limit:
        told = f" ({high})" if high else ""
        return Answer(
            False,
            f"K{facts.k}{told}, men {sv} får ha högst K{limit}.",
            f"K{facts.k}{told}, but {en} may have K{limit} at most.",
        )
    return Answer(True, f"K{facts.k} får delas med {sv}.", f"K{facts.k} may be shared with {en}.")


def origins_confidentiality(facts: Facts) -> Answer:
    higher = ", ".join(
        f"{one.name} (K{one.classification.k})"
        for one in facts.origins
        if one.classification and one.classification.k > facts.k
    )
    if not higher:
        return Answer(
            True, "Ingen källa är klassad högre än produkten.", "No source is classified higher."
        )
    why = facts.approval.reclassified if facts.approval else None
    if not why:
        return Answer(
            False,
            f"Produkten är klassad K{facts.k}, lägre än {higher}, utan beslut om omklassning.",
            f"The product is classified K{facts.k}, lower than {higher}, and nobody decided so.",
        )
    return Answer(True, f"Omklassad: {why}", f"Reclassified: {why}")


def secrecy(facts: Facts) -> Answer | None:
    sv, en = facts.named(lambda one: one.secrecy)
    if not sv:
        return None
    laws = "; ".join(sorted({one.secrecy for _, one in facts.classified if one.secrecy}))
    if facts.audience != "restricted":
        return Answer(
            False,
            f"Sekretess ({sv}; {laws}): får bara lämnas till namngivna mottagare.",
            f"Secrecy ({en}; {laws}): for named receivers only.",
        )
    return Answer(True, f"Sekretess iakttas ({sv}; {laws}).", f"Secrecy is kept ({en}; {laws}).")
