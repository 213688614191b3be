"""Draft contracts: what a person has still to decide in them.

A value `DECIDE` stands for an answer that no machine may guess; the comment above it asks the
question. A contract with `status: draft` is no source yet: only `sjostad source check` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from lakehouse.errors import ContractError, Problem

Value: TypeAlias = Any
"""What a YAML document holds."""

DECIDE: Final = "DECIDE"
_DRAFT: Final = re.compile(r"""^status:\s*["']?draft["']?\s*(#.*)?$""", re.MULTILINE)
_LATER: Final = {
    "organisation": "stockholms_stad",
    "initiative": "undecided",
    "owner": "undecided",
    "contact": "undecided@stockholm.example",
    "k": 2,
    "r": 1,
    "t": 1,
    "personalData": False,
}
"""Answers that say nothing about how bytes are read; a trial goes on with these in their place."""
_NAMED: Final = ("property", "name", "server")
"""Keys that name an item of a list in ODCS."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """One thing a person has to decide.

    Attributes:
        key: Where it stands, such as `customProperties.source.organisation`.
        line: Line of the file, from 1.
        question: The question as the file asks it.
    """

    key: str
    line: int
    question: str

    @property
    def stops_reading(self) -> bool:
        """Whether the sample cannot be read before it is decided."""
        return not (
            self.key.startswith(("customProperties.source.", "customProperties.classification."))
            or self.key.startswith(("slaProperties", "description", "domain"))
        )

    def problem(self, path: Path) -> Problem:
        """The same as a problem with its remedy."""
        remedy = self.question or "Write what is right; docs/contracts.md explains the key."
        return Problem(f"{path}, line {self.line}: {self.key}", "this is undecided", remedy)


def is_draft(path: Path) -> bool:
    """Whether a contract says that it is a draft."""
    try:
        return bool(_DRAFT.search(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        return False  # reading it says what is wrong


def undecided(path: Path) -> tuple[Undecided, ...]:
    """What is undecided in a contract file, in its order; nothing where it is no YAML."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if DECIDE not in text:
        return ()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return ()  # reading the contract says what is wrong
    lines = text.splitlines()
    return tuple(Undecided(key, line, _question(lines, line)) for key, line in _places(root, ""))


def with_stand_ins(data: Value, key: str = "") -> Value:
    """A contract's data with stand-ins for what says nothing about how bytes are read."""
    if isinstance(data, dict):
        return {name: with_stand_ins(item, name) for name, item in data.items()}
    if isinstance(data, list):
        return [with_stand_ins(item) for item in data if not _is_open_promise(item)]
    return _LATER.get(key, data) if data == DECIDE else data


def require_decided(path: Path) -> None:
    """Check that nothing is left to decide in a contract.

    Raises:
        ContractError: Naming each of them.
    """
    if found := undecided(path):
        raise ContractError(*(one.problem(path) for one in found))


def _is_open_promise(item: object) -> bool:
    return (
        isinstance(item, dict)
        and item.get("property") == "frequency"
        and DECIDE in (item.get("value"), item.get("unit"))
    )


def _places(node: yaml.Node | None, key: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.ScalarNode) and node.value == DECIDE:
        yield key, node.start_mark.line + 1
    elif isinstance(node, yaml.MappingNode):
        names = [name.value for name, _ in node.value]
        for name, item in node.value:
            # `{property: zone, value: DECIDE}` is one thing to people, and called `zone`.
            is_value = name.value == "value" and "property" in names
            yield from _places(item, key if is_value else _joined(key, name.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _places(item, _item(key, number, item))


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _item(key: str, number: int, item: yaml.Node) -> str:
    """An item of a list by its name where it has one, else by its number."""
    if isinstance(item, yaml.MappingNode):
        own = {name.value: value.value for name, value in item.value}
        for word in _NAMED:
            if isinstance(own.get(word), str):
                return f"{key}.{own[word]}"
    return f"{key}[{number}]"


def _question(lines: list[str], line: int) -> str:
    """The comment that asks the question, on the line itself or above it."""
    own = lines[line - 1].partition("# DECIDE:")[2]
    if own:
        return own.strip()
    said: list[str] = []
    for text in reversed(lines[: line - 1]):
        comment = text.strip()
        if not comment.startswith("#"):
            break
        words = comment.lstrip("# ").strip()
        if words.startswith(("check:", "seen:")):
            said.clear()
            continue
        said.insert(0, words.removeprefix("DECIDE:").strip())
        if words.startswith("DECIDE:"):
            return " ".join(said)
    return ""
