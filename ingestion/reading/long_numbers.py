"""Decimal numbers in JSON that have more digits than a double can tell.

DuckDB's JSON reader makes a double of every number with a point or an exponent and forgets its
digits, so nobody can tell afterwards that there were more. Their bytes can: a file that has such
a number is left to the readers that keep the digits. Whole numbers come with all of them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np

MOST_DIGITS: Final = 17
"""Significant digits that tell every double from the next; more are not a double's own."""
_CHUNK: Final = 1 << 20
_OVERLAP: Final = 64
"""Bytes of a chunk that are looked at again with the next; a number in them may be cut."""
_FIRST: Final = ord(".")
_SPAN: Final = ord("9") - _FIRST
"""The signs of `./0123456789`; a slash among them only makes a place worth a closer look."""
_PER_BYTE: Final = 8
_FULL: Final = 0xFF
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[-+0-9.eE]+')
_NUMBER: Final = re.compile(rb"-?0*\.?0*([0-9.]*)(?:[eE][-+]?[0-9]+)?")
_LEADING: Final = np.array([8 - (_FULL ^ byte).bit_length() for byte in range(256)], np.uint8)
_TRAILING: Final = np.array(
    [8 if byte == _FULL else ((~byte & -~byte).bit_length() - 1) for byte in range(256)], np.uint8
)


def are_in(path: Path) -> bool:
    """Whether a file may hold such a number; a longer one in a text may be taken for one."""
    before = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if are_within(before + chunk):
                return True
            before = chunk[-_OVERLAP:]
    return False


def are_within(chunk: bytes | memoryview) -> bool:
    """The same of a part of a file that cuts no number.

    A run of digits and points that is long enough is looked for by eight signs at once.

    A run of 18 signs fills at least one group of eight, and reaches ten signs beyond it.
    """
    text = np.frombuffer(chunk, np.uint8)
    groups = np.packbits((text - _FIRST) <= _SPAN)
    full = np.flatnonzero(groups == _FULL)
    if not len(full):
        return False
    around = np.concatenate([np.zeros(2, np.uint8), groups, np.zeros(3, np.uint8)])
    at = full + 2
    first = full[around[at - 1] != _FULL]  # each run by the first group that it fills
    at = first + 2
    before = _TRAILING[around[at - 1]].astype(np.int64)
    after = _LEADING[around[at + 1]].astype(np.int64)
    after += np.where(around[at + 1] == _FULL, _LEADING[around[at + 2]], 0)
    after += np.where((around[at + 1] == _FULL) & (around[at + 2] == _FULL), _PER_BYTE, 0)
    starts, ends = first * _PER_BYTE - before, (first + 1) * _PER_BYTE + after
    ends = np.minimum(ends, len(text))
    with_point = ends - starts > MOST_DIGITS + 1
    without = ends - starts == MOST_DIGITS + 1
    return _any_long(text, starts[with_point], ends[with_point]) or _any_power(
        chunk, starts[without].tolist(), ends[without].tolist()
    )


def _any_long(text: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> bool:
    """Whether a run still has too many digits without the zeros it begins with and its point.

    Most have not: the digits of 0.30000000000000004 are 17.
    """
    stripped = starts.copy()
    has_point = np.zeros(len(starts), bool)
    while len(stripped):
        sign = text[np.minimum(stripped, len(text) - 1)]
        is_point = sign == _FIRST
        goes_on = (stripped < ends) & (is_point | (sign == ord("0")))
        if not goes_on.any():
            break
        has_point |= goes_on & is_point
        stripped = stripped + goes_on
    return bool((ends - stripped - ~has_point > MOST_DIGITS).any())


def _any_power(chunk: bytes | memoryview, starts: list[int], ends: list[int]) -> bool:
    """Whether a run is the whole number before an exponent; without one it keeps its digits."""
    return any(
        chunk[end : end + 1] in (b"e", b"E") and b"." not in bytes(chunk[start:end])
        for start, end in zip(starts, ends, strict=True)
    )


def quoted(document: str) -> str:
    """JSON with these numbers in quotes: a text keeps its digits wherever it is taken."""

    def told(found: re.Match[bytes]) -> bytes:
        token = found[0]
        digits = _NUMBER.fullmatch(token)
        is_decimal = any(sign in token for sign in (b".", b"e", b"E"))
        is_long = digits is not None and len(digits[1].replace(b".", b"")) > MOST_DIGITS
        return b'"' + token + b'"' if is_decimal and is_long else token

    return _TOKEN.sub(told, document.encode("utf-8", "surrogatepass")).decode(
        "utf-8", "surrogatepass"
    )
