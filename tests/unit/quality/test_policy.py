"""The sharing policy decides as docs/delning.md says, case by case."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.contracts import load_contracts
from lakehouse.contracts.classification import Classification, Levels, Processing
from lakehouse.contracts.product import Statistics, Text
from lakehouse.settings import PROJECT
from quality.policy import RULES, Facts, Origin, decide, facts_of
from tests.approval import MADE

DOCUMENT = PROJECT / "docs" / "delning.md"
AUDIENCES = {"alla": "open", "staden": "internal", "namngivna": "restricted"}

SOUND = Classification(k=0, r=2, t=1, personal_data=False)
ORIGIN = Origin("luft", SOUND, processing=Processing(country="SE"))
FACTS = Facts(
    audience="open",
    version="1.0.0",
    classification=SOUND,
    columns=(("hour_start", None), ("mean_value", None)),
    origins=(ORIGIN,),
    licence="CC0-1.0",
    attribution=None,
    statistics=None,
    shows_places=False,
    place_precision_m=None,
    receivers=("Enheten för luft",),
    retention_s=None,
    approval=None,
    today=date(2026, 11, 26),
)
APPROVAL = MADE.model_copy(update={"columns": ("hour_start", "mean_value")})

Change = Callable[[Facts], Facts]


def table(title: str) -> list[list[str]]:
    """The rows of the table under a heading of the document."""
    text = DOCUMENT.read_text(encoding="utf-8").split(f"\n## {title}\n", 1)[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


CASES = [row for row in table("Fall") if row[0].isdigit()]


def product(**changes: Any) -> Change:
    def change(facts: Facts) -> Facts:
        if facts.classification is None:
            return facts
        return replace(facts, classification=facts.classification.model_copy(update=changes))

    return change


def origin(**changes: Any) -> Change:
    """Change the classification of the source."""

    def change(facts: Facts) -> Facts:
        (one,) = facts.origins
        levels = one.classification.model_copy(update=changes)
        return replace(facts, origins=(replace(one, classification=levels),))

    return change


def source(**changes: Any) -> Change:
    def change(facts: Facts) -> Facts:
        (one,) = facts.origins
        return replace(facts, origins=(replace(one, **changes),))

    return change


def whole(**changes: Any) -> Change:
    return lambda facts: replace(facts, **changes)


def processing(**changes: Any) -> Change:
    def change(facts: Facts) -> Facts:
        place = facts.origins[0].processing.model_copy(update=changes)
        return source(processing=place)(facts)

    return change


def without_basis(facts: Facts) -> Facts:
    return origin(legal_basis=" ")(product(legal_basis=None)(facts))


def statistics(least: int) -> Change:
    counted = Text(sv="personer", en="persons")
    return whole(statistics=Statistics(least=least, counted=counted, totals_withheld=True))


def totals_told(facts: Facts) -> Facts:
    told = facts.statistics.model_copy(update={"totals_withheld": False})
    return replace(facts, statistics=told)


def kept(seconds: int) -> Change:
    """The product and what it is made of."""

    def change(facts: Facts) -> Facts:
        origins = tuple(replace(one, retention_s=seconds) for one in facts.origins)
        return replace(facts, retention_s=seconds, origins=origins)

    return change


PERSONAL = {"personal_data": True, "legal_basis": "GDPR artikel 6.1 e"}
SPECIAL = {**PERSONAL, "special_category": True}
WORDS: dict[str, Change] = {
    "oklassad": whole(classification=None),
    "källa oklassad": source(classification=None),
    "ingen källa": whole(origins=()),
    "personuppgifter": product(**PERSONAL),
    "källa personuppgifter": origin(**PERSONAL),
    "känsliga": product(**SPECIAL),
    "källa känsliga": origin(**SPECIAL),
    "sekretess": product(secrecy="OSL 26 kap. 1 §"),
    "källa sekretess": origin(secrecy="OSL 26 kap. 1 §"),
    "utan rättslig grund": without_basis,
    "summor redovisas": totals_told,
    "visar platser": whole(shows_places=True),
    "upphov anges": whole(attribution="Mätvärden: Luftföreningen"),
    "gallras": kept(63_115_200),
    "källan gallras aldrig": source(retention_s=None),
    "källan gallras senare": source(retention_s=94_672_800),
    "inga mottagare": whole(receivers=()),
    "okänt land": source(processing=None),
    "standardklausuler": processing(transfer="standard_clauses"),
    "bedömd": processing(assessment="SLK-2026-0099"),
    "ny kolumn": lambda f: replace(f, columns=(*f.columns, ("address", None))),
}
PATTERNS: dict[str, Callable[[str], Change]] = {
    r"K(\d)": lambda k: product(k=int(k)),
    r"källa K(\d)": lambda k: origin(k=int(k)),
    r"kolumn K(\d)": lambda k: (
        lambda f: replace(f, columns=(f.columns[0], ("mean_value", Levels(int(k), 0, 0))))
    ),
    r"minst (\d+) per tal": lambda least: statistics(int(least)),
    r"avrundat (\d+) m": lambda m: whole(place_precision_m=float(m)),
    r"källan kräver (\d+) m": lambda m: source(place_precision_m=float(m)),
    r"källans licens (\S+)": lambda name: source(licence=name),
    r"licens (\S+)": lambda name: whole(licence=name),
    r"behandlas i ([A-Z]{2})": lambda country: processing(country=country),
    r"avtal (\S+)": lambda version: whole(version=version),
}
DECISIONS: dict[str, Callable[[str], dict[str, str]]] = {
    r"beslut till (\S+)": lambda day: {"valid_until": day},
    r"beslut från (\S+)": lambda day: {"decided_on": day},
    r"beslut om version (\S+)": lambda version: {"contract_version": version},
    r"beslut om klass (\S+)": lambda levels: {"classification": levels},
    r"(omklassad)": lambda _: {"reclassified": "Dygnsvärden säger inget om ett enskilt flöde."},
}


def case(audience: str, words: str) -> Facts:
    """The facts of a case: the sound product, with what its words say is different."""
    facts = replace(FACTS, audience=AUDIENCES[audience])
    decided: dict[str, Any] | None = {}
    for word in filter(None, words.split("; ")):
        if word == "inget beslut":
            decided = None
        elif found := _matching(DECISIONS, word):
            decided |= found
        elif change := _matching(PATTERNS, word):
            facts = change(facts)
        else:
            facts = WORDS[word](facts)
    if decided is None:
        return facts
    as_decided = {
        "audience": facts.audience,
        "classification": str(facts.classification.levels) if facts.classification else "0-2-1",
        "personal_data": facts.has_personal_data,
    }
    return replace(facts, approval=APPROVAL.model_copy(update=as_decided | decided))


def _matching(patterns: dict[str, Callable[[str], Any]], word: str) -> Any:
    for pattern, make in patterns.items():
        if found := re.fullmatch(pattern, word):
            return make(found[1])
    return None


def objections(facts: Facts) -> list[str]:
    return [outcome.rule for outcome in decide(facts) if outcome.holds is False]


@pytest.mark.parametrize("row", CASES, ids=lambda row: f"{row[0]} {row[1]} {row[2]}")
def test_a_case_is_decided_as_the_document_says(row):
    _, _, audience, words, verdict, rules = row
    found = objections(case(audience, words))
    assert ", ".join(found) == rules
    assert verdict == ("får inte" if found else "får")


def test_there_are_cases_enough_and_each_rule_says_no_in_one():
    assert len(CASES) >= 60
    said = {rule for row in CASES for rule in row[5].split(", ") if rule}
    assert said == {rule.name for rule in RULES}
    assert [row[0] for row in CASES] == [str(number) for number in range(1, len(CASES) + 1)]


def test_the_document_has_the_rules_as_they_are_asked():
    swedish = [row for row in table("Reglerna") if row[0].startswith("`") and len(row) == 3]
    english = [row for row in table("Reglerna") if row[0].startswith("`") and len(row) == 2]
    assert swedish == [[f"`{rule.name}`", rule.sv, rule.law] for rule in RULES]
    assert english == [[f"`{rule.name}`", rule.en] for rule in RULES]


LEVELS = st.integers(0, 4)
PERSONAL_ONES = st.builds(
    lambda **facts: Classification(personal_data=True, **facts),
    k=LEVELS,
    r=LEVELS,
    t=LEVELS,
    special_category=st.booleans(),
    legal_basis=st.none() | st.just("GDPR artikel 6.1 e"),
    secrecy=st.none() | st.just("OSL 26 kap. 1 §"),
)


def sound_but_personal(classification, audience="restricted") -> Facts:
    """A product of which nothing else can be said: promised, approved, minimised."""
    return replace(
        statistics(20)(FACTS),
        audience=audience,
        classification=classification,
        retention_s=63_115_200,
        approval=APPROVAL.model_copy(
            update={
                "audience": audience,
                "classification": str(classification.levels),
                "personal_data": True,
                "reclassified": "Inget hem kan utläsas.",
            }
        ),
    )


@given(
    classification=st.none() | PERSONAL_ONES,
    of_source=st.none() | PERSONAL_ONES,
    audience=st.sampled_from(["open", "internal", "restricted"]),
    least=st.none() | st.integers(1, 20),
    approved=st.booleans(),
)
def test_what_holds_personal_data_is_never_open_whatever_else_is_true(
    classification, of_source, audience, least, approved
):
    facts = sound_but_personal(classification, audience) if classification else FACTS
    facts = replace(
        facts,
        audience=audience,
        classification=classification,
        origins=(replace(ORIGIN, classification=of_source),),
        statistics=statistics(least)(FACTS).statistics if least else None,
        approval=facts.approval if approved else None,
    )
    if not objections(facts):
        assert audience == "restricted"
        assert classification is not None
        assert classification.k <= 2


@given(classification=PERSONAL_ONES, audience=st.sampled_from(["open", "internal"]))
def test_personal_data_are_never_open_or_internal_however_sound_all_else_is(
    classification, audience
):
    assert "personal_data" in objections(sound_but_personal(classification, audience))


@given(classification=PERSONAL_ONES)
def test_named_receivers_may_have_what_is_sound_and_nothing_else_stands_in_the_way(classification):
    """The control of the tests beside it: all else is sound, so what they find is what they say."""
    found = objections(sound_but_personal(classification))
    expected = []
    if classification.k > 2:
        expected += ["fit_for_the_lake", "confidentiality"]
    if not classification.legal_basis:
        expected += ["legal_basis"]
    assert found == expected


@given(of_source=PERSONAL_ONES, audience=st.sampled_from(["open", "internal"]))
def test_nothing_made_of_health_or_secrets_leaves_those_it_is_for(of_source, audience):
    """Counted, reclassified and approved, with no personal data left in it."""
    facts = replace(
        sound_but_personal(of_source, audience),
        classification=SOUND,
        origins=(replace(ORIGIN, classification=of_source),),
        approval=APPROVAL.model_copy(update={"audience": audience, "reclassified": "Bara antal."}),
    )
    found = set(objections(facts))
    assert ("special_category" in found) is of_source.special_category
    assert ("secrecy" in found) is bool(of_source.secrecy)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_answer_is_a_sentence_in_both_languages(rule):
    answers = [rule.ask(case(row[2], row[3])) for row in CASES]
    told = [answer for answer in answers if answer]
    assert any(answer.holds for answer in told)
    for answer in told:
        assert re.fullmatch(r"[A-ZÅÄÖ].*[.]", answer.sv, re.DOTALL) or answer.sv.startswith("luft")
        assert re.fullmatch(r"[A-Z].*[.]", answer.en, re.DOTALL) or answer.en.startswith("luft")
        assert not re.search(r"produkten|saknas|alla|stadens", answer.en)
        assert "the product" not in answer.sv


@pytest.mark.parametrize(("audience", "against"), [("internal", False), ("open", True)])
def test_what_is_made_of_the_lakes_own_metering_is_the_citys_own(audience, against):
    """How its systems work is K1, whatever the product says of itself."""
    contracts = load_contracts(PROJECT / "contracts")
    product = contracts.product("delningskostnad_dygn")
    publication = product.publication.model_copy(update={"audience": audience})
    levels = product.classification.model_copy(update={"k": 0 if audience == "open" else 1})
    changed = replace(product, publication=publication, classification=levels)
    found = objections(facts_of(contracts, changed, date(2026, 11, 27)))
    assert ("origins_confidentiality" in found) is against
    assert bool(found) is against
