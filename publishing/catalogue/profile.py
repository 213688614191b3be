"""Checks a catalogue against DCAT-AP-SE 3.0.1 and the harvester of dataportal.se.

The national harvester is liberal: it takes a faulty catalogue and shows it badly. So the strict
check is made here, before a site is published. `profile_rules` holds what a class must have;
this module holds the rules that go across nodes.

Source: docs.dataportal.se/dcat/3.0.1 and its pages on harvesting, recommendations and quality.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from rdflib import DCTERMS, RDF, XSD, BNode, Graph, Literal, URIRef
from rdflib.term import Node

from lakehouse.errors import Problem
from publishing.catalogue.dcat import DCAT, DCATAP, SPDX, VCARD
from publishing.catalogue.profile_rules import RULES, TYPES, Kind, Rule
from publishing.terms import AUTHORITY, LICENCES

_ABSOLUTE: Final = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+$")
_MEDIA_TYPE: Final = re.compile(r"^\w+/[-.\w]+(?:\+[-.\w]+)?(\s*;\s*\w+=\w+)?$")
_UUID: Final = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_DATES: Final = (XSD.date, XSD.dateTime, XSD.gYear)
_HIGH_VALUE: Final = URIRef("http://data.europa.eu/eli/reg_impl/2023/138/oj")
_NAMED: Final = ("Catalog", "Dataset", "DatasetSeries", "Distribution", "Agent", "Contact")
_LINKS: Final = {
    DCTERMS.publisher: "Agent",
    DCAT.contactPoint: "Contact",
    DCAT.distribution: "Distribution",
}
"""Properties whose value must be described in the same document, and as what."""


def check(graph: Graph) -> list[Problem]:
    """Everything in a graph that breaks the profile or the harvester's rules, in a fixed order."""
    checks: tuple[Callable[[Graph], Iterator[Problem]], ...] = (
        _classes,
        _addresses,
        _links,
        _agents,
        _licences,
        _formats,
        _identifiers,
        _checksums,
        _records,
        _vocabularies,
        _high_value,
    )
    return sorted({problem for run in checks for problem in run(graph)}, key=str)


def nodes(graph: Graph, kind: str) -> list[Node]:
    """The nodes of a class of the profile, in order."""
    found = {node for type_ in TYPES[kind] for node in graph.subjects(RDF.type, type_)}
    return sorted(found, key=str)


def _classes(graph: Graph) -> Iterator[Problem]:
    if not nodes(graph, "Catalog"):
        yield Problem("the catalogue", "there is no dcat:Catalog", "Describe the catalogue.")
    for kind, rules in RULES.items():
        for node in nodes(graph, kind):
            if kind in _NAMED and isinstance(node, BNode):
                yield Problem(f"{kind} {node}", "it is a blank node", "Give it a stable IRI.")
            for rule in rules:
                yield from _values(graph, kind, node, rule)


def _values(graph: Graph, kind: str, node: Node, rule: Rule) -> Iterator[Problem]:
    name = graph.namespace_manager.normalizeUri(rule.property)
    place = f"{kind} {node}: {name}"
    values = list(graph.objects(node, rule.property))
    if kind == "Contact":  # rdf:type is a property of contacts in the profile
        values = [
            value for value in values if rule.property != RDF.type or value in TYPES["Contact"]
        ]
    if len(values) < rule.minimum:
        yield Problem(place, "it is mandatory and missing", "Add it.")
    if rule.maximum is not None and len(values) > rule.maximum:
        yield Problem(place, f"it has {len(values)} values", f"Keep {rule.maximum}.")
    for value in values:
        if not _IS[rule.kind](value):
            yield Problem(place, f"{value.n3()[:120]} is no {rule.kind}", _REMEDIES[rule.kind])


def _is_text(value: Node) -> bool:
    return isinstance(value, Literal) and bool(value.language) and bool(str(value).strip())


def _is_plain(value: Node) -> bool:
    return isinstance(value, Literal) and bool(str(value).strip())


def _typed(*types: URIRef) -> Callable[[Node], bool]:
    return lambda value: (
        isinstance(value, Literal) and value.datatype in types and value.ill_typed is not True
    )


_IS: Final[dict[Kind, Callable[[Node], bool]]] = {
    "language": _is_text,
    "literal": _is_plain,
    "date": _typed(*_DATES),
    "size": _typed(XSD.nonNegativeInteger),
    "duration": _typed(XSD.duration),
    "decimal": _typed(XSD.decimal),
    "iri": lambda value: isinstance(value, URIRef),
    "resource": lambda value: isinstance(value, URIRef | BNode),
}

_REMEDIES: Final[dict[Kind, str]] = {
    "language": "Write a text with a language tag.",
    "literal": "Write a literal.",
    "date": "Write xsd:date, xsd:dateTime or xsd:gYear.",
    "size": "Write xsd:nonNegativeInteger.",
    "duration": "Write xsd:duration.",
    "decimal": "Write xsd:decimal.",
    "iri": "Write an IRI.",
    "resource": "Write the IRI of a described node.",
}


def _addresses(graph: Graph) -> Iterator[Problem]:
    for iri in {node for triple in graph for node in triple if isinstance(node, URIRef)}:
        if not _ABSOLUTE.match(iri):
            yield Problem(str(iri)[:120], "it is no absolute, encoded IRI", "Write all of it.")


def _links(graph: Graph) -> Iterator[Problem]:
    for predicate, kind in _LINKS.items():
        described = set(nodes(graph, kind))
        for subject, value in graph.subject_objects(predicate):
            if value not in described:
                yield Problem(
                    f"{subject}: {graph.namespace_manager.normalizeUri(predicate)}",
                    f"{value.n3()[:120]} is not described as {kind}",
                    "Describe it in the same document.",
                )
    members = set(nodes(graph, "Dataset")) | set(nodes(graph, "DatasetSeries"))
    for subject, value in graph.subject_objects(DCAT.dataset):
        if value not in members:
            yield Problem(f"{subject}: dcat:dataset", f"{value} is no dataset", "Describe it.")


def _agents(graph: Graph) -> Iterator[Problem]:
    agents, contacts = nodes(graph, "Agent"), set(nodes(graph, "Contact"))
    by_number: dict[str, Node] = {}
    for agent in agents:
        if agent in contacts:
            yield Problem(
                f"Agent {agent}", "it is a contact as well", "Give agent and contact two IRIs."
            )
        for number in graph.objects(agent, DCTERMS.identifier):
            other = by_number.setdefault(str(number), agent)
            if other != agent:
                yield Problem(
                    f"Agent {agent}", f"{other} has the same identifier", "Describe it once."
                )
    for contact in sorted(contacts, key=str):
        for address in graph.objects(contact, VCARD.hasEmail):
            if not str(address).startswith("mailto:"):
                yield Problem(f"Contact {contact}", f"{address} is no e-mail", "Write mailto:.")


def _licences(graph: Graph) -> Iterator[Problem]:
    known = {licence.iri for licence in LICENCES.values()}
    for subject, value in graph.subject_objects(DCTERMS.license):
        if "creativecommons.org" in str(value) and str(value) not in known:
            yield Problem(
                f"{subject}: dcterms:license",
                f"the harvester does not know {value}",
                "Write http, a trailing slash and no language, such as "
                f"{LICENCES['CC-BY-4.0'].iri}.",
            )
    for catalogue in nodes(graph, "Catalog"):
        for value in graph.objects(catalogue, DCTERMS.license):
            if str(value) != LICENCES["CC0-1.0"].iri:
                yield Problem(
                    f"Catalog {catalogue}: dcterms:license", f"it is {value}", "Metadata are CC0."
                )


def _formats(graph: Graph) -> Iterator[Problem]:
    for subject, value in graph.subject_objects(DCTERMS.format):
        if isinstance(value, Literal) and not _MEDIA_TYPE.match(value):
            yield Problem(
                f"{subject}: dcterms:format", f"'{value}' is no media type", "Write text/csv."
            )


def _identifiers(graph: Graph) -> Iterator[Problem]:
    seen: dict[str, Node] = {}
    for subject in nodes(graph, "Dataset"):
        for value in graph.objects(subject, DCTERMS.identifier):
            other = seen.setdefault(str(value), subject)
            if _UUID.match(str(value)) and other != subject:
                yield Problem(f"Dataset {subject}", f"{other} has the same UUID", "Make a new one.")


def _checksums(graph: Graph) -> Iterator[Problem]:
    for subject, value in graph.subject_objects(SPDX.checksumValue):
        if not re.fullmatch(r"[0-9a-f]+", str(value)):
            yield Problem(f"Checksum {subject}", f"'{value}' is no hex", "Write lower-case hex.")


def _records(graph: Graph) -> Iterator[Problem]:
    for subject in graph.subjects(RDF.type, DCAT.CatalogRecord):
        yield Problem(f"{subject}", "dcat:CatalogRecord is not allowed", "Leave it out.")


def _vocabularies(graph: Graph) -> Iterator[Problem]:
    """Values of the closed EU tables, where a misspelt word would go unseen."""
    tables = {
        DCAT.theme: "data-theme",
        DCTERMS.accessRights: "access-right",
        DCTERMS.accrualPeriodicity: "frequency",
    }
    for predicate, table in tables.items():
        for subject, value in graph.subject_objects(predicate):
            if not str(value).startswith(f"{AUTHORITY}/{table}/"):
                yield Problem(
                    f"{subject}: {graph.namespace_manager.normalizeUri(predicate)}",
                    f"{value} is not of the table {table}",
                    f"Use {AUTHORITY}/{table}/….",
                )


def _high_value(graph: Graph) -> Iterator[Problem]:
    """A dataset that follows the high-value regulation must say of which category it is."""
    for subject in graph.subjects(DCATAP.applicableLegislation, _HIGH_VALUE):
        if (subject, RDF.type, DCAT.Distribution) in graph:
            continue
        if not list(graph.objects(subject, DCATAP.hvdCategory)):
            yield Problem(
                f"{subject}: dcatap:hvdCategory",
                "it is mandatory for a high-value dataset and missing",
                "Add it.",
            )
