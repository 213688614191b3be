"""Rules about data on people.

Source: regulation (EU) 2016/679 (GDPR), articles 4-6, 9, 25 and 44-49.
"""

from __future__ import annotations

from typing import Final

from quality.policy.answers import AUDIENCES, Answer
from quality.policy.facts import Facts, Origin

LEAST_K: Final = 5
"""Persons, homes or the like that must stand behind each number about people."""

LEAST_PLACE_M: Final = 100.0
"""Metres that places must be rounded to where the data are about people."""

EEA: Final = frozenset({
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS",
    "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
})  # fmt: skip
"""Countries in which GDPR applies (EU and EEA)."""


def personal_data(facts: Facts) -> Answer | None:
    if not facts.is_about_people:
        return None
    if not facts.has_personal_data:
        return Answer(
            True, "Produkten har inga personuppgifter kvar.", "No personal data are left in it."
        )
    if facts.audience != "restricted":
        return Answer(
            False,
            f"Personuppgifter får inte delas med {AUDIENCES[facts.audience][0]}.",
            f"Personal data may not be shared with {AUDIENCES[facts.audience][1]}.",
        )
    return Answer(
        True,
        "Personuppgifter, bara till namngivna mottagare.",
        "Personal data, named receivers only.",
    )


def special_category(facts: Facts) -> Answer | None:
    sv, en = facts.named(lambda one: one.special_category)
    if not sv:
        return None
    if facts.audience != "restricted":
        return Answer(
            False,
            f"Känsliga personuppgifter ({sv}) delas aldrig, inte heller som statistik.",
            f"Special categories of personal data ({en}) are never shared, nor as statistics.",
        )
    return Answer(
        True,
        f"Känsliga personuppgifter ({sv}) lämnas bara till namngivna mottagare.",
        f"Special categories of personal data ({en}) are for named receivers only.",
    )


def legal_basis(facts: Facts) -> Answer | None:
    if not facts.is_about_people:
        return None
    sv, en = facts.named(lambda one: one.personal_data and not (one.legal_basis or "").strip())
    if sv:
        return Answer(False, f"Rättslig grund saknas: {sv}.", f"No legal basis is told: {en}.")
    return Answer(True, "Rättslig grund är angiven.", "The legal basis is told.")


def group_size(facts: Facts) -> Answer | None:
    statistics = facts.statistics
    if statistics is None:
        if not facts.is_about_people or facts.has_personal_data:
            return None
        return Answer(
            False,
            f"Gjord av personuppgifter, men säger inte att minst {LEAST_K} står bakom varje tal.",
            f"Made of personal data, but does not say that {LEAST_K} stand behind each number.",
        )
    counted = f"minst {statistics.least} ({statistics.counted.sv})"
    if statistics.least < LEAST_K:
        return Answer(
            False,
            f"Bakom varje tal står {counted}; det måste vara minst {LEAST_K}.",
            f"Behind each number stand at least {statistics.least}; it must be {LEAST_K} or more.",
        )
    return Answer(
        True,
        f"Bakom varje tal står {counted}.",
        f"Behind each number stand at least {statistics.least} ({statistics.counted.en}).",
    )


def totals(facts: Facts) -> Answer | None:
    if facts.statistics is None:
        return None
    if not facts.statistics.totals_withheld:
        return Answer(
            False,
            "Dolda tal kan räknas fram ur summor som redovisas.",
            "Withheld numbers can be worked out from totals that are told.",
        )
    return Answer(True, "Inga summor röjer dolda tal.", "No totals give withheld numbers away.")


def places(facts: Facts) -> Answer | None:
    is_open = facts.audience == "open"
    if not facts.shows_places or facts.audience == "restricted":
        return None
    asked = [one.place_precision_m or 0 for one in facts.origins] if is_open else []
    least = max([*asked, LEAST_PLACE_M if facts.is_about_people else 0])
    given = facts.place_precision_m
    if least and (given is None or given < least):
        told = "exakta" if given is None else f"avrundade till {given:g} m"
        shown = "exact" if given is None else f"rounded to {given:g} m"
        return Answer(
            False,
            f"Platserna är {told}; de måste avrundas till minst {least:g} m.",
            f"Places are {shown}; they must be rounded to {least:g} m or more.",
        )
    return Answer(True, "Platserna är tillräckligt grova.", "Places are coarse enough.")


def processing(facts: Facts) -> Answer | None:
    asked = [one for one in facts.origins if _asks_where(one)]
    if not asked:
        return None
    for one in asked:
        objection = _place_objection(one)
        if objection:
            return Answer(False, *objection)
    return Answer(True, "Behandlas där lagen medger det.", "Processed where the law allows.")


def _asks_where(one: Origin) -> bool:
    is_outside = one.processing is not None and one.processing.country not in EEA
    is_confidential = one.classification is not None and one.classification.k > 0
    return one.has_personal_data or (is_outside and is_confidential)


def _place_objection(one: Origin) -> tuple[str, str] | None:
    place, levels = one.processing, one.classification
    if place is None:
        return (
            f"Det framgår inte var personuppgifterna i {one.name} behandlas.",
            f"It is not told where the personal data of {one.name} are processed.",
        )
    if place.country in EEA:
        return None
    if levels and (levels.k >= 2 or levels.secrecy):
        return (
            f"{one.name} behandlas i {place.country}; K2 och sekretess får inte lämna EES.",
            f"{one.name} is processed in {place.country}; K2 and secrecy may not leave the EEA.",
        )
    if not place.transfer or not place.assessment:
        return (
            f"{one.name} behandlas i {place.country} utan bedömd grund för överföringen.",
            f"{one.name} is processed in {place.country} without an assessed ground for transfer.",
        )
    return None


def retention(facts: Facts) -> Answer | None:
    if not facts.has_personal_data:
        return None
    if facts.retention_s is None:
        return Answer(
            False,
            "Det framgår inte när personuppgifterna gallras.",
            "It is not told when the personal data are deleted.",
        )
    promised = facts.retention_s
    longer = [
        one.name
        for one in facts.origins
        if one.has_personal_data and (one.retention_s is None or one.retention_s > promised)
    ]
    if longer:
        return Answer(
            False,
            f"Källan sparas längre än produkten lovar: {', '.join(longer)}.",
            f"Kept for longer than the product promises: {', '.join(longer)}.",
        )
    days = promised // 86_400
    return Answer(True, f"Gallras efter {days} dygn.", f"Deleted after {days} days.")
