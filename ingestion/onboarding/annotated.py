"""A contract as a mapping whose values may carry remarks, and its text as YAML.

A remark is one of three: `DECIDE`, a question that only a person can answer; `check`, a proposal
that a person should look at; `seen`, what in the sample a value was taken from.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

from lakehouse.contracts.drafts import DECIDE

_WIDTH: Final = 98
Value: TypeAlias = Any
"""What a contract holds: mappings, lists and scalars, with or without remarks."""


@dataclass(frozen=True, slots=True)
class Said:
    """A value with what is to be said above it.

    Attributes:
        value: What the contract says; a mapping or list may hold more of these.
        decide: The question, if the value is `DECIDE`.
        check: Why a person should look at the value.
        seen: What it was seen by.
    """

    value: Value
    decide: str = ""
    check: str = ""
    seen: str = ""

    def remarks(self) -> Iterator[str]:
        """The remarks as they stand in the file."""
        for word, text in (("DECIDE", self.decide), ("check", self.check), ("seen", self.seen)):
            if text:
                # What a file calls its columns must not end a comment.
                yield f"{word}: {''.join(sign if sign.isprintable() else ' ' for sign in text)}"


def ask(question: str) -> Said:
    """A value that only a person can give."""
    return Said(DECIDE, decide=question)


def plain(node: Value) -> Value:
    """The same without remarks."""
    if isinstance(node, Said):
        return plain(node.value)
    if isinstance(node, Mapping):
        return {key: plain(item) for key, item in node.items()}
    if isinstance(node, list | tuple):
        return [plain(item) for item in node]
    return node


def remarked(node: Value, place: str = "") -> Iterator[tuple[str, Said]]:
    """Every value with remarks, with its place such as `delivery.time.zone`."""
    if isinstance(node, Said):
        if any(node.remarks()):
            yield place, node
        yield from remarked(node.value, place)
    elif isinstance(node, Mapping):
        for key, item in node.items():
            yield from remarked(item, f"{place}.{key}" if place else str(key))
    elif isinstance(node, list | tuple):
        for number, item in enumerate(node):
            yield from remarked(item, f"{place}[{number}]")


def as_yaml(document: Mapping[str, Any]) -> str:
    """The contract as text, remarks as comments above what they speak of."""
    return "\n".join(_mapping(document, 0)) + "\n"


def _mapping(node: Mapping[str, Any], indent: int) -> Iterator[str]:
    for key, item in node.items():
        yield from _entry(f"{_scalar(key)}:", item, indent, indent + 2)


def _entry(label: str, item: Value, indent: int, inner: int) -> Iterator[str]:
    """A key or a dash with what belongs to it."""
    pad = " " * indent
    while isinstance(item, Said):
        for remark in item.remarks():
            yield from textwrap.wrap(
                remark, _WIDTH, initial_indent=f"{pad}# ", subsequent_indent=f"{pad}#   ",
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
        item = item.value
    flow = f"{pad}{label} {_scalar(plain(item))}"
    if not any(remarked(item)) and len(flow) <= _WIDTH and _is_small(item):
        yield flow
    elif isinstance(item, Mapping):
        yield from _block_of_mapping(pad, label, item, inner)
    elif isinstance(item, list | tuple):
        yield f"{pad}{label}"
        for one in item:
            yield from _entry("-", one, indent + 2, indent + 4)
    else:
        yield flow


def _block_of_mapping(pad: str, label: str, item: Mapping[str, Any], inner: int) -> Iterator[str]:
    if label != "-":
        yield f"{pad}{label}"
        yield from _mapping(item, inner)
        return
    first = True
    for line in _mapping(item, inner):
        # Remarks of a list item's first key stand above its dash.
        if first and not line.lstrip().startswith("#"):
            yield f"{pad}- {line.lstrip()}"
            first = False
        else:
            yield f"{pad}{line.lstrip()}" if first else line


def _is_small(item: Value) -> bool:
    """Whether it reads well on one line: scalars, and collections of a few of them."""
    if isinstance(item, Mapping):
        return len(item) <= 6 and all(_is_small(one) for one in item.values())
    if isinstance(item, list | tuple):
        return all(not isinstance(one, Mapping) or _is_small(one) for one in item)
    return True


def _scalar(value: Value) -> str:
    """A value in YAML's flow style; signs that YAML would take for line ends are escaped."""
    for is_plain in (True, False):
        text: str = yaml.safe_dump(
            [value], default_flow_style=True, allow_unicode=is_plain, width=10_000, sort_keys=False
        )
        if yaml.safe_load(text) == [value]:
            break
    return text.strip().removeprefix("[").removesuffix("]")


def listed(words: Sequence[str], most: int = 8) -> str:
    """A few words of many."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def counted(number: int, word: str) -> str:
    """A number with its word: `1 row`, `2 rows`."""
    return f"1 {word}" if number == 1 else f"{number:,} {word}s"
