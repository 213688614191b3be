"""Paths into JSON: which parts of a document are records, and where in a record a cell is.

A path is a row of steps, `.name`, `["any name"]` or `[number]` (negative from the end). A path to
records may also hold `[*]` or `.*`: every item of a list, every value of an object. A path to a
cell starts at the record, unless it starts with

    $          the document
    ^          one step out: what the last `*` before the record matched, at last the document;
               `^^` two steps
    @          the record itself, when it is a plain value
    @key       the name or the position (from 0) that the last `*` matched
    @received  when the delivery was received, in UTC

and a step `[@key]` goes to the position the record has in its own list, for answers with parallel
lists. In `{"stations": [{"id": 7, "readings": [{"at": "…", "v": 1.5}]}]}` the records are
`$.stations[*].readings[*]`, their cells `at`, `v` and `^.id`.

Source: the part of RFC 9535 (JSONPath) that data need, with `^` and `@key` added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from lakehouse.errors import ContractError, Problem

Json: TypeAlias = "dict[str, Json] | list[Json] | str | bool | None"
"""A decoded document; its numbers are texts."""

_STEP: Final = re.compile(
    r"""(?P<all>\.?\*|\[\*\]) | \[(?P<here>@key)\] | \[(?P<number>-?\d+)\]
        | \["(?P<double>[^"]*)"\] | \['(?P<single>[^']*)'\] | \.?(?P<name>[^.\[\]*"']+)""",
    re.VERBOSE,
)
_START: Final = re.compile(r"(?P<out>\^+)|(?P<word>@received|@key|@|\$)")


class Misplaced(Exception):
    """A step cannot be taken, because what is there is of another kind; says so in words.

    Attributes:
        node: What is there.
    """

    def __init__(self, what: str, node: Json = None) -> None:
        super().__init__(what)
        self.node = node


class Twins(dict[str, Json]):
    """An object that names a key twice; it has the last value and all `pairs`."""

    pairs: list[tuple[str, Json]]


@dataclass(frozen=True, slots=True)
class Here:
    """The step to the position that the record has in its own list."""


@dataclass(frozen=True, slots=True)
class All:
    """The step to every item of a list or every value of an object."""


Step = str | int | Here | All


@dataclass(frozen=True, slots=True)
class Path:
    """Where a path starts and the steps from there.

    Attributes:
        text: As the contract writes it.
        start: `$`, `^…`, `@`, `@key`, `@received`, or "" for the record.
        out: How many anchors before the record it starts.
        steps: Names, positions, and `*` in a path to records.
    """

    text: str
    start: str
    out: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """A record within its document.

    Attributes:
        anchors: The document, what each `*` matched, and the record as the last one.
        key: What the last `*` matched: a name or a position; None without any.
    """

    anchors: tuple[Json, ...]
    key: str | int | None

    @property
    def record(self) -> Json:
        """The record itself."""
        return self.anchors[-1]


def parse(text: str, place: str, *, many: bool = False) -> Path:
    """Read a path as a contract writes it.

    Args:
        text: The path.
        place: Where the contract says it, for the message.
        many: Whether it may lead to many places, as a path to records does.

    Raises:
        ContractError: It is no path.
    """
    started = _START.match(text)
    start = started.group() if started else ""
    rest = text[len(start) :]
    steps: list[Step] = []
    while rest:
        found = _STEP.match(rest)
        if not found or (found["all"] and not many) or start in ("@key", "@received"):
            raise ContractError(
                Problem(place, f"'{text}' is no path", 'Write steps such as a.b, a[0] or ["a.b"].')
            )
        steps.append(_step(found))
        rest = rest[found.end() :]
    return Path(text, start, start.count("^"), tuple(steps))


def _step(found: re.Match[str]) -> Step:
    if found["all"]:
        return All()
    if found["here"]:
        return Here()
    if found["number"]:
        return int(found["number"])
    return next(name for name in found.group("double", "single", "name") if name is not None)


def matches(document: Json, path: Path) -> Iterator[Match | Misplaced]:
    """The records of a document, in order, and what stands where records should be.

    A list that is missing or null holds no records, unless it leaves the document without any.
    """
    missing: list[str] = []
    empty = True
    for found in _follow((document,), None, path.steps, missing):
        empty = False
        yield found
    if empty and missing:
        yield Misplaced(f"there are no records at {path.text}: {missing[0]}", document)


def _follow(
    anchors: tuple[Json, ...], key: str | int | None, steps: tuple[Step, ...], missing: list[str]
) -> Iterator[Match | Misplaced]:
    node = anchors[-1]
    for number, step in enumerate(steps):
        if isinstance(step, All):
            rest = steps[number + 1 :]
            if not isinstance(node, dict | list):
                yield Misplaced(f"{kind(node)} stands where a list of records should", node)
                return
            if isinstance(node, Twins):
                yield Misplaced(twins(node), node)
                return
            items = node.values() if isinstance(node, dict) else node
            names: Iterable[str | int] = node if isinstance(node, dict) else range(len(node))
            for name, item in zip(names, items, strict=True):
                yield from _follow((*anchors, item), name, rest, missing)
            return
        try:
            node = _take(node, step, key)
        except Misplaced as problem:
            yield problem
            return
        if node is None:
            missing.append(f"'{step}' is missing or null")
            return
    yield Match((*anchors, node) if steps else anchors, key)


def cell(match: Match, path: Path, received: str) -> Json:
    """What a path of a cell leads to; None when it is missing or null.

    Raises:
        Misplaced: A step, or the end, is of another kind than the path says.
    """
    if path.start == "@received":
        return received
    if path.start == "@key":
        return None if match.key is None else str(match.key)
    if path.start == "$":
        node = match.anchors[0]
    else:
        node = match.anchors[max(-1 - path.out, -len(match.anchors))]
    for step in path.steps:
        node = _take(node, step, match.key)
        if node is None:
            return None
    if isinstance(node, dict | list):
        raise Misplaced(f"'{path.text}' is {kind(node)}, not a plain value")
    return node


def _take(node: Json, step: Step, key: str | int | None) -> Json:
    if isinstance(node, dict) and isinstance(step, str):
        # A key that nobody asks for may stand twice: no reader in bulk would notice it either.
        if isinstance(node, Twins) and [name for name, _ in node.pairs].count(step) > 1:
            raise Misplaced(twins(node), node)
        return node.get(step)
    if isinstance(step, Here):
        step = key if key is not None else 0
    if isinstance(node, list) and isinstance(step, int):
        return node[step] if -len(node) <= step < len(node) else None
    raise Misplaced(f"'{step}' is asked of {kind(node)}", node)


def twins(node: Twins) -> str:
    """Which keys an object names twice, in words."""
    names = [name for name, _ in node.pairs]
    doubled = sorted({name for name in names if names.count(name) > 1})
    return f"an object names a key twice: {', '.join(doubled)[:200]}"


def kind(node: Json) -> str:
    """What a value is, in words."""
    if node is None:
        return "null"
    if isinstance(node, dict):
        return "an object"
    return "a list" if isinstance(node, list) else "a plain value"
