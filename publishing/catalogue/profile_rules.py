"""The cardinalities of DCAT-AP-SE 3.0.1 as a table.

Source: the profile's RDForms bundle (diggsweden/DCAT-AP-SE, 3.0.1/bundle.json); no SHACL is
published. A test holds this table to the bundle where a copy is at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from rdflib import DCTERMS, FOAF, OWL, RDF, URIRef

from publishing.catalogue.dcat import ADMS, DCAT, DCATAP, SPDX, VCARD

Kind = Literal["language", "literal", "date", "size", "duration", "decimal", "iri", "resource"]
"""What a value must be: a text with a language, any literal, a typed literal, an IRI, or an IRI
or blank node."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One property of one class.

    Attributes:
        property: The property.
        minimum: 1 when it is mandatory.
        maximum: Most values allowed; None for any number.
        kind: What each value must be.
    """

    property: URIRef
    minimum: int
    maximum: int | None
    kind: Kind


def _rule(predicate: URIRef, kind: Kind, minimum: int = 0, maximum: int | None = None) -> Rule:
    return Rule(predicate, minimum, maximum, kind)


TYPES: Final = {
    "Catalog": (DCAT.Catalog,),
    "Dataset": (DCAT.Dataset,),
    "DatasetSeries": (DCAT.DatasetSeries,),
    "Distribution": (DCAT.Distribution,),
    "DataService": (DCAT.DataService,),
    "Agent": (FOAF.Agent, FOAF.Person, FOAF.Organization),
    "Contact": (VCARD.Organization, VCARD.Individual, VCARD.Kind),
    "Checksum": (SPDX.Checksum,),
}
"""Classes of the profile and the RDF types that mark their nodes."""

_RESOURCE: Final = (
    _rule(DCTERMS.title, "language", 1),
    _rule(DCTERMS.description, "language", 1),
    _rule(DCTERMS.publisher, "resource", 1, 1),
    _rule(DCAT.contactPoint, "resource"),
    _rule(DCAT.keyword, "language"),
    _rule(DCAT.theme, "resource"),
    _rule(DCTERMS.issued, "date", 0, 1),
    _rule(DCTERMS.modified, "date", 0, 1),
    _rule(DCAT.landingPage, "iri"),
    _rule(DCTERMS.conformsTo, "iri"),
    _rule(DCTERMS.temporal, "resource"),
    _rule(DCTERMS.accrualPeriodicity, "iri", 0, 1),
    _rule(FOAF.page, "iri"),
    _rule(DCATAP.applicableLegislation, "iri", 0, 1),
)
"""What datasets and series have in common."""

RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "Catalog": (
        _rule(DCTERMS.title, "language", 1),
        _rule(DCTERMS.description, "language", 1),
        _rule(DCTERMS.publisher, "resource", 1, 1),
        _rule(DCTERMS.license, "iri", 1, 1),
        _rule(DCAT.dataset, "resource", 1),
        _rule(DCTERMS.issued, "date", 0, 1),
        _rule(DCTERMS.modified, "date", 0, 1),
        _rule(DCTERMS.language, "iri"),
        _rule(DCTERMS.spatial, "iri"),
        _rule(DCTERMS.isPartOf, "resource", 0, 1),
        _rule(FOAF.homepage, "iri", 0, 1),
        _rule(DCAT.themeTaxonomy, "iri"),
    ),
    "Dataset": (
        *_RESOURCE,
        _rule(DCTERMS.accessRights, "iri", 0, 1),
        _rule(DCTERMS.creator, "resource", 0, 1),
        _rule(DCTERMS.identifier, "literal"),
        _rule(DCTERMS.language, "iri"),
        _rule(DCAT.temporalResolution, "duration", 0, 1),
        _rule(DCAT.spatialResolutionInMeters, "decimal", 0, 1),
        _rule(DCAT.version, "literal", 0, 1),
        _rule(OWL.versionInfo, "literal", 0, 1),
        _rule(ADMS.versionNotes, "language"),
        _rule(DCAT.distribution, "resource"),
        _rule(DCAT.inSeries, "iri"),
    ),
    "DatasetSeries": _RESOURCE,
    "Distribution": (
        _rule(DCTERMS.title, "language"),
        _rule(DCTERMS.description, "language"),
        _rule(DCAT.accessURL, "iri", 1, 1),
        _rule(DCAT.downloadURL, "iri"),
        _rule(DCTERMS.format, "literal", 1, 1),
        _rule(DCAT.accessService, "iri"),
        _rule(DCTERMS.license, "resource", 0, 1),
        _rule(DCAT.byteSize, "size", 0, 1),
        _rule(DCAT.temporalResolution, "duration", 0, 1),
        _rule(DCAT.spatialResolutionInMeters, "decimal", 0, 1),
        _rule(DCTERMS.issued, "date", 0, 1),
        _rule(DCTERMS.modified, "date", 0, 1),
        _rule(DCATAP.availability, "iri", 0, 1),
        _rule(DCATAP.applicableLegislation, "iri", 0, 1),
        _rule(ADMS.status, "iri", 0, 1),
        _rule(SPDX.checksum, "resource", 0, 1),
        _rule(FOAF.page, "iri"),
        _rule(DCTERMS.conformsTo, "iri"),
        _rule(DCTERMS.rights, "resource", 0, 1),
    ),
    "DataService": (
        _rule(DCTERMS.title, "language", 1),
        _rule(DCTERMS.description, "language"),
        _rule(DCAT.endpointURL, "iri", 1),
        _rule(DCAT.endpointDescription, "iri"),
        _rule(DCTERMS.format, "literal", 1, 1),
        _rule(DCTERMS.accessRights, "iri", 0, 1),
        _rule(DCTERMS.license, "resource", 0, 1),
        _rule(DCAT.contactPoint, "resource"),
        _rule(DCAT.keyword, "language"),
        _rule(DCTERMS.publisher, "resource"),
        _rule(DCAT.servesDataset, "iri"),
    ),
    "Agent": (
        _rule(FOAF.name, "language", 1),
        _rule(DCTERMS.type, "iri", 1, 1),
        _rule(DCTERMS.description, "language"),
        _rule(DCTERMS.identifier, "literal"),
        _rule(FOAF.homepage, "iri"),
        _rule(FOAF.mbox, "iri"),
        _rule(OWL.sameAs, "iri"),
    ),
    "Contact": (
        _rule(RDF.type, "iri", 1, 1),
        _rule(VCARD.fn, "literal", 1),
        _rule(VCARD.hasEmail, "iri", 1),
        _rule(VCARD.hasURL, "iri"),
    ),
    "Checksum": (
        _rule(SPDX.checksumValue, "literal", 1, 1),
        _rule(SPDX.algorithm, "iri", 1, 1),
    ),
}
