"""The sharing policy: who may have which product, as a table of rules.

Each rule is one question about the facts of a product and one answer: it holds, it speaks against
sharing, or it does not concern the product. A product may be shared when no rule speaks against
it. What is not known counts against sharing. Nothing here reads or writes anything.

docs/delning.md tells the rules, and cases with the decision that each must have, in Swedish.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lakehouse.decisions import Outcome
from quality.policy import approval, classification, people, terms
from quality.policy.answers import Answer
from quality.policy.facts import Facts


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the policy.

    Attributes:
        name: What code and tests call it.
        law: Where it comes from.
        sv: What it asks, in Swedish.
        en: The same in English.
        ask: The question; None when the rule does not concern the product.
    """

    name: str
    law: str
    sv: str
    en: str
    ask: Callable[[Facts], Answer | None]


def decide(facts: Facts) -> tuple[Outcome, ...]:
    """Ask every rule about a product; it may be shared if none speaks against it."""
    return tuple(_outcome(rule, rule.ask(facts)) for rule in RULES)


def _outcome(rule: Rule, answer: Answer | None) -> Outcome:
    if answer is None:
        return Outcome(rule.name, rule.law, None, "Gäller inte produkten.", "Does not concern it.")
    return Outcome(rule.name, rule.law, *answer)


RULES: Final = (
    Rule(
        "classified",
        "KLASSA",
        "Produkten är klassad i konfidentialitet, riktighet och tillgänglighet.",
        "The product is classified in confidentiality, integrity and availability.",
        classification.classified,
    ),
    Rule(
        "origins_classified",
        "KLASSA",
        "Det framgår vad produkten är gjord av, och allt det är klassat.",
        "It says what it is made of, and all of that is classified.",
        classification.origins_classified,
    ),
    Rule(
        "fit_for_the_lake",
        "Säkerhetsskyddslagen (2018:585); KLASSA",
        "Inget som är klassat K3 eller högre finns i den gemensamma datasjön.",
        "Nothing classified K3 or higher stands in the shared lakehouse.",
        classification.fit_for_the_lake,
    ),
    Rule(
        "confidentiality",
        "KLASSA",
        "Öppna data är K0, stadens interna högst K1, begränsade högst K2. Den högsta kolumnen "
        "gäller för hela produkten.",
        "Open data are K0, internal ones K1 at most, restricted ones K2 at most. The highest "
        "column counts for the whole product.",
        classification.confidentiality,
    ),
    Rule(
        "origins_confidentiality",
        "KLASSA",
        "En produkt är inte lägre klassad än källorna, om inte informationsägaren har "
        "beslutat om omklassning.",
        "A product is classified no lower than its sources, unless the information owner has "
        "decided so.",
        classification.origins_confidentiality,
    ),
    Rule(
        "secrecy",
        "OSL (2009:400)",
        "Uppgifter under sekretess lämnas bara till namngivna mottagare.",
        "Secret data are for named receivers only.",
        classification.secrecy,
    ),
    Rule(
        "personal_data",
        "GDPR art. 5.1 b och c, art. 6",
        "Personuppgifter lämnas bara till namngivna mottagare.",
        "Personal data are for named receivers only.",
        people.personal_data,
    ),
    Rule(
        "special_category",
        "GDPR art. 9",
        "Det som är gjort av känsliga personuppgifter blir aldrig öppet eller internt, inte "
        "heller som statistik.",
        "What is made of special categories of personal data never becomes open or internal, "
        "nor as statistics.",
        people.special_category,
    ),
    Rule(
        "legal_basis",
        "GDPR art. 6 och 9",
        "Den rättsliga grunden är angiven för varje källa med personuppgifter.",
        "The legal basis is told for each source with personal data.",
        people.legal_basis,
    ),
    Rule(
        "group_size",
        "GDPR skäl 26; OSL 24 kap. 8 §",
        "Minst fem personer, hem eller motsvarande står bakom varje tal om människor.",
        "At least five persons, homes or the like stand behind each number about people.",
        people.group_size,
    ),
    Rule(
        "totals",
        "GDPR skäl 26",
        "Dolda tal kan inte räknas fram ur summor.",
        "Withheld numbers cannot be worked out from totals.",
        people.totals,
    ),
    Rule(
        "places",
        "GDPR art. 25; källans villkor",
        "Platser är avrundade så grovt som källan kräver, och minst 100 m i data om människor.",
        "Places are rounded as coarsely as the source asks, and to 100 m in data about people.",
        people.places,
    ),
    Rule(
        "processing",
        "GDPR kap. V",
        "Personuppgifter behandlas inom EES, eller med bedömd grund för överföringen; K2 och "
        "sekretess bara inom EES.",
        "Personal data are processed in the EEA, or with an assessed ground for transfer; K2 "
        "and secrecy only in the EEA.",
        people.processing,
    ),
    Rule(
        "retention",
        "GDPR art. 5.1 e; arkivlagen (1990:782) 10 §",
        "Det framgår när personuppgifter gallras, och ingen källa sparar dem längre.",
        "It is told when personal data are deleted, and no source keeps them for longer.",
        people.retention,
    ),
    Rule(
        "licence",
        "Öppna data-lagen (2022:818); källans licens",
        "Öppna data har en licens som källornas licenser medger.",
        "Open data have a licence that those of the sources allow.",
        terms.licence,
    ),
    Rule(
        "attribution",
        "CC BY 4.0, ODbL 1.0",
        "Upphovet anges där en licens kräver det.",
        "Attribution is given where a licence asks for it.",
        terms.attribution,
    ),
    Rule(
        "receivers",
        "OSL (2009:400)",
        "En begränsad produkt har namngivna mottagare.",
        "A restricted product has named receivers.",
        terms.receivers,
    ),
    Rule(
        "approval",
        "Informationsägarens ansvar",
        "Informationsägaren har beslutat om det som är öppet, gäller människor, är K2, "
        "hemligt eller omklassat.",
        "The information owner has decided on what is open, about people, K2, secret or "
        "reclassified.",
        approval.approval,
    ),
    Rule(
        "approval_scope",
        "Informationsägarens ansvar",
        "Beslutet omfattar avtalets version, alla kolumner och klassningen.",
        "The decision covers the version of the contract, all columns and the classification.",
        approval.approval_scope,
    ),
    Rule(
        "approval_period",
        "Informationsägarens ansvar",
        "Beslutet gäller i dag.",
        "The decision holds today.",
        approval.approval_period,
    ),
)
