"""SQL as it stands in dbt's files: stretches of tokens between what Jinja says.

A file is one stretch in which expressions of Jinja are names and its statements and comments are
blanks of the same length, so every token stands where it stands in the file. SQL that is handed to
a macro as text is a stretch of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot.dialects import DuckDB
from sqlglot.errors import TokenError

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_PUNCTUATION = re.compile(r"\{\{-?\s*'(?:,|union all)'")
"""Expressions that end a line of a list, or join queries: no names."""
_TEXT = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number, text or sign of SQL: where it begins, where it has ended, and its letters."""

    start: int
    end: int
    text: str

    @property
    def word(self) -> str:
        """The token as keywords and functions are compared."""
        return self.text.lower()


@dataclass(frozen=True, slots=True)
class Fragment:
    """A stretch of SQL.

    Attributes:
        tokens: What it is made of, in order.
        is_whole: False for one that is handed to a macro, and may begin with an operator.
    """

    tokens: tuple[Token, ...]
    is_whole: bool


def jinja_of(text: str) -> Iterator[tuple[int, str]]:
    """Everything that Jinja reads, with where it begins; comments are left out."""
    for found in _JINJA.finditer(text):
        if not found[0].startswith("{#"):
            yield found.start(), found[0]


def fragments_of(text: str) -> list[Fragment]:
    """The stretches of SQL of a file.

    Args:
        text: The file, with Jinja in it.
    """
    found = [Fragment(_tokens(_JINJA.sub(_blank, text), 0), is_whole=True)]
    for begins, said in jinja_of(text):
        if "config(" in said or "dispatch(" in said:
            continue
        for quoted in _TEXT.finditer(said):
            group = 1 if quoted[1] is not None else 2
            if _is_sql(quoted[group]):
                start = begins + quoted.start(group)
                found.append(Fragment(_tokens(quoted[group], start), is_whole=False))
    return found


def _is_sql(said: str) -> bool:
    return bool(re.search(r"[a-z(] *[-+*/<>=]+ *[a-z(0-9]|^ *[-+] |\(|\border by\b", said))


def _blank(found: re.Match[str]) -> str:
    said = found[0]
    if said.startswith("{{") and not _PUNCTUATION.match(said):
        return "_" * len(said)
    return re.sub(r"[^\n]", " ", said)


def _tokens(text: str, offset: int) -> tuple[Token, ...]:
    try:
        told = DuckDB().tokenize(text)
    except TokenError:  # the half of a text that is put together
        return ()
    return tuple(
        Token(one.start + offset, one.end + 1 + offset, text[one.start : one.end + 1])
        for one in told
    )


def closing(tokens: tuple[Token, ...], opening: int) -> int:
    """The number of the token that closes a parenthesis or a case.

    Args:
        tokens: A stretch.
        opening: The number of the token that opens.

    Returns:
        The length of the stretch, if nothing closes it there.
    """
    depth = 0
    for number in range(opening, len(tokens)):
        depth += _turn(tokens[number].word)
        if depth == 0:
            return number
    return len(tokens)


def until(tokens: tuple[Token, ...], start: int, ends: frozenset[str]) -> int:
    """The number of the first token, not in parentheses, that is one of the ends or closes."""
    depth = 0
    for number in range(start, len(tokens)):
        word = tokens[number].word
        if depth == 0 and (word in ends or _turn(word) < 0):
            return number
        depth += _turn(word)
    return len(tokens)


def split(tokens: tuple[Token, ...], start: int, end: int, by: str) -> list[tuple[int, int]]:
    """Parts of a stretch between tokens of one kind that stand in no parentheses.

    The `and` of a `between` is none.
    """
    parts, depth, begun, is_between = [], 0, start, False
    for number in range(start, end):
        word = tokens[number].word
        depth += _turn(word)
        if depth == 0 and word == "between":
            is_between = True
        elif depth == 0 and word == by:
            if is_between and by == "and":
                is_between = False
                continue
            parts.append((begun, number))
            begun = number + 1
    return [*parts, (begun, end)]


def _turn(word: str) -> int:
    if word in ("(", "[", "case"):
        return 1
    return -1 if word in (")", "]", "end") else 0
