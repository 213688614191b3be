"""What one text holds: of persons, vehicles, homes and devices.

A number with a check digit passes by chance once in ten, and a code can look like a plate. So a
find says in which way it was written; `quality.disclosure.tally` weighs a whole column:

- `sure`: nothing else is written so;
- `bare`, `written`: a run of digits, or with a separator, where others of the column tell;
- `spaced`: a plate as on the car (`ABC 123`); `code`: the whole value, written in another way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, Literal

from quality.disclosure.checksums import dated_as, has_luhn, is_imei
from quality.disclosure.kinds import Kind

Way = Literal["sure", "bare", "written", "spaced", "code"]


@dataclass(frozen=True, slots=True)
class Find:
    """Something in a text that is, or might have been, of a kind.

    Attributes:
        kind: The kind.
        way: How it is written.
        is_checked: Whether its check digit (of phones: its beginning) is right.
        is_dated: Whether all but its check digit is right.
        mark: The letters of a plate, by which a series of codes is told from a register.
    """

    kind: Kind
    way: Way = "sure"
    is_checked: bool = True
    is_dated: bool = True
    mark: str = ""

    @property
    def is_right(self) -> bool:
        """Whether it is one, by all that a single text can tell."""
        return self.is_checked and self.is_dated


_NOISE: Final = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # UUID
    r"|\b(?=[0-9]*[a-f])[0-9a-f]{12,}\b"  # hash, DevEUI
    r"|\b[0-9]{8}T[0-9]{4,6}(?:[.][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?\b",  # ISO 8601, basic
    re.IGNORECASE,
)
_DASH: Final = "[-+\u2010-\u2015\u2212]"
_PERSON: Final = re.compile(
    rf"(?<![0-9])(?<![0-9][.,])([0-9]{{6}}|[0-9]{{8}})( ?{_DASH} ?|[ \xa0])?([0-9]{{4}})"
    r"(?![0-9]|[.,](?!0(?![0-9]))[0-9])"  # `.0`: a number that was once a float
)
_IMEI: Final = re.compile(
    r"(?<![0-9])(?<![0-9][.,])(?:([0-9]{15})|([0-9]{2}[- ][0-9]{6}[- ][0-9]{6}[- ][0-9]))"
    r"(?![0-9]|[.,][0-9])"
)
_EMAIL: Final = re.compile(r"[^\s@<>()\[\],;:\"']+@[^\s@<>()\[\],;:\"'/]+\.[^\W\d_]{2,}")
_BEFORE: Final = r"(?<![0-9A-Za-z_/-])(?<![0-9][.,:])"
_AFTER: Final = r"(?![0-9A-Za-z_:/-]|[.,][0-9])"
_GAP: Final = r"(?:[ \xa0-])?"
_PHONES: Final = (
    # +46 or 0046, then seven to nine digits
    re.compile(rf"{_BEFORE}(?:\+|00){_GAP}46{_GAP}(?:\(0\) ?)?[1-9](?:{_GAP}[0-9]){{6,8}}{_AFTER}"),
    # mobile, written with a gap after 07x
    re.compile(rf"{_BEFORE}\(?07[02369]\)?(?:-| - |[ /\xa0])(?:{_GAP}[0-9]){{7}}{_AFTER}"),
    # usual codes with a hyphen or in brackets, and others if the number is in groups
    re.compile(rf"{_BEFORE}(?:\(0[1-9][0-9]?\) ?|0(?:8|10|20|31|40)(?:-| - |/))[0-9]"
               rf"(?:{_GAP}[0-9]){{5,7}}{_AFTER}"),
    re.compile(rf"{_BEFORE}(?:\(0[1-9][0-9]{{1,2}}\) ?|0[1-9][0-9]{{1,2}}(?:-| - |/))"
               rf"[0-9]{{2,3}} [0-9]{{2,3}}(?: [0-9]{{2,3}})?{_AFTER}"),
    re.compile(rf"{_BEFORE}08 [0-9]{{3}} [0-9]{{2,3}} [0-9]{{2,3}}{_AFTER}"),
)  # fmt: skip
_TEN: Final = re.compile(r"(?<![0-9A-Za-z_.,/-])(0[0-9]{9})(?![0-9A-Za-z_/-]|[.,][0-9])")
_MOBILE: Final = ("070", "072", "073", "076", "079")

_LETTER: Final = "A-HJ-PR-UW-Z"
_PLATE: Final = rf"([{_LETTER}]{{3}})( ?)-?[0-9]{{2}}[0-9A-HJ-NPR-UW-Z]"
_SPACED: Final = re.compile(rf"(?<![\w-])([{_LETTER}]{{3}}) [0-9]{{2}}[0-9A-HJ-NPR-UW-Z](?![\w-])")
_WHOLE: Final = re.compile(_PLATE, re.IGNORECASE)
_TOLD: Final = re.compile(
    r"\b(?:reg\.? ?(?:nr|nummer|plåt|skylt)|registreringsnummer|bil(?:en)?|fordon(?:et)?|lastbil"
    rf"|moped|mc|plate|vehicle|car)\b[ .:,]{{0,3}}{_PLATE}(?![\w-])",
    re.IGNORECASE,
)
_NO_PLATES: Final = frozenset({"KAJ", "LGH", "HUS", "BOX", "TEL", "FAX", "RUM", "SAL", "SEK", "EUR",
                               "USD", "MAX", "TOP", "DEC", "NOX", "MHZ", "KHZ"})  # fmt: skip
"""Words of three letters before a number. A vehicle so named is found by the others' plates."""

_MAC: Final = re.compile(
    r"(?<![0-9A-Fa-f:-])[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}(?![0-9A-Fa-f:-])"
    r"|(?<![0-9A-Fa-f.])[0-9A-Fa-f]{4}[.][0-9A-Fa-f]{4}[.][0-9A-Fa-f]{4}(?![0-9A-Fa-f.])"
)
_IPV4: Final = re.compile(r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w]|\.[0-9])")
_IPV6: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{6,39}(?![\w:])")
_APARTMENT: Final = re.compile(
    r"\b(?:lgh|lägenhet(?:snummer|snr)?|lägenhetsnr|apartment)\.? ?(?:nr)?[.:]? ?[0-9]{1,4}\b",
    re.IGNORECASE,
)
_WORD: Final = "[A-ZÅÄÖ][a-zåäöé]+"
_PROPERTY: Final = re.compile(
    rf"\b{_WORD}(?:[ -]{_WORD})+ ([0-9]{{1,3}}:[0-9]{{1,4}})(?:>[0-9]+)?\b"
)
_CLOCK: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_SON: Final = re.compile(
    r"\b[A-ZÅÄÖÉ][a-zåäöé]+[ -](?:[A-ZÅÄÖ][a-zåäöé]*[. -]+)?[A-ZÅÄÖ][a-zåäö]+sson\b"
)
_ADDRESS: Final = re.compile(
    r"[A-ZÅÄÖ][\w .'-]*(?:gatan|gata|vägen|väg|gränd|stigen|stig|backen|allén|torget|torg|plan|"
    r"kajen|ringen|slingan)\s[0-9]{1,3} ?[A-Za-z]?(?:, .*)?"
)
_PIECE: Final = 4_000
_OVERLAP: Final = 100


def finds(text: str) -> Iterator[Find]:
    """All that a text holds, right or nearly so.

    A long text is read in pieces that overlap: what some patterns cost grows with the square.
    """
    # A column of numbers has millions, which need no other pattern.
    if text.isascii() and text.isdigit() and not text.startswith("0046"):
        yield from _of_digits(text)
        return
    for start in range(0, max(1, len(text) - _OVERLAP), _PIECE):
        yield from _in_piece(text[start : start + _PIECE + _OVERLAP])


def _in_piece(text: str) -> Iterator[Find]:
    plain = _NOISE.sub(" ", text)
    yield from _of_persons(plain)
    yield from _plates(text)
    yield from _of_devices(text)
    if _is_dwelling(text):
        yield Find("dwelling")
    if _ADDRESS.fullmatch(text.strip()):
        yield Find("dwelling_meter")
    if len(text) >= 40 and len(text.split()) >= 6:
        yield Find("free_text")


def _is_dwelling(text: str) -> bool:
    """A property is written `Kommun Trakt 1:23`; `Kommun Trakt 12:30` may be an hour."""
    if any(not _CLOCK.fullmatch(found[1]) for found in _PROPERTY.finditer(text)):
        return True
    is_plate = text.isupper() and _WHOLE.fullmatch(text.strip())  # LGH 123
    return bool(_APARTMENT.search(text)) and not is_plate


def _of_persons(text: str) -> Iterator[Find]:
    for found in _PERSON.finditer(text):
        yield _person(found[1] + found[3], "written" if found[2] else "bare")
    if "@" in text and _EMAIL.search(text):
        yield Find("email")
    if any(pattern.search(text) for pattern in _PHONES):
        yield Find("phone")
    for found in _TEN.finditer(text):
        yield _bare_phone(found[1])
    if _SON.search(text):
        yield Find("person_name")


def _plates(text: str) -> Iterator[Find]:
    if _TOLD.search(text):
        yield Find("vehicle_plate")
    for found in _SPACED.finditer(text):
        if found[1] not in _NO_PLATES:
            yield Find("vehicle_plate", "spaced", mark=found[1])
    whole = _WHOLE.fullmatch(text.strip())
    if whole and not (whole[2] and whole[1].isupper()):
        yield Find("vehicle_plate", "code", mark=whole[1].upper())


def _of_devices(text: str) -> Iterator[Find]:
    if _MAC.search(text):
        yield Find("mac_address")
    if any(_is_ipv4(found[0]) for found in _IPV4.finditer(text)) or any(
        _is_ipv6(found[0]) for found in _IPV6.finditer(text)
    ):
        yield Find("ip_address")
    for found in _IMEI.finditer(_NOISE.sub(" ", text)):
        digits = re.sub("[- ]", "", found[0])
        yield Find("imei", "bare" if found[1] else "written", is_imei(digits))


def _is_ipv4(text: str) -> bool:
    try:
        return not IPv4Address(text).is_unspecified
    except AddressValueError:
        return False


def _is_ipv6(text: str) -> bool:
    """Eight pairs of hexadecimal digits are the EUI-64 of a sensor, not an address."""
    parts = text.split(":")
    if len(parts) < 4 or all(len(part) == 2 for part in parts):
        return False
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def of_number(digits: str) -> Iterator[Find]:
    """What a whole number without a unit holds; as a number it has lost its leading zeros.

    Who was born in 2000 begins with two of them; such a number is too short to be told.
    """
    if len(digits) >= 14:
        yield Find("imei", "bare", is_imei(digits.zfill(15)))
    elif len(digits) in (9, 10, 12):
        yield _person(digits.zfill(10), "bare")


def _of_digits(digits: str) -> Iterator[Find]:
    if len(digits) in (10, 12):
        yield _person(digits, "bare")
    if len(digits) == 10 and digits[0] == "0":
        yield _bare_phone(digits)
    if len(digits) == 15:
        yield Find("imei", "bare", is_imei(digits))


def _person(digits: str, way: Way) -> Find:
    is_checked = has_luhn(digits[-10:])
    kind = dated_as(digits)
    return Find(kind or "personnummer", way, is_checked, kind is not None)


def _bare_phone(digits: str) -> Find:
    return Find("phone", "bare", digits.startswith(_MOBILE))
