"""XML of any shape, read by paths, as a stream: what is not in a record is let go.

`delivery.records` names the elements that are records: `/a/b/c` from the root, or `b/c` at any
depth. A column's physicalName is a path from the record: `b/c` an element's text, `b/@id` or
`@id` an attribute, `.` the record's own text, `../b` one element further out (of what stands
before the record), `/a/b` from the root. `b[2]` is the second of several; without a number
several are an error. Names are local names: prefixes and namespaces do not count.

A document type or an entity is refused unread: data need neither, attacks do.

Source: XML 1.0; the paths are a part of XPath 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, ParseError, tostring

import duckdb
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from ingestion.deliveries import Member
from ingestion.reading import cells, columns
from ingestion.reading.cells import Row
from ingestion.reading.offered import Reading
from ingestion.reading.paths import Misplaced
from lakehouse.contracts import SourceContract
from lakehouse.errors import ContractError, DeliveryRefused, Problem

_DEEPEST: Final = 200
_STEP: Final = re.compile(r"(\.\.|[^/@\[\]]+?)(?:\[(\d+)\])?")


@dataclass(frozen=True, slots=True)
class Path:
    """Where a cell is: steps out of the record or down from the root, then down by name.

    Attributes:
        text: As the contract writes it.
        is_absolute: Whether it starts at the root.
        out: How many elements out of the record it starts.
        steps: Local names with the number that picks one of several, from 1.
        attribute: Name of the attribute at the end.
    """

    text: str
    is_absolute: bool
    out: int
    steps: tuple[tuple[str, int | None], ...]
    attribute: str | None


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read XML documents.

    Raises:
        ContractError: The contract does not say which elements are records, or a path is none.
        DeliveryRefused: A file is not well-formed, has a document type, or nests absurdly.
    """
    if not contract.delivery.records:
        raise ContractError(
            Problem(
                f"{contract.path}: customProperties.delivery.records",
                "XML needs the path of the elements that are records",
                "Write one such as 'stations/station'.",
            )
        )
    return cells.reading(connection, members, contract, _rows(members, contract))


def parse(text: str, place: str) -> Path:
    """Read a path as a contract writes it.

    Raises:
        ContractError: It is no path.
    """
    body, _, attribute = text.partition("@")
    steps = [step for step in body.strip("/").split("/") if step not in ("", ".")]
    found = [_STEP.fullmatch(step) for step in steps]
    out = sum(step == ".." for step in steps)
    picks_early = text.startswith("/") and any(step and step[2] for step in found[:-1])
    if not all(found) or ".." in steps[out:] or ("@" in text and not attribute) or picks_early:
        raise ContractError(
            Problem(place, f"'{text}' is no path", "Write one such as a/b, a/@id, ../b or /a/b.")
        )
    named = tuple((step[1], int(step[2]) if step[2] else None) for step in found[out:] if step)
    return Path(text, text.startswith("/"), out, named, attribute or None)


def _rows(members: Sequence[Member], contract: SourceContract) -> Iterator[Row]:
    place = f"{contract.path}: schema[0].properties"
    plan = [parse(name, place) for name in columns.names(contract) if name != "@received"]
    where = contract.delivery.records or ""
    names = columns.names(contract)
    keeps = any(path.out for path in plan)
    for member in members:
        received = member.delivery.offer.received_at.isoformat()
        header = _header(member, [path for path in plan if path.is_absolute])
        for number, (trail, nested) in enumerate(_records(member, where, keeps), start=1):
            raw = tostring(trail[-1], encoding="unicode")
            try:
                if nested:
                    raise Misplaced("a record stands inside a record")
                told = {path.text: _cell(trail, path, header) for path in plan}
            except Misplaced as problem:
                yield Row(member.number, number, raw, (), "layout", str(problem))
            else:
                told["@received"] = received
                yield Row(member.number, number, raw, [told[name] for name in names])


def _elements(member: Member, events: tuple[str, ...]) -> Iterator[tuple[str, Element]]:
    """The events of a file; every way it can be bad becomes a refusal."""
    try:
        with member.path.open("rb") as file:
            yield from iterparse(file, events, forbid_dtd=True)
    except DefusedXmlException as error:
        raise DeliveryRefused(
            Problem(
                member.label,
                f"the XML carries a document type or entities ({type(error).__name__})",
                "Ask for plain XML; data need no document type.",
            )
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise DeliveryRefused(
            Problem(member.label, f"the XML is not well-formed: {error}", "Ask for it again.")
        ) from error


def _records(member: Member, where: str, keeps: bool) -> Iterator[tuple[tuple[Element, ...], bool]]:
    """Each record with the elements around it, outermost first, and whether it is in another.

    Elements outside of records are dropped as soon as they end; when the contract looks out of
    the record, only those that have had a record.
    """
    wanted = tuple(where.strip("/").split("/"))
    trail: list[Element] = []
    names: list[str] = []
    inside: list[int] = []
    spent: list[bool] = []
    for event, element in _elements(member, ("start", "end")):
        if event == "start":
            trail.append(element)
            names.append(_local(element.tag))
            spent.append(not keeps)
            if len(trail) > _DEEPEST:
                raise DeliveryRefused(
                    Problem(
                        member.label,
                        f"elements are nested more than {_DEEPEST} deep",
                        "Ask the supplier what this is.",
                    )
                )
            if _is_at(names, wanted, where.startswith("/")):
                inside.append(len(trail))
            continue
        is_record = bool(inside) and inside[-1] == len(trail)
        if is_record:
            inside.pop()
            yield tuple(trail), bool(inside)
            spent = [True] * len(spent)
        trail.pop()
        names.pop()
        if spent.pop() and trail and not inside:
            trail[-1].remove(element)


def _is_at(names: Sequence[str], wanted: tuple[str, ...], is_absolute: bool) -> bool:
    if is_absolute:
        return tuple(names) == wanted
    return len(names) >= len(wanted) and tuple(names[-len(wanted) :]) == wanted


def _header(member: Member, plan: Sequence[Path]) -> dict[str, str | None]:
    """The cells that are told once for the document, wherever in it they stand."""
    if not plan:
        return {}
    found: dict[str, list[str | None]] = {path.text: [] for path in plan}
    trail: list[Element] = []
    names: list[str] = []
    for event, element in _elements(member, ("start", "end")):
        if event == "start":
            trail.append(element)
            names.append(_local(element.tag))
            continue
        for path in plan:
            if [name for name, _ in path.steps] == names:
                found[path.text].append(_own(element, path))
        names.pop()
        trail.pop()
        if trail:
            trail[-1].remove(element)
    told: dict[str, str | None] = {}
    for path in plan:
        several = found[path.text]
        number = path.steps[-1][1] if path.steps else None
        if number is not None:
            several = several[number - 1 : number]
        if len(several) > 1:
            raise DeliveryRefused(
                Problem(
                    member.label,
                    f"'{path.text}' stands {len(several)} times",
                    "Pick one with [1], or read it from the record.",
                )
            )
        told[path.text] = several[0] if several else None
    return told


def _cell(trail: tuple[Element, ...], path: Path, header: dict[str, str | None]) -> str | None:
    if path.is_absolute:
        return header[path.text]
    if path.out >= len(trail):
        raise Misplaced(f"'{path.text}' leads out of the document")
    node = trail[-1 - path.out]
    for name, number in path.steps:
        several = [child for child in node if _local(child.tag) == name]
        if number is not None:
            several = several[number - 1 : number]
        if len(several) > 1:
            raise Misplaced(f"there are {len(several)} of '{name}'; pick one with [1]")
        if not several:
            return None
        node = several[0]
    return _own(node, path)


def _own(element: Element, path: Path) -> str | None:
    """An element's attribute or text."""
    if path.attribute is not None:
        for name, value in element.attrib.items():
            if _local(name) == path.attribute:
                return value
        return None
    if len(element):
        raise Misplaced(f"'{path.text}' holds elements, not a plain value")
    return (element.text or "").strip() or None


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
