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

_CHUNK: Final = 1 << 20
_LONGEST_LINE: Final = 16 << 20
_STRANGE: Final = (b"\r", b"\0", b"\x1d", b"\x1f")
_MARKS: Final = ("\ufeff", "\ufffd")
"""A byte order mark, and the character that stands for bytes that were no text."""
_LINE_END: Final = 10


@dataclass(frozen=True, slots=True)
class Census:
    """What the bytes of a text file are, counted without a parser.

    Attributes:
        lines: Lines, with the last one whether or not it has an end.
        is_clean: It is UTF-8 with line feeds only: no byte order mark, carriage return or
            control character that a reader could take for something else.
        words: How often each of the words that were asked for occurs.
    """

    lines: int
    is_clean: bool
    words: tuple[int, ...]


def census(path: Path, words: Sequence[bytes] = ()) -> Census:
    """Count the lines of a file and words without a line end in it, and look at its bytes."""
    lines, found, rest = 0, [0] * len(words), b""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_clean = True
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            is_clean = is_clean and _is_clean(chunk, decoder)
            lines += ends(chunk).size
            cut = chunk.rfind(b"\n") + 1
            whole, rest = (rest + chunk[:cut], chunk[cut:]) if cut else (b"", rest + chunk)
            for number, word in enumerate(words):
                found[number] += _count(whole, word)
            if not is_clean or len(rest) > _LONGEST_LINE:
                return Census(lines, is_clean=False, words=tuple(found))
    for number, word in enumerate(words):
        found[number] += rest.count(word)
    is_whole = not decoder.getstate()[0]
    return Census(lines + bool(rest), is_clean=is_whole, words=tuple(found))


def ends(chunk: bytes) -> np.ndarray:
    """Where the line ends of a piece of a file are."""
    return np.flatnonzero(np.frombuffer(chunk, np.uint8) == _LINE_END)


def _count(text: bytes, word: bytes) -> int:
    if len(word) > 1:
        return text.count(word)
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == word[0]))


def _is_clean(chunk: bytes, decoder: codecs.IncrementalDecoder) -> bool:
    """Whether a piece of a file is UTF-8 without the characters that readers differ on."""
    if not chunk.isascii() or decoder.getstate()[0]:
        try:
            text = decoder.decode(chunk)
        except UnicodeDecodeError:
            return False
        if any(mark in text for mark in _MARKS):
            return False
    return not any(sign in chunk for sign in _STRANGE)


def begun(members: Sequence[Member], words: Sequence[bytes] = ()) -> list[Future[Census]]:
    """Begin to count lines and words of files, beside whatever reads them meanwhile."""
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="census")
    counts = [pool.submit(census, member.path, words) for member in members]
    pool.shutdown(wait=False)
    return counts
