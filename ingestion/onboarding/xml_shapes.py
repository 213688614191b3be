"""Where in XML documents the records are: the elements that stand there most often with values.

Paths are written as the format `xml` reads them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ingestion.deliveries import Member
from ingestion.onboarding.json_shapes import Shape
from ingestion.onboarding.tables import MOST_ROWS, Table, of_rows
from lakehouse.errors import DeliveryRefused, Problem


def find(members: Sequence[Member]) -> Shape:
    """The records of XML files of one kind.

    Raises:
        DeliveryRefused: A file is not well-formed, or has a document type.
    """
    found: dict[str, list[tuple[int, Element, Element | None]]] = defaultdict(list)
    for member in members:
        root = _root(member)
        _walk(root, None, f"/{_local(root.tag)}", member.number, found)
    repeated = {path: some for path, some in found.items() if len(some) > 1} or found
    tables = {path: of_rows(_rows(some[:MOST_ROWS])) for path, some in repeated.items()}
    ranked = sorted(tables, key=lambda path: _merit(path, tables[path]), reverse=True)
    best = ranked[0]
    others = tuple((path, tables[path].count) for path in ranked[1:4])
    return Shape(best, tables[best], others)


def _root(member: Member) -> Element:
    try:
        root: Element = fromstring(member.path.read_bytes(), forbid_dtd=True)
    except (DefusedXmlException, ParseError, ValueError, LookupError) as error:
        raise DeliveryRefused(
            Problem(member.label, f"the XML cannot be read: {error}", "Ask for plain XML.")
        ) from error
    return root


def _walk(
    node: Element,
    outer: Element | None,
    path: str,
    file: int,
    found: dict[str, list[tuple[int, Element, Element | None]]],
) -> None:
    if len(node) or node.attrib:
        found[path].append((file, node, outer))
    for child in node:
        _walk(child, node, f"{path}/{_local(child.tag)}", file, found)


def _rows(
    some: Sequence[tuple[int, Element, Element | None]],
) -> Iterator[tuple[int, dict[str, str | None]]]:
    for file, node, outer in some:
        row = dict(_leaves(node, ""))
        if outer is not None:
            own = Counter(_local(child.tag) for child in outer)
            for child in outer:
                if not len(child) and own[_local(child.tag)] == 1 and child.text:
                    row[f"../{_local(child.tag)}"] = child.text.strip() or None
            row |= {f"../@{_local(name)}": value for name, value in outer.attrib.items()}
        yield file, row


def _leaves(node: Element, path: str) -> Iterator[tuple[str, str | None]]:
    for name, value in node.attrib.items():
        yield (f"{path}/@{_local(name)}" if path else f"@{_local(name)}"), value
    if not len(node) and (text := (node.text or "").strip()):
        yield path or ".", text
    names = Counter(_local(child.tag) for child in node)
    for child in node:
        name = _local(child.tag)
        if names[name] == 1:
            yield from _leaves(child, f"{path}/{name}" if path else name)


def _merit(path: str, table: Table) -> tuple[bool, int, int]:
    own = [name for name in table.cells if not name.startswith("../")]
    return any(table.is_number(name) for name in own), table.count * len(own), -path.count("/")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
