"""Facts that DCAT-AP's shapes expect beside a catalogue: what the EU tables' IRIs are.

pySHACL must not fetch the tables, so the classes of the IRIs are stated here, for a hand-kept
list only: a misspelt IRI gets no class, and the shapes then find it.
"""

from rdflib import DCTERMS, FOAF, RDF, RDFS, SKOS, Graph, Literal, Namespace, URIRef

AUTHORITY = "http://publications.europa.eu/resource/authority"
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
DCAT = Namespace("http://www.w3.org/ns/dcat#")
SPDX = Namespace("http://spdx.org/rdf/terms#")
CONCEPTS = {
    "language": (DCTERMS.LinguisticSystem, ["SWE", "ENG"]),
    "frequency": (DCTERMS.Frequency, ["DAILY", "UPDATE_CONT"]),
    "access-right": (DCTERMS.RightsStatement, ["PUBLIC"]),
    "data-theme": (SKOS.Concept, ["ENVI", "ENER"]),
    "file-type": (DCTERMS.MediaTypeOrExtent, ["CSV", "PARQUET"]),
    "licence": (DCTERMS.LicenseDocument, ["CC0", "CC_BY_4_0"]),
    "planned-availability": (SKOS.Concept, ["AVAILABLE"]),
}


def background() -> Graph:
    graph = Graph()
    for child, parent in [
        (VCARD.Organization, VCARD.Kind),
        (VCARD.Individual, VCARD.Kind),
        (FOAF.Organization, FOAF.Agent),
        (DCAT.DatasetSeries, DCAT.Dataset),
    ]:
        graph.add((child, RDFS.subClassOf, parent))
    for table, (kind, codes) in CONCEPTS.items():
        scheme = URIRef(f"{AUTHORITY}/{table}")
        graph.add((scheme, RDF.type, SKOS.ConceptScheme))
        graph.add((scheme, DCTERMS.title, Literal(table, lang="en")))
        for code in codes:
            node = URIRef(f"{AUTHORITY}/{table}/{code}")
            for type_ in (kind, SKOS.Concept):
                graph.add((node, RDF.type, type_))
            graph.add((node, SKOS.inScheme, scheme))
            graph.add((node, SKOS.prefLabel, Literal(code, lang="en")))
    for media in ("text/csv", "application/vnd.apache.parquet"):
        node = URIRef(f"https://www.iana.org/assignments/media-types/{media}")
        graph.add((node, RDF.type, DCTERMS.MediaType))
    cc0 = URIRef("http://creativecommons.org/publicdomain/zero/1.0/")
    graph.add((cc0, RDF.type, DCTERMS.LicenseDocument))
    graph.add((URIRef("http://sws.geonames.org/2673730/"), RDF.type, DCTERMS.Location))
    graph.add((SPDX.checksumAlgorithm_sha256, RDF.type, SPDX.ChecksumAlgorithm))
    for kind in ("LocalAuthority", "Company"):
        node = URIRef(f"http://purl.org/adms/publishertype/{kind}")
        graph.add((node, RDF.type, SKOS.Concept))
        graph.add((node, SKOS.prefLabel, Literal(kind, lang="en")))
    return graph
