"""RDF graphs as bytes that depend on nothing but their triples."""

from __future__ import annotations

import json
import re
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from rdflib import RDF, BNode, Graph, Literal, URIRef
from rdflib.term import Node

_XML_NAMESPACES: Final = {"rdf": str(RDF)}
_NOT_XML: Final = re.compile("[^\\t\\n\\r\\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document may hold, not even escaped."""


def rdf_xml(graph: Graph) -> bytes:
    """RDF/XML, the only syntax that dataportal.se harvests.

    Written here rather than by rdflib, whose order of statements follows the hash seed of the
    process. One element for each subject, in the order of their IRIs.

    Raises:
        ValueError: The graph has a blank node, or a predicate outside its bound namespaces.
    """
    prefixes = _XML_NAMESPACES | {prefix: str(space) for prefix, space in graph.namespaces()}
    declared = "".join(
        f" xmlns:{prefix}={quoteattr(space)}" for prefix, space in sorted(prefixes.items())
    )
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<rdf:RDF{declared}>"]
    for subject in sorted(set(graph.subjects()), key=_order):
        lines.append(f"  <rdf:Description rdf:about={_address(subject)}>")
        for predicate, value in sorted(graph.predicate_objects(subject), key=_pair_order):
            lines.append(f"    {_property(_qualified(predicate, prefixes), value)}")
        lines.append("  </rdf:Description>")
    return "\n".join([*lines, "</rdf:RDF>", ""]).encode()


def turtle(graph: Graph) -> bytes:
    """Turtle; rdflib sorts it."""
    return graph.serialize(format="turtle", encoding="utf-8")


def json_ld(graph: Graph) -> bytes:
    """Expanded JSON-LD with nodes, properties and values in order."""
    nodes: list[dict[str, Any]] = json.loads(graph.serialize(format="json-ld"))
    for node in nodes:
        for values in node.values():
            if isinstance(values, list):
                values.sort(key=lambda value: json.dumps(value, sort_keys=True))
    nodes.sort(key=lambda node: str(node["@id"]))
    return (json.dumps(nodes, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _order(node: Node) -> str:
    return node.n3()


def _pair_order(pair: tuple[Node, Node]) -> tuple[str, str]:
    return pair[0].n3(), pair[1].n3()


def _property(name: str, value: Node) -> str:
    if isinstance(value, Literal):
        kind = f" xml:lang={quoteattr(value.language)}" if value.language else ""
        if value.datatype:
            kind = f" rdf:datatype={quoteattr(value.datatype)}"
        return f"<{name}{kind}>{escape(_NOT_XML.sub('', value))}</{name}>"
    return f"<{name} rdf:resource={_address(value)}/>"


def _address(node: Node) -> str:
    if isinstance(node, BNode) or not isinstance(node, URIRef):
        raise ValueError(f"{node!r} has no IRI")
    return quoteattr(str(node))


def _qualified(predicate: Node, prefixes: dict[str, str]) -> str:
    for prefix, space in prefixes.items():
        rest = str(predicate).removeprefix(space)
        if rest != str(predicate) and rest.isidentifier():
            return f"{prefix}:{rest}"
    raise ValueError(f"{predicate} is in no bound namespace")
