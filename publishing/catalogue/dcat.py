"""The catalogue as RDF: the Swedish profile for dataportal.se, the European one for the rest.

The two disagree about `dcterms:format` (a media type as literal against an IRI of the EU table),
so no single graph can satisfy both. Every node has an IRI, so that the same catalogue gives the
same bytes and no harvester has to guess.

Source: DCAT-AP-SE 3.0.1 (docs.dataportal.se/dcat); DCAT-AP 3.0.1 (semiceu.github.io/DCAT-AP).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from rdflib import DCTERMS, FOAF, ORG, RDF, XSD, Graph, Literal, Namespace, URIRef
from rdflib.term import Node

from lakehouse.contracts.product import Text
from publishing.catalogue import Agent, Catalogue, Contact, Dataset, Distribution
from publishing.documents import changelog
from publishing.terms import AUTHORITY, LICENCES

DCAT: Final = Namespace("http://www.w3.org/ns/dcat#")
"""rdflib's own is DCAT 2, without version and series."""
VCARD: Final = Namespace("http://www.w3.org/2006/vcard/ns#")
SPDX: Final = Namespace("http://spdx.org/rdf/terms#")
ODRS: Final = Namespace("http://schema.theodi.org/odrs#")
DCATAP: Final = Namespace("http://data.europa.eu/r5r/")
ADMS: Final = Namespace("http://www.w3.org/ns/adms#")
PUBLISHER_TYPES: Final = "http://purl.org/adms/publishertype/"
_PREFIXES: Final = {
    "dcat": DCAT,
    "dcterms": DCTERMS,
    "foaf": FOAF,
    "vcard": VCARD,
    "spdx": SPDX,
    "odrs": ODRS,
    "dcatap": DCATAP,
    "adms": ADMS,
    "org": ORG,
    "xsd": XSD,
}

Triple = tuple[Node, Node, Node]
Flavour = Callable[[Distribution, str], Iterator[tuple[URIRef, Node]]]
"""What a profile says of format and licence: (predicate, object) pairs of a distribution."""


def swedish(catalogue: Catalogue) -> Graph:
    """The catalogue in DCAT-AP-SE 3.0.1."""
    return _graph(catalogue, _swedish_form)


def european(catalogue: Catalogue) -> Graph:
    """The catalogue in DCAT-AP 3.0.1."""
    return _graph(catalogue, _european_form)


def _graph(catalogue: Catalogue, flavour: Flavour) -> Graph:
    graph = Graph(bind_namespaces="none")
    for prefix, namespace in _PREFIXES.items():
        graph.bind(prefix, namespace)
    for triple in sorted(set(_triples(catalogue, flavour))):
        graph.add(triple)
    return graph


def _triples(catalogue: Catalogue, flavour: Flavour) -> Iterator[Triple]:
    yield from _catalogue(catalogue)
    for agent in catalogue.agents:
        yield from _agent(agent)
    for dataset in catalogue.datasets:
        yield from _dataset(dataset)
        yield from _contact(dataset.contact)
        for distribution in dataset.distributions:
            yield URIRef(dataset.iri), DCAT.distribution, URIRef(distribution.iri)
            yield from _distribution(dataset, distribution, flavour)


def _catalogue(catalogue: Catalogue) -> Iterator[Triple]:
    node = URIRef(catalogue.iri)
    yield node, RDF.type, DCAT.Catalog
    yield from _both(node, DCTERMS.title, catalogue.title)
    yield from _both(node, DCTERMS.description, catalogue.description)
    yield node, DCTERMS.publisher, URIRef(catalogue.publisher)
    yield node, DCTERMS.license, URIRef(LICENCES["CC0-1.0"].iri)
    yield node, FOAF.homepage, URIRef(catalogue.homepage)
    yield URIRef(catalogue.homepage), RDF.type, FOAF.Document
    yield node, DCAT.themeTaxonomy, URIRef(f"{AUTHORITY}/data-theme")
    for language in ("SWE", "ENG"):
        yield node, DCTERMS.language, URIRef(f"{AUTHORITY}/language/{language}")
    if catalogue.issued and catalogue.modified:
        yield node, DCTERMS.issued, _instant(catalogue.issued)
        yield node, DCTERMS.modified, _instant(catalogue.modified)
    for dataset in catalogue.datasets:
        yield node, DCAT.dataset, URIRef(dataset.iri)


def _agent(agent: Agent) -> Iterator[Triple]:
    node = URIRef(agent.iri)
    kind = "Company" if agent.kind == "bolag" else "LocalAuthority"
    yield node, RDF.type, FOAF.Agent
    yield from _both(node, FOAF.name, agent.name)
    yield node, DCTERMS.type, URIRef(PUBLISHER_TYPES + kind)
    if agent.organisation_number:
        yield node, DCTERMS.identifier, Literal(agent.organisation_number)


def _contact(contact: Contact) -> Iterator[Triple]:
    node = URIRef(contact.iri)
    yield node, RDF.type, VCARD.Organization
    yield node, VCARD.fn, Literal(contact.name)
    yield node, VCARD.hasEmail, URIRef(f"mailto:{contact.email}")


def _dataset(dataset: Dataset) -> Iterator[Triple]:
    node, publication = URIRef(dataset.iri), dataset.release.publication
    yield node, RDF.type, DCAT.Dataset
    yield from _both(node, DCTERMS.title, dataset.title)
    yield from _both(node, DCTERMS.description, dataset.description)
    yield node, DCTERMS.identifier, Literal(dataset.identifier)
    yield node, DCTERMS.publisher, URIRef(dataset.publisher)
    yield node, DCAT.contactPoint, URIRef(dataset.contact.iri)
    yield node, DCAT.landingPage, URIRef(dataset.page)
    yield URIRef(dataset.page), RDF.type, FOAF.Document
    yield node, DCAT.theme, URIRef(f"{AUTHORITY}/data-theme/{publication.theme}")
    for language in ("sv", "en"):
        for word in getattr(dataset.keywords, language):
            yield node, DCAT.keyword, Literal(word, lang=language)
    yield node, DCTERMS.accessRights, URIRef(f"{AUTHORITY}/access-right/PUBLIC")
    frequency = f"{AUTHORITY}/frequency/{publication.frequency}"
    yield node, DCTERMS.accrualPeriodicity, URIRef(frequency)
    yield node, DCTERMS.issued, _instant(dataset.issued)
    yield node, DCTERMS.modified, _instant(dataset.release.issued)
    yield node, DCAT.version, Literal(dataset.release.version)
    # In words: a version before has no address of its own, and both profiles lack
    # dcat:previousVersion; dcat:hasVersion asks for a described dataset.
    if dataset.release.changes:
        yield from _both(node, ADMS.versionNotes, changelog.summary(dataset.release.changes))
    for place in publication.spatial:
        yield node, DCTERMS.spatial, URIRef(place)
    yield from _period(dataset)


def _period(dataset: Dataset) -> Iterator[Triple]:
    if dataset.release.period is None:
        return
    node, period = URIRef(dataset.iri), URIRef(dataset.iri.replace("/id/dataset/", "/id/period/"))
    first, last = dataset.release.period
    yield node, DCTERMS.temporal, period
    yield period, RDF.type, DCTERMS.PeriodOfTime
    yield period, DCAT.startDate, _instant(first)
    yield period, DCAT.endDate, _instant(last)


def _distribution(
    dataset: Dataset, distribution: Distribution, flavour: Flavour
) -> Iterator[Triple]:
    node, publication = URIRef(distribution.iri), dataset.release.publication
    yield node, RDF.type, DCAT.Distribution
    yield from _both(node, DCTERMS.title, distribution.title)
    yield from _both(node, DCTERMS.description, _told(distribution))
    yield node, DCAT.accessURL, URIRef(distribution.url)
    yield node, DCAT.downloadURL, URIRef(distribution.url)
    size = Literal(str(distribution.file.bytes), datatype=XSD.nonNegativeInteger)
    yield node, DCAT.byteSize, size
    yield node, DCTERMS.issued, _instant(dataset.issued)
    yield node, DCTERMS.modified, _instant(dataset.release.issued)
    yield node, DCATAP.availability, URIRef(f"{AUTHORITY}/planned-availability/AVAILABLE")
    for predicate, value in flavour(distribution, publication.licence):
        yield node, predicate, value
    if distribution.format.standard:
        yield node, DCTERMS.conformsTo, URIRef(distribution.format.standard)
        yield URIRef(distribution.format.standard), RDF.type, DCTERMS.Standard
    if publication.attribution:
        rights = URIRef(dataset.iri.replace("/id/dataset/", "/id/rights/"))
        yield node, DCTERMS.rights, rights
        yield rights, RDF.type, DCTERMS.RightsStatement
        yield rights, RDF.type, ODRS.RightsStatement
        yield rights, ODRS.attributionText, Literal(publication.attribution, lang="sv")
    yield from _checksum(distribution)


def _checksum(distribution: Distribution) -> Iterator[Triple]:
    node = URIRef(distribution.checksum_iri)
    yield URIRef(distribution.iri), SPDX.checksum, node
    yield node, RDF.type, SPDX.Checksum
    yield node, SPDX.algorithm, SPDX.checksumAlgorithm_sha256
    value = Literal(distribution.file.sha256, datatype=XSD.hexBinary, normalize=False)
    yield node, SPDX.checksumValue, value


def _swedish_form(distribution: Distribution, licence: str) -> Iterator[tuple[URIRef, Node]]:
    yield DCTERMS.format, Literal(distribution.format.media_type)
    yield DCTERMS.license, URIRef(LICENCES[licence].iri)


def _european_form(distribution: Distribution, licence: str) -> Iterator[tuple[URIRef, Node]]:
    kind, media = distribution.format, "https://www.iana.org/assignments/media-types"
    yield DCTERMS.format, URIRef(f"{AUTHORITY}/file-type/{kind.eu_format}")
    yield DCAT.mediaType, URIRef(f"{media}/{kind.media_type}")
    yield DCTERMS.license, URIRef(LICENCES[licence].eu_iri)


def _told(distribution: Distribution) -> Text:
    if distribution.form == "csv":
        return Text(
            sv="Alla rader som kommaseparerad text (UTF-8), tider i UTC.",
            en="Every row as comma-separated text (UTF-8), times in UTC.",
        )
    return Text(
        sv="Alla rader som Parquet, för analysverktyg; tider i UTC.",
        en="Every row as Parquet, for analysis tools; times in UTC.",
    )


def _both(node: Node, predicate: URIRef, text: Text) -> Iterator[Triple]:
    yield node, predicate, Literal(text.sv, lang="sv")
    yield node, predicate, Literal(text.en, lang="en")


def _instant(text: str) -> Literal:
    # normalize=False keeps the text as it was given, so the bytes do not depend on rdflib.
    kind = XSD.date if len(text) == 10 else XSD.dateTime
    return Literal(text, datatype=kind, normalize=False)
