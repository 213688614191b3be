"""Dataset cards: one release told in Markdown, in Swedish and in English.

Cards are read by people and loaded by assistants that cannot call tools, so each stands on its
own: what a row is, units, quality, limits, licence and how to cite.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lakehouse.contracts.product import Text
from publishing import words
from publishing.addresses import Addresses
from publishing.documents import changelog
from publishing.explanations import meaning, outcome, summary
from publishing.releases.manifest import Release
from publishing.terms import FREQUENCIES, LICENCES, TYPE_NAMES
from publishing.words import Language, markdown, said

_HEADINGS: Final = {
    "summary": Text(sv="Sammanfattning", en="Summary"),
    "owner": Text(sv="Ansvarig och kontakt", en="Owner and contact"),
    "collection": Text(sv="Insamling", en="Collection"),
    "coverage": Text(sv="Period och omfattning", en="Period and coverage"),
    "columns": Text(sv="Kolumner och enheter", en="Columns and units"),
    "quality": Text(sv="Kvalitet", en="Quality"),
    "limits": Text(sv="Kända begränsningar", en="Known limits"),
    "lineage": Text(sv="Bearbetning och ursprung", en="Processing and lineage"),
    "personal": Text(sv="Personuppgifter och klassning", en="Personal data and classification"),
    "licence": Text(sv="Licens och hänvisning", en="Licence and citation"),
    "versions": Text(sv="Versioner", en="Versions"),
    "use": Text(sv="Lämplig användning", en="Intended use"),
}


def card(release: Release, language: Language, addresses: Addresses) -> str:
    """The card of a release in one language, as Markdown."""
    sections = {
        "summary": _summary(release, language),
        "owner": _owner(release, language),
        "collection": _collection(release, language),
        "coverage": coverage(release, language),
        "columns": "\n".join(_columns(release, language)),
        "quality": "\n".join(_quality(release, language)),
        "limits": said(release.publication.limitations, language),
        "lineage": _lineage(release, language),
        "personal": _personal(release, language),
        "licence": _licence(release, language, addresses),
        "versions": _versions(release, language),
        "use": "\n".join(_use(release, language)),
    }
    title = said(release.publication.title, language)
    parts = [f"# {markdown(title)}"]
    for key, text in sections.items():
        parts += [f"## {said(_HEADINGS[key], language)}", text]
    return "\n\n".join(parts) + "\n"


def citation(release: Release, language: Language, addresses: Addresses) -> str:
    """How to cite a release."""
    publication = release.publication
    year = release.issued[:4]
    owner = said(release.publisher.name, language)
    title = said(publication.title, language)
    return (
        f"{owner} ({year}). {title}, version {release.version}. "
        f"{LICENCES[publication.licence].name}. {addresses.page(release.product)}"
    )


def coverage(release: Release, language: Language) -> str:
    """The period and number of rows of a release, in a sentence or two."""
    rows = words.number(release.rows, language)
    frequency = said(FREQUENCIES[release.publication.frequency], language)
    if release.period is None:
        return "Inga rader ännu." if language == "sv" else "No rows yet."
    first, last = (words.moment(end) for end in release.period)
    if language == "sv":
        return f"{rows} rader, från {first} till {last}. Uppdateras {frequency}."
    return f"{rows} rows, from {first} until {last}. Updated {frequency}."


def _summary(release: Release, language: Language) -> str:
    return markdown(said(release.publication.description, language))


def _owner(release: Release, language: Language) -> str:
    contact = release.publication.contact
    owner = markdown(said(release.publisher.name, language))
    label = "Kontakt" if language == "sv" else "Contact"
    return f"{owner}. {label}: {markdown(contact.name)}, {contact.email}"


def _collection(release: Release, language: Language) -> str:
    if language == "sv":
        return (
            f"En rad är, med dataavtalets engelska ord: {markdown(release.grain)}. "
            "Ett tomt värde betyder att mätvärde saknas, aldrig noll."
        )
    return f"A row is: {markdown(release.grain)}. An empty value means missing, never zero."


def _columns(release: Release, language: Language) -> Iterator[str]:
    names = ("Kolumn", "Betydelse", "Typ", "Enhet", "Beskrivning")
    if language == "en":
        names = ("Column", "Meaning", "Type", "Unit", "Description")
    yield f"| {' | '.join(names)} |"
    yield "| --- | --- | --- | --- | --- |"
    for column in release.columns:
        kind = said(TYPE_NAMES[column.type], language)
        yield (
            f"| `{column.name}` | {markdown(said(column.label, language))} | {kind} "
            f"| {markdown(column.symbol or '')} | {markdown(column.description)} |"
        )


def _quality(release: Release, language: Language) -> Iterator[str]:
    audited = words.moment(release.verdict.audited_at)
    when = "Granskad" if language == "sv" else "Audited"
    yield f"{said(summary(release.verdict), language)} {when} {audited}."
    yield ""
    for check in release.verdict.checks:
        column = f"`{check.column}`: " if check.column else ""
        told = f"{markdown(check.expected)}; {markdown(check.observed)}"
        yield (
            f"- {said(outcome(check), language)}: {column}{said(meaning(check), language)} ({told})"
        )


def _lineage(release: Release, language: Language) -> str:
    told = (
        f"`gold.{release.model}`, Delta version {release.delta_version}, "
        f"{'dataavtal' if language == 'sv' else 'contract'} {release.contract_version} "
        f"(sha-256 {release.contract_digest[:12]})."
    )
    return f"Ur tabellen {told}" if language == "sv" else f"From the table {told}"


def _personal(release: Release, language: Language) -> str:
    levels = release.classification
    klassa = f"K{levels.k} R{levels.r} T{levels.t}"
    if language == "sv":
        personal = "Innehåller personuppgifter" if levels.personal_data else "Inga personuppgifter"
        text = f"{personal}. KLASSA: {klassa}."
    else:
        personal = "Holds personal data" if levels.personal_data else "No personal data"
        text = f"{personal}. KLASSA: {klassa}."
    if release.approval is None:
        return text
    made = release.approval
    label = "Beslut att dela" if language == "sv" else "Decision to share"
    told = f"{markdown(made.decision)}, {markdown(made.decided_by)}, {made.decided_on}"
    return f"{text} {label}: {told}."


def _licence(release: Release, language: Language, addresses: Addresses) -> str:
    licence = LICENCES[release.publication.licence]
    attribution = release.publication.attribution
    named = f" {markdown(attribution)}." if attribution else ""
    label = "Hänvisa så här" if language == "sv" else "Cite as"
    cited = markdown(citation(release, language, addresses))
    return f"{licence.name}, <{licence.iri}>.{named}\n\n{label}: {cited}"


def _versions(release: Release, language: Language) -> str:
    label = "Utgåva" if language == "sv" else "Release"
    standing = f"{label} {release.number}, version {release.version}, {words.day(release.issued)}."
    if release.changes is None:
        return standing
    return f"{standing} {markdown(said(changelog.summary(release.changes), language))}"


def _use(release: Release, language: Language) -> Iterator[str]:
    if language == "sv":
        yield "Läs begränsningarna före slutsatser. Frågor som datamängden besvarar:"
    else:
        yield "Read the limits before drawing conclusions. Questions this dataset answers:"
    yield ""
    for question in release.publication.questions:
        yield f"- {markdown(said(question.question, language))}"
        yield f"\n  ```sql\n  {' '.join(question.sql.split())}\n  ```"
