"""Knowledge for assistants: a release in self-contained pieces, each with its citation.

One JSON object per line. A piece names the dataset, its units and its period, so that it can be
understood when it is all that a retrieval found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from publishing import words
from publishing.addresses import Addresses
from publishing.documents import changelog
from publishing.documents.cards import citation, coverage
from publishing.explanations import meaning, outcome, summary
from publishing.releases.manifest import Release
from publishing.terms import LICENCES, TYPE_NAMES
from publishing.words import LANGUAGES, Language, said


def knowledge_lines(release: Release, addresses: Addresses) -> Iterator[str]:
    """The pieces of one open release as JSON lines, in a fixed order."""
    for language in LANGUAGES:
        for section, text in _sections(release, language):
            if text:
                piece = _piece(release, addresses, section, language, text)
                yield json.dumps(piece, ensure_ascii=False) + "\n"


def _piece(
    release: Release, addresses: Addresses, section: str, language: Language, text: str
) -> dict[str, Any]:
    publication = release.publication
    whole = words.plain(f"{_preamble(release, language)} {text}")
    place = f"{release.product}/{release.number}/{section}/{language}"
    return {
        "id": hashlib.sha256(place.encode()).hexdigest()[:32],
        "dataset_id": release.product,
        "dataset_iri": addresses.dataset(release.product),
        "title_sv": publication.title.sv,
        "title_en": publication.title.en,
        "section": section,
        "lang": language,
        "text": whole,
        "citation": {
            "url": addresses.page(release.product),
            "label": citation(release, language, addresses),
            "version": release.version,
            "issued": release.issued,
            "licence": LICENCES[publication.licence].iri,
        },
        "valid_from": release.period[0] if release.period else None,
        "valid_to": release.period[1] if release.period else None,
        "sha256": hashlib.sha256(whole.encode()).hexdigest(),
        "classification": "open",
    }


def _preamble(release: Release, language: Language) -> str:
    title = said(release.publication.title, language)
    owner = said(release.publisher.name, language)
    word = "Datamängden" if language == "sv" else "The dataset"
    by = "från" if language == "sv" else "from"
    return f"{word} {title} ({release.product}) {by} {owner}. {coverage(release, language)}"


def _sections(release: Release, language: Language) -> Iterator[tuple[str, str]]:
    publication = release.publication
    yield "facts", said(publication.description, language)
    yield "coverage", _missing(language)
    for start in range(0, len(release.columns), 8):
        suffix = "" if start == 0 else f"-{start // 8 + 1}"
        yield f"columns{suffix}", _columns(release, language, start)
    yield "quality", " ".join(_quality(release, language))
    yield "limitations", said(publication.limitations, language)
    if release.changes:
        yield "changes", said(changelog.summary(release.changes), language)
    yield "licence", _licence(release, language)
    for index, question in enumerate(publication.questions, start=1):
        asked = said(question.question, language)
        yield f"examples-{index}", f"{asked} SQL: {' '.join(question.sql.split())}"


def _missing(language: Language) -> str:
    if language == "sv":
        return "Tider är i UTC. Saknas en rad eller ett värde finns inget mätvärde; det är inte 0."
    return "Times are in UTC. An absent row or value means no reading; it is not 0."


def _columns(release: Release, language: Language, start: int) -> str:
    told = []
    for column in release.columns[start : start + 8]:
        unit = f", {column.symbol}" if column.symbol else ""
        kind = said(TYPE_NAMES[column.type], language)
        label = said(column.label, language)
        told.append(f"{column.name}: {label} ({kind}{unit}). {column.description}")
    return " ".join(told)


def _quality(release: Release, language: Language) -> Iterator[str]:
    yield said(summary(release.verdict), language)
    for check in release.verdict.checks:
        column = f" ({check.column})" if check.column else ""
        yield f"{said(outcome(check), language)}: {said(meaning(check), language)}{column}"


def _licence(release: Release, language: Language) -> str:
    licence = LICENCES[release.publication.licence]
    word = "Licens" if language == "sv" else "Licence"
    attribution = release.publication.attribution or ""
    return f"{word}: {licence.name}, {licence.iri} {attribution}".strip()
