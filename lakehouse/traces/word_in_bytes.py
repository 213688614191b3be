"""One word in whatever bytes: how a device's id is told from others, in any writing.

`LAS-1` is not in `LAS-10`: a letter or a digit beside it makes it another word. Ids of others that
hold it (`LAS-1-B`) are given, and are stepped over. What is looked for is the id as it is, in
capitals and in small letters (a reader may have changed them), in UTF-8, Latin-1 and UTF-16, as
JSON escapes it, and as an address does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import quote

ERASED: Final = "erased"
"""What stands in a text in the place of a word that was taken out of it."""

_BEFORE: Final = r"(?<![0-9A-Za-z])"
_AFTER: Final = r"(?![0-9A-Za-z])"


@dataclass(frozen=True)
class Word:
    """A word to look for.

    Attributes:
        text: The word.
        others: Words that hold it and are not meant.
    """

    text: str
    others: frozenset[str] = frozenset()

    @classmethod
    def of(cls, text: str, known: Iterable[str] = ()) -> Word:
        """The word, told from those of the known ones that it could be taken for."""
        own = text.casefold()
        return cls(text, frozenset(one for one in known if own in one.casefold() and one != text))

    @property
    def longest(self) -> int:
        """Bytes that an occurrence can take, with a neighbour on each side."""
        return max(len(written) for one in (self.text, *self.others) for written in _written(one))

    @cached_property
    def in_texts(self) -> re.Pattern[str]:
        """Finds it in texts, as group `own`; what matches without that group is another's."""
        own = [re.escape(one) for one in self._spelt()]
        return re.compile(_either(own, [re.escape(one) for one in self._longest_first()]))

    @cached_property
    def in_bytes(self) -> re.Pattern[bytes]:
        """Finds it in bytes of whatever encoding, in the same way."""
        own = _each_written(self._spelt())
        others = _each_written(self._longest_first())
        pattern = _either(
            [re.escape(one).decode("latin-1") for one in own],
            [re.escape(one).decode("latin-1") for one in others],
        )
        return re.compile(pattern.encode("latin-1"))

    def is_in(self, text: str) -> bool:
        """Whether a text has it."""
        return any(found["own"] is not None for found in self.in_texts.finditer(text))

    def without(self, text: str) -> str:
        """A text with something else in its place."""
        return self.in_texts.sub(lambda found: found[0] if found["own"] is None else ERASED, text)

    def _spelt(self) -> list[str]:
        spelt = dict.fromkeys((self.text, self.text.lower(), self.text.upper()))
        return [one for one in spelt if one not in self.others]

    def _longest_first(self) -> list[str]:
        return sorted(self.others, key=len, reverse=True)


def _either(own: Collection[str], others: Collection[str]) -> str:
    parts = [f"{_BEFORE}(?:{'|'.join(others)}){_AFTER}"] if others else []
    return "|".join([*parts, f"{_BEFORE}(?P<own>{'|'.join(own)}){_AFTER}"])


def _each_written(words: Iterable[str]) -> list[bytes]:
    return list(dict.fromkeys(one for word in words for one in _written(word)))


def _written(word: str) -> Iterator[bytes]:
    """The ways a word may be written in a file."""
    yield word.encode()
    with suppress(UnicodeEncodeError):
        yield word.encode("latin-1")
    yield word.encode("utf-16-le")
    yield word.encode("utf-16-be")
    yield json.dumps(word)[1:-1].encode()
    yield quote(word, safe="").encode()
    yield quote(word, safe="/").encode()
