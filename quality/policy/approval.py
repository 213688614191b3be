"""Rules about the information owner's decision to share."""

from __future__ import annotations

from lakehouse.contracts.versions import SemanticVersion
from quality.policy.answers import Answer
from quality.policy.facts import Facts


def _needs_approval(facts: Facts) -> bool:
    is_lowered = any(one.k > facts.k for _, one in facts.classified)
    is_secret = any(one.secrecy or one.special_category for _, one in facts.classified)
    return (
        facts.audience == "open" or facts.k >= 2 or facts.is_about_people or is_lowered or is_secret
    )


def approval(facts: Facts) -> Answer | None:
    made = facts.approval
    if made is None:
        if not _needs_approval(facts):
            return None
        return Answer(
            False,
            "Informationsägarens beslut saknas.",
            "The information owner has not decided.",
        )
    return Answer(
        True,
        f"Beslut {made.decision} av {made.decided_by}.",
        f"Decision {made.decision} by {made.decided_by}.",
    )


def approval_scope(facts: Facts) -> Answer | None:
    made = facts.approval
    if made is None:
        return None
    now, then = SemanticVersion.read(facts.version), SemanticVersion.read(made.contract_version)
    if now is None or then is None or now.major != then.major or now < then:
        return Answer(
            False,
            f"Beslutet gäller version {made.contract_version}, inte {facts.version}.",
            f"The decision is on version {made.contract_version}, not on {facts.version}.",
        )
    added = ", ".join(name for name, _ in facts.columns if name not in made.columns)
    if added:
        return Answer(
            False,
            f"Beslutet omfattar inte kolumnerna {added}.",
            f"The decision does not cover the columns {added}.",
        )
    levels = str(facts.classification.levels) if facts.classification else "–"
    if levels != made.classification or facts.has_personal_data != made.personal_data:
        return Answer(
            False,
            f"Klassningen ({levels}) är en annan än den som beslutades ({made.classification}).",
            f"It is classified otherwise ({levels}) than was decided on ({made.classification}).",
        )
    return Answer(True, "Beslutet omfattar produkten.", "The decision covers the product.")


def approval_period(facts: Facts) -> Answer | None:
    made = facts.approval
    if made is None:
        return None
    if not made.holds_on(facts.today):
        return Answer(
            False,
            f"Beslutet gäller från {made.decided_on} till {made.valid_until}.",
            f"The decision holds from {made.decided_on} until {made.valid_until}.",
        )
    return Answer(True, f"Gäller till {made.valid_until}.", f"Holds until {made.valid_until}.")
