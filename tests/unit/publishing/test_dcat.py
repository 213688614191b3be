"""The catalogue as RDF, held to the Swedish profile and to the European shapes."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from pyshacl import validate
from rdflib import DCTERMS, FOAF, RDF, XSD, BNode, Graph, Literal, Namespace, URIRef
from rdflib.compare import isomorphic

from publishing.catalogue import build_catalogue, open_releases
from publishing.catalogue.dcat import DCAT, VCARD, european, swedish
from publishing.catalogue.profile import check
from publishing.catalogue.profile_rules import RULES
from publishing.catalogue.serialisations import json_ld, rdf_xml, turtle
from publishing.making.release import release
from tests.unit.publishing.background import background
from tests.unit.publishing.lake import (
    OTHER,
    PRODUCT,
    air_rows,
    keep_verdict,
    lake_settings,
    release_both,
    replace_gold,
)

SH = Namespace("http://www.w3.org/ns/shacl#")
DATASET = URIRef(f"https://data.stockholm.example/id/dataset/{PRODUCT}")
CSV = URIRef(f"https://data.stockholm.example/id/distribution/{PRODUCT}/csv")
CITY = URIRef("http://dataportal.se/organisation/SE2120000142")


@pytest.fixture(scope="module")
def settings(tmp_path_factory, contracts):
    found = lake_settings(tmp_path_factory.mktemp("lake"))
    release_both(found, contracts)
    # A second release, so that the catalogue tells what has changed.
    rows = air_rows(50)
    keep_verdict(found, contracts, replace_gold(found, rows), len(rows))
    release(found, contracts, PRODUCT)
    return found


@pytest.fixture(scope="module")
def catalogue(settings, contracts):
    return build_catalogue(settings, contracts, open_releases(settings, contracts))


@pytest.fixture
def graph(catalogue) -> Graph:
    """The Swedish catalogue as a harvester reads it."""
    return Graph().parse(data=rdf_xml(swedish(catalogue)), format="xml")


def told(graph: Graph) -> str:
    return "\n".join(str(problem) for problem in check(graph))


def swap(graph: Graph, subject: URIRef, predicate: URIRef, *values: object) -> None:
    graph.remove((subject, predicate, None))
    for value in values:
        graph.add((subject, predicate, value))


def test_the_swedish_catalogue_fulfils_the_profile(graph):
    assert told(graph) == ""
    assert not [node for triple in graph for node in triple if isinstance(node, BNode)]
    assert graph.value(CSV, DCTERMS.format) == Literal("text/csv")


def test_an_organisation_that_many_share_is_described_once(graph):
    assert set(graph.objects(CITY, FOAF.name)) == {
        Literal("Stockholms stad", lang="sv"),
        Literal("City of Stockholm", lang="en"),
    }
    assert len(list(graph.subjects(RDF.type, FOAF.Agent))) == 2


FAULTS = {
    "no title": (lambda g: swap(g, DATASET, DCTERMS.title), "dcterms:title: it is mandatory"),
    "literal publisher": (
        lambda g: swap(g, DATASET, DCTERMS.publisher, Literal("Staden")),
        "is no resource",
    ),
    "no language": (
        lambda g: swap(g, DATASET, DCTERMS.title, Literal("Luft")),
        "is no language",
    ),
    "licence https": (
        lambda g: swap(
            g, CSV, DCTERMS.license, URIRef("https://creativecommons.org/publicdomain/zero/1.0/")
        ),
        "harvester does not know",
    ),
    "licence deed": (
        lambda g: swap(
            g, CSV, DCTERMS.license, URIRef("http://creativecommons.org/licenses/by/4.0/deed.sv")
        ),
        "harvester does not know",
    ),
    "blank dataset": (lambda g: g.add((BNode("x"), RDF.type, DCAT.Dataset)), "blank node"),
    "blank contact": (lambda g: g.add((BNode("x"), RDF.type, VCARD.Individual)), "blank node"),
    "byte size decimal": (
        lambda g: swap(g, CSV, DCAT.byteSize, Literal("12.0", datatype=XSD.decimal)),
        "is no size",
    ),
    "byte size text": (lambda g: swap(g, CSV, DCAT.byteSize, Literal("12")), "is no size"),
    "negative size": (
        lambda g: swap(g, CSV, DCAT.byteSize, Literal("-1", datatype=XSD.nonNegativeInteger)),
        "is no size",
    ),
    "two publishers": (
        lambda g: g.add((DATASET, DCTERMS.publisher, URIRef("http://x.example/y"))),
        "it has 2 values",
    ),
    "undescribed publisher": (
        lambda g: swap(g, DATASET, DCTERMS.publisher, URIRef("http://x.example/y")),
        "is not described as Agent",
    ),
    "agent is contact": (
        lambda g: g.add((CITY, RDF.type, VCARD.Organization)),
        "it is a contact as well",
    ),
    "no publisher type": (lambda g: swap(g, CITY, DCTERMS.type), "dcterms:type: it is mandatory"),
    "no access url": (lambda g: swap(g, CSV, DCAT.accessURL), "dcat:accessURL: it is mandatory"),
    "no format": (lambda g: swap(g, CSV, DCTERMS.format), "dcterms:format: it is mandatory"),
    "format word": (lambda g: swap(g, CSV, DCTERMS.format, Literal("CSV")), "is no media type"),
    "format iri": (
        lambda g: swap(g, CSV, DCTERMS.format, URIRef("http://x.example/CSV")),
        "is no literal",
    ),
    "relative address": (
        lambda g: swap(g, CSV, DCAT.accessURL, URIRef("files/luft.csv")),
        "no absolute",
    ),
    "space in address": (
        lambda g: swap(g, CSV, DCAT.accessURL, URIRef("http://x.example/l u f t")),
        "no absolute",
    ),
    "date word": (
        lambda g: swap(g, DATASET, DCTERMS.issued, Literal("i går")),
        "is no date",
    ),
    "wrong theme": (
        lambda g: swap(g, DATASET, DCAT.theme, URIRef("http://x.example/ENVI")),
        "is not of the table",
    ),
    "catalogue licence": (
        lambda g: swap(
            g,
            URIRef("https://data.stockholm.example/id/catalog"),
            DCTERMS.license,
            URIRef("http://creativecommons.org/licenses/by/4.0/"),
        ),
        "Metadata are CC0",
    ),
    "same number twice": (
        lambda g: g.add(
            (
                URIRef("http://dataportal.se/organisation/SE5560081647"),
                DCTERMS.identifier,
                Literal("212000-0142"),
            )
        ),
        "has the same identifier",
    ),
    "high value without category": (
        lambda g: g.add(
            (
                DATASET,
                URIRef("http://data.europa.eu/r5r/applicableLegislation"),
                URIRef("http://data.europa.eu/eli/reg_impl/2023/138/oj"),
            )
        ),
        "mandatory for a high-value dataset",
    ),
    "catalogue record": (
        lambda g: g.add((DATASET, RDF.type, DCAT.CatalogRecord)),
        "CatalogRecord is not allowed",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_caught(graph, fault):
    plant, words = FAULTS[fault]
    plant(graph)
    assert words in told(graph)


def test_an_empty_graph_is_no_catalogue():
    assert "there is no dcat:Catalog" in told(Graph())


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
@pytest.mark.parametrize("flavour", [swedish, european])
def test_the_serialisations_say_the_same(catalogue, flavour):
    graph = flavour(catalogue)
    one = Graph().parse(data=turtle(graph), format="turtle")
    assert isomorphic(one, Graph().parse(data=rdf_xml(graph), format="xml"))
    assert isomorphic(one, Graph().parse(data=json_ld(graph), format="json-ld"))
    assert json.loads(json_ld(graph))


def test_the_bytes_do_not_depend_on_the_process(catalogue, tmp_path):
    source = tmp_path / "in.ttl"
    source.write_bytes(turtle(european(catalogue)))
    code = (
        "import sys, hashlib; from rdflib import Graph, DCAT;"
        "from publishing.catalogue.dcat import _PREFIXES;"
        "from publishing.catalogue.serialisations import *;"
        "g = Graph(bind_namespaces='none');"
        "[g.bind(p, n) for p, n in _PREFIXES.items()];"
        f"g.parse({str(source)!r});"
        "print([hashlib.sha256(f(g)).hexdigest() for f in (rdf_xml, turtle, json_ld)])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


def test_a_blank_node_has_no_place_in_our_rdf_xml():
    graph = Graph()
    graph.add((BNode(), DCTERMS.title, Literal("x")))
    with pytest.raises(ValueError, match="has no IRI"):
        rdf_xml(graph)


def test_hostile_text_stays_text(catalogue):
    nasty = catalogue.title.model_copy(update={"sv": '<b>&\x00\x08 "hej" ]]></b>'})
    graph = swedish(replace(catalogue, title=nasty))
    again = Graph().parse(data=rdf_xml(graph), format="xml")
    titles = [str(title) for title in again.objects(URIRef(catalogue.iri), DCTERMS.title)]
    assert '<b>& "hej" ]]></b>' in titles


def test_only_what_is_open_now_and_was_open_then_is_shown(settings, contracts, catalogue):
    closed = contracts.products[PRODUCT]
    publication = closed.publication.model_copy(update={"audience": "internal"})
    products = dict(contracts.products) | {PRODUCT: replace(closed, publication=publication)}
    found = open_releases(settings, replace(contracts, products=products))
    assert [one.product for one in found] == [OTHER]


def shape_errors(graph: Graph, shapes: Graph) -> list[str]:
    data = graph + background()
    _, report, _ = validate(
        data, shacl_graph=shapes, do_owl_imports=False, advanced=False, inference="none"
    )
    top = set(report.objects(None, SH.result))
    return sorted(
        f"{report.value(node, SH.resultPath)} {report.value(node, SH.resultMessage)} "
        f"{report.value(node, SH.focusNode)} {report.value(node, SH.value)}"
        for node in top
        if report.value(node, SH.resultSeverity) == SH.Violation
    )


@pytest.mark.parametrize("name", ["shapes", "range"])
def test_the_european_catalogue_fulfils_the_shapes(catalogue, real_data, name):
    shapes = Graph().parse(real_data / "standards" / "dcat-ap" / f"{name}.ttl")
    graph = Graph().parse(data=turtle(european(catalogue)))
    assert shape_errors(graph, shapes) == []
    if name == "shapes":
        graph.remove((DATASET, DCTERMS.title, None))
    else:
        wrong = URIRef("http://publications.europa.eu/resource/authority/frequency/DAYLY")
        swap(graph, DATASET, DCTERMS.accrualPeriodicity, wrong)
    assert len(shape_errors(graph, shapes)) == 1


def test_the_swedish_example_breaks_only_what_came_with_version_3(real_data):
    """The repository's example was written for version 2 of the profile and not updated."""
    folder = real_data / "standards" / "dcat-ap-se" / "exempel"
    found = [
        (problem.place, problem.what)
        for problem in check(Graph().parse(folder / "obligatoriskt.rdf"))
    ]
    base = "https://example.com"
    assert found == [
        (f"Agent {base}/publisher1: dcterms:type", "it is mandatory and missing"),
        (
            f"Agent {base}/publisher1: foaf:name",
            '"Exampel organization." is no language',
        ),
        (f"DataService {base}/dataservice1: dcterms:format", "it is mandatory and missing"),
        (f"Distribution {base}/distribution1: dcterms:format", "it is mandatory and missing"),
    ]


def test_the_swedish_example_mended_to_version_3_passes(real_data):
    folder = real_data / "standards" / "dcat-ap-se" / "exempel"
    graph = Graph().parse(folder / "obligatoriskt.rdf")
    agent = URIRef("https://example.com/publisher1")
    local = URIRef("http://purl.org/adms/publishertype/LocalAuthority")
    swap(graph, agent, FOAF.name, Literal("Exempel", lang="sv"))
    swap(graph, agent, DCTERMS.type, local)
    for name in ("dataservice1", "distribution1"):
        swap(graph, URIRef(f"https://example.com/{name}"), DCTERMS.format, Literal("text/csv"))
    assert told(graph) == ""


TEMPLATES = {
    "Catalog": "dcat:Catalog",
    "Dataset": "dcat:Dataset",
    "DatasetSeries": "dcat:DatasetSeries",
    "Distribution": "dcat:Distribution",
    "DataService": "dcat:DataService",
    "Agent": "dcat:foaf:Agent",
    "Contact": "dcat:contactPoint",
}
NODE_TYPES = {
    "language": {"LANGUAGE_LITERAL"},
    "literal": {"ONLY_LITERAL", "LITERAL"},
    "date": {"DATATYPE_LITERAL"},
    "size": {"DATATYPE_LITERAL"},
    "duration": {"DATATYPE_LITERAL"},
    "decimal": {"DATATYPE_LITERAL"},
    "iri": {"URI"},
    "resource": {"RESOURCE"},
}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_the_rules_agree_with_the_official_bundle(real_data, kind):
    path = real_data / "standards" / "dcat-ap-se" / "bundle.json"
    templates = {one["id"]: one for one in json.loads(path.read_text())["templates"] if "id" in one}
    ours = {str(rule.property): rule for rule in RULES[kind]}
    official = bundle_properties(templates, TEMPLATES[kind])

    mandatory = {name for name, (least, _, _) in official.items() if least}
    assert {name for name, rule in ours.items() if rule.minimum} == mandatory
    for name, rule in ours.items():
        least, most, node_type = official[name]
        assert (rule.minimum, rule.maximum) == (least, most), name
        assert node_type is None or node_type in NODE_TYPES[rule.kind], name


PREFIXES = {
    "dcterms": str(DCTERMS),
    "dcat": str(DCAT),
    "foaf": str(FOAF),
    "vcard": str(VCARD),
    "rdf": str(RDF),
    "owl": "http://www.w3.org/2002/07/owl#",
    "prov": "http://www.w3.org/ns/prov#",
    "schema": "http://schema.org/",
}


def bundle_properties(templates, name):
    """Each property of a class in the bundle: (minimum, maximum, node type)."""
    found = {}
    for item in templates[name]["items"]:
        resolved = resolve(templates, item)
        if resolved["property"] is None:
            continue
        prefix, _, rest = resolved["property"].partition(":")
        iri = PREFIXES[prefix] + rest if prefix in PREFIXES else resolved["property"]
        # Where several templates share a property, the strictest maximum counts.
        # `deps` makes a property mandatory only where another one has a certain value.
        least = 0 if resolved["deps"] else resolved["min"]
        _, most, kind = found.get(iri, (0, None, resolved["nodetype"]))
        limits = [limit for limit in (most, resolved["max"]) if limit is not None]
        found[iri] = (least, min(limits, default=None), kind)
    return found


def resolve(templates, item):
    """One item with what it extends and, for a group of choices, the property of its members."""
    one = templates[item] if isinstance(item, str) else item
    base = resolve(templates, one["extends"]) if "extends" in one else {}
    cardinality = one.get("cardinality") or {}
    members = one.get("items", []) if one.get("type") == "group" else []
    property_ = one.get("property") or base.get("property")
    node_type = one.get("nodetype") or base.get("nodetype")
    if property_ is None and members:
        inner = resolve(templates, members[0])
        property_, node_type = inner["property"], node_type or inner["nodetype"]
    return {
        "property": property_,
        "min": cardinality.get("min", base.get("min", 0)),
        "max": cardinality.get("max", base.get("max")),
        "nodetype": node_type,
        "deps": one.get("deps") or base.get("deps"),
    }
