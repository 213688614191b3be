"""What the bytes of a text file are, counted beside the reader that takes it whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ingestion.deliveries import Member
from ingestion.reading.long_numbers import are_within

_CHUNK: Final = 1 << 20
_LONGEST_LINE: Final = 16 << 20
_MARKS: Final = ("\ufeff", "\ufffd")
"""A byte order mark, and the character that stands for bytes that were no text."""
_LINE_END: Final = 10
_ENDS: Final = np.array([10], np.uint8)
_UNDERSCORE: Final = 95
_ASCII: Final = 128
_SPACE: Final = 32
"""Below it stand the control characters."""


@dataclass(frozen=True, slots=True)
class Census:
    """What the bytes of a text file are, counted without a parser.

    Attributes:
        lines: Lines, with the last one whether or not it has an end.
        is_clean: It is UTF-8 with line feeds only: no byte order mark, carriage return or
            other control character that a reader could take for something else, but tabs.
        is_grouped: Somewhere a digit, an underscore and a digit follow each other.
        words: How often each of the words that were asked for occurs.
        has_long_numbers: Whether a number may have more digits than a double, if asked.
    """

    lines: int
    is_clean: bool
    is_grouped: bool
    words: tuple[int, ...]
    has_long_numbers: bool = False


def census(path: Path, words: Sequence[bytes] = (), *, long_numbers: bool = False) -> Census:
    """Count the lines of a file and words without a line end in it, and look at its bytes.

    Args:
        path: The file.
        words: What to count.
        long_numbers: Whether to look for numbers with more digits than a double has.
    """
    lines, found = 0, [0] * len(words)
    is_clean, is_grouped, is_long = True, False, False
    for part in _parts(path):
        lines += part.count_of(b"\n")
        is_clean = is_clean and part.is_clean()
        is_grouped = is_grouped or part.is_grouped()
        is_long = is_long or (long_numbers and are_within(memoryview(part.text)[: part.length]))
        for number, word in enumerate(words):
            found[number] += part.count_of(word)
        if not is_clean:
            break
        lines += not part.is_ended
    return Census(lines, is_clean, is_grouped, tuple(found), is_long)


@dataclass(slots=True)
class _Part:
    """Whole lines of a file, in memory that is used again for the next ones.

    Getting new memory costs more than looking at it.

    Attributes:
        text: They stand at its beginning.
        length: Bytes of them.
        found: Where what is found of each letter is noted.
        is_cut: Whether they are only a piece of a line that is too long.
    """

    text: bytearray
    length: int
    found: np.ndarray
    is_cut: bool

    @property
    def letters(self) -> np.ndarray:
        return np.frombuffer(self.text, np.uint8, self.length)

    @property
    def is_ended(self) -> bool:
        return self.text[self.length - 1] == _LINE_END

    def count_of(self, word: bytes) -> int:
        """How often a word stands in the lines."""
        if len(word) == 1:
            return self._equal(self.letters, word[0])
        return self.text.count(word, 0, self.length) if self._has_pair(word[:2]) else 0

    def _equal(self, letters: np.ndarray, letter: int) -> int:
        is_letter = np.equal(letters, letters.dtype.type(letter), out=self.found[: len(letters)])
        return int(np.count_nonzero(is_letter))

    def _has(self, letter: bytes) -> bool:
        return self.text.find(letter, 0, self.length) >= 0

    def _has_pair(self, pair: bytes) -> bool:
        """Whether two letters stand side by side, which is seen quicker than where a word is."""
        wanted = int(np.frombuffer(pair, np.uint16)[0])
        return self._has(pair[:1]) and any(
            self._equal(np.frombuffer(self.text, np.uint16, (self.length - at) // 2, at), wanted)
            for at in (0, 1)
        )

    def is_clean(self) -> bool:
        """Whether they are UTF-8 without the characters that readers differ on."""
        letters = self.letters
        control = np.less(letters, np.uint8(_SPACE), out=self.found[: self.length])
        strange = int(np.count_nonzero(control)) - self.count_of(b"\n")
        if strange:
            strange -= self.count_of(b"\t")
        return not (strange or self.is_cut) and self._is_text(letters)

    def _is_text(self, letters: np.ndarray) -> bool:
        if int(letters.max()) < _ASCII:
            return True
        try:
            text = letters.tobytes().decode()
        except UnicodeDecodeError:
            return False
        return not any(mark in text for mark in _MARKS)

    def is_grouped(self) -> bool:
        if not self._has(b"_"):
            return False
        letters = np.concatenate([_ENDS, self.letters, _ENDS])
        places = np.flatnonzero(letters == _UNDERSCORE)
        before, after = letters[places - 1], letters[places + 1]
        zero, nine = b"09"
        return bool(np.any((before >= zero) & (before <= nine) & (after >= zero) & (after <= nine)))


def _parts(path: Path) -> Iterator[_Part]:
    """A file, some whole lines at a time; a line that is too long comes in pieces that are not."""
    text, rest = bytearray(2 * _CHUNK), 0
    found = np.empty(len(text), np.bool_)
    with path.open("rb") as file:
        while True:
            if len(text) - rest < _CHUNK:
                text = text + bytes(len(text))  # the old one may still be looked at
                found = np.empty(len(text), np.bool_)
            read = file.readinto(memoryview(text)[rest : rest + _CHUNK])
            end = rest + read
            cut = text.rfind(b"\n", 0, end) + 1 if read else end
            is_cut = end - cut > _LONGEST_LINE
            if cut := end if is_cut else cut:
                yield _Part(text, cut, found, is_cut)
            if not read:
                return
            rest = end - cut
            text[:rest] = text[cut:end]


def ends(chunk: bytes) -> np.ndarray:
    """Where the line ends of a piece of a file are."""
    return np.flatnonzero(np.frombuffer(chunk, np.uint8) == _LINE_END)


def begun(
    members: Sequence[Member], words: Sequence[bytes] = (), *, long_numbers: bool = False
) -> list[Future[Census]]:
    """Begin to count lines and words of files, beside whatever reads them meanwhile."""
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="census")
    counts = [
        pool.submit(census, member.path, words, long_numbers=long_numbers) for member in members
    ]
    pool.shutdown(wait=False)
    return counts
