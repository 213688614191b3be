"""Numbers that carry a check digit: of persons and of devices.

Source: Skatteverket, SKV 704 and SKV 707; ISO/IEC 7812-1 annex B (Luhn); 3GPP TS 23.003.
"""

from __future__ import annotations

from datetime import date
from typing import Final, Literal

_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""Of a digit, the sum of the digits of its double."""
_COORDINATION: Final = 60
"""What the day of birth is raised by in a samordningsnummer."""

Person = Literal["personnummer", "samordningsnummer"]


def has_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it (modulus 10, weights 1, 2)."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        number = ord(digit) - 48
        total += _DOUBLED[number] if index % 2 else number
    return total % 10 == 0


def check_digit(digits: str) -> str:
    """The Luhn check digit that belongs after these digits."""
    return next(last for last in "0123456789" if has_luhn(digits + last))


def person(digits: str) -> Person | None:
    """What ten or twelve digits are, if they are the number of a person.

    Args:
        digits: Digits alone. Of ten, the century is not known; any that gives a date will do.
    """
    return dated_as(digits) if has_luhn(digits[-10:]) else None


def is_imei(digits: str) -> bool:
    """Whether fifteen digits are the identity of a phone or modem.

    The first two tell who allotted it; of a hundred pairs these are in use.
    """
    return len(digits) == 15 and digits[:2] in _ALLOTTED and has_luhn(digits)


_ALLOTTED: Final = frozenset({"01", "35", "44", "45", "49", "50", "51", "52", "53", "86", "91",
                              "98", "99"})  # fmt: skip


def dated_as(digits: str) -> Person | None:
    """What ten or twelve digits are by all but the last: a date of birth, and a number after it.

    An organisation number is neither: its third digit is at least 2, a month's is 0 or 1.
    """
    if len(digits) not in (10, 12) or digits[-4:-1] == "000":  # numbers of a day are 001 to 999
        return None
    centuries: tuple[str, ...] = ("18", "19", "20")
    if len(digits) == 12:
        if digits[:2] not in centuries:
            return None
        centuries = (digits[:2],)
    year, month, day = digits[-10:-8], int(digits[-8:-6]), int(digits[-6:-4])
    is_coordination = day > _COORDINATION
    day -= _COORDINATION if is_coordination else 0
    if any(_is_date(int(century + year), month, day) for century in centuries):
        return "samordningsnummer" if is_coordination else "personnummer"
    return None


def _is_date(year: int, month: int, day: int) -> bool:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return False
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
