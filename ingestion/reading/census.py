"""What the bytes of a text file are, counted beside the reader that takes it whole."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
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
_UNDERSCORE: Final = 95
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
    lines, found, rest = 0, [0] * len(words), b""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_clean, is_grouped, is_long = True, False, False
    count = _Counter()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            cut = chunk.rfind(b"\n") + 1
            whole, rest = (rest + chunk[:cut], chunk[cut:]) if cut else (b"", rest + chunk)
            lines += count.of(whole, b"\n")
            is_clean = is_clean and count.has_no_strange(chunk) and _is_text(chunk, decoder)
            is_grouped = is_grouped or _is_grouped(whole)
            is_long = is_long or (long_numbers and are_within(whole))
            for number, word in enumerate(words):
                found[number] += count.of(whole, word)
            if not is_clean or len(rest) > _LONGEST_LINE:
                return Census(lines, False, is_grouped, tuple(found), is_long)
    for number, word in enumerate(words):
        found[number] += rest.count(word)
    is_whole = not decoder.getstate()[0]
    is_grouped = is_grouped or _is_grouped(rest)
    is_long = is_long or (long_numbers and are_within(rest))
    return Census(lines + bool(rest), is_whole, is_grouped, tuple(found), is_long)


class _Counter:
    """Counts letters with one piece of memory, whose pages cost more to get than to fill."""

    def __init__(self) -> None:
        self._found = np.empty(_CHUNK, np.bool_)

    def of(self, text: bytes, word: bytes) -> int:
        """How often a word stands in a text."""
        if len(word) > 1:
            return text.count(word) if self._has_pair(text, word[:2]) else 0
        letters = np.frombuffer(text, np.uint8)
        parts = (letters[at : at + _CHUNK] for at in range(0, len(letters), _CHUNK))
        return sum(self._equal(part, word[0]) for part in parts)

    def _has_pair(self, text: bytes, pair: bytes) -> bool:
        """Whether two letters stand side by side, which is seen quicker than where a word is."""
        if pair[:1] not in text:
            return False
        wanted = np.frombuffer(pair, np.uint16)[0]
        for start in (0, 1):
            pairs = np.frombuffer(text, np.uint16, (len(text) - start) // 2, start)
            for at in range(0, len(pairs), _CHUNK):
                part = pairs[at : at + _CHUNK]
                if np.equal(part, wanted, out=self._found[: len(part)]).any():
                    return True
        return False

    def _equal(self, letters: np.ndarray, letter: int) -> int:
        found = np.equal(letters, np.uint8(letter), out=self._found[: len(letters)])
        return int(np.count_nonzero(found))

    def has_no_strange(self, text: bytes) -> bool:
        """Whether a text has no control characters but line feeds and tabs."""
        letters = np.frombuffer(text, np.uint8)
        control = np.less(letters, np.uint8(_SPACE), out=self._found[: len(letters)])
        return int(np.count_nonzero(control)) == self.of(text, b"\n") + self.of(text, b"\t")


def _is_grouped(text: bytes) -> bool:
    if b"_" not in text:
        return False
    letters = np.frombuffer(b"\n" + text + b"\n", np.uint8)
    places = np.flatnonzero(letters == _UNDERSCORE)
    before, after = letters[places - 1], letters[places + 1]
    zero, nine = b"09"
    return bool(np.any((before >= zero) & (before <= nine) & (after >= zero) & (after <= nine)))


def ends(chunk: bytes) -> np.ndarray:
    """Where the line ends of a piece of a file are."""
    return np.flatnonzero(np.frombuffer(chunk, np.uint8) == _LINE_END)


def _is_text(chunk: bytes, decoder: codecs.IncrementalDecoder) -> bool:
    """Whether a piece of a file is UTF-8 without the characters that readers differ on."""
    if chunk.isascii() and not decoder.getstate()[0]:
        return True
    try:
        text = decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return not any(mark in text for mark in _MARKS)


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
