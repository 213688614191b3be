"""Which part a column plays: device, position, channel name, quality code, or a measurement."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ingestion.onboarding import meanings
from ingestion.onboarding.tables import Table
from lakehouse.contracts import Vocabulary

_DEVICE: Final = re.compile(
    r"(?i)sensor|station|device|enhet|m[aä]tare|meter(?!s)|deveui|stolpe|node|\bsite\b|thing"
)
_IDENTITY: Final = re.compile(
    r"(?i)(^|[_. -])(id|nr|no|key|code|kod|uuid|eui)\d*$|id\d?$|^id|@key$"
)
_NAME: Final = re.compile(r"(?i)(^|[_. ])(name|namn|title|titel)$")
_LONGITUDE: Final = re.compile(r"(?i)(^|[._@\s])(lon|lng|long|longitude|longitud|x)\b|lon$")
_LATITUDE: Final = re.compile(r"(?i)(^|[._@\s])(lat|latitude|latitud|y)\b|lat$")
_QUALITY: Final = re.compile(r"(?i)quality|kvalit|flag|flagga|\bqc\b|godk|validity")
_VALUE: Final = re.compile(r"(?i)^(value|värde|varde|mätvärde|result|reading|val|v)$|\.value$")
_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {"g": "good", "good": "good", "ok": "good", "valid": "good", "godkänd": "good",
     "y": "uncertain", "uncertain": "uncertain", "suspect": "uncertain", "misstänkt": "uncertain",
     "r": "bad", "bad": "bad", "invalid": "bad", "error": "bad", "fel": "bad"}
)  # fmt: skip
_PERSONAL: Final = re.compile(
    r"(?i)personn|e-?mail|epost|telefon|phone|mobil|regnr|regplate|licen[cs]e.?plate|kund|"
    r"customer|user|owner_name|\bmac\b|imei|födel"
)
_PERSON_NUMBER: Final = re.compile(r"(19|20)?\d{6}[-+]\d{4}|[^@\s]+@[^@\s]+\.\w+")


@dataclass(frozen=True, slots=True)
class Key:
    """What tells rows apart.

    Attributes:
        column: The column with the device; None when there is none.
        runner_up: Another column that would do.
        devices: How many devices there are.
        repeats: Share of rows whose device and time (and channel) another row has, too.
    """

    column: str | None
    runner_up: str | None
    devices: int
    repeats: float


@dataclass(frozen=True, slots=True)
class Narrow:
    """Columns of rows with one measurement each."""

    channel: str
    value: str
    unit: str | None


def key(table: Table, times: Sequence[object], taken: frozenset[str], channel: str | None) -> Key:
    """The column that says which device a row is of.

    Args:
        table: The rows.
        times: Their times.
        taken: Columns that play another part.
        channel: Column with the channel, of narrow rows.
    """
    alone = _repeats(table, times, None, channel)
    found: list[tuple[float, float, str]] = []
    for name in table.cells:
        filled = table.filled(name)
        if name in taken or not filled or len(filled) < 0.9 * table.count:
            continue
        likeness = _likeness(name, table, filled)
        if likeness > 0:
            found.append((-_repeats(table, times, name, channel), likeness, name))
    # A name that says so counts for little where rows stay apart worse than without it.
    # Where times alone tell rows apart, a code that changes from row to row is no device.
    few = table.count / 20
    fit = [
        one for one in found
        if (one[1] >= 1 or -one[0] < alone)
        and (alone > 0.01 or table.count == 1 or len(set(table.filled(one[2]))) <= min(few, 1)
             or one[1] >= 2)
    ]  # fmt: skip
    ranked = sorted(fit, key=lambda one: (round(one[0], 1), one[1]), reverse=True)
    if not ranked:
        return Key(None, None, 0, alone)
    repeats, _, best = ranked[0]
    runner_up = ranked[1][2] if len(ranked) > 1 else None
    return Key(best, runner_up, len(set(table.filled(best))), -repeats)


def is_identity(name: str) -> bool:
    """Whether a column's name says that it numbers things."""
    return bool(_IDENTITY.search(re.sub(r'["\]]', "", name)))


def _likeness(name: str, table: Table, filled: Sequence[str]) -> float:
    """How much a column looks like the names of devices; 0 when not at all."""
    distinct = len(set(filled))
    score = 2.0 * bool(_DEVICE.search(name)) + 1.5 * bool(_IDENTITY.search(name))
    score += 0.5 * bool(_NAME.search(name))
    if any("." in cell and table.number(cell) is not None for cell in filled[:50]):
        return 0.0  # a measured number
    if any(len(cell) > 80 or "://" in cell for cell in filled[:50]):
        return 0.0
    if score == 0 and not table.is_number(name) and 1 < distinct <= max(2, table.count):
        score = 0.2
    if re.search(r"(?i)type|typ$|model|manuf", name):
        score = min(score, 0.1)
    return score if distinct > 1 or score >= 1 else 0.0


def _repeats(
    table: Table, times: Sequence[object], device: str | None, channel: str | None
) -> float:
    names = [name for name in (device, channel) if name]
    keys = Counter(zip(times, *(table.cells[name] for name in names), strict=True))
    return sum(count - 1 for count in keys.values()) / max(1, table.count)


def position(table: Table) -> tuple[str, str] | None:
    """The columns with longitude and latitude in degrees."""

    def named(pattern: re.Pattern[str], most: float) -> str | None:
        for name in table.cells:
            numbers = table.numbers(name) if pattern.search(name) else []
            if numbers and all(abs(value) <= most for value in numbers) and any(
                value != int(value) for value in numbers
            ):  # fmt: skip
                return name
        return None

    longitude, latitude = named(_LONGITUDE, 180), named(_LATITUDE, 90)
    return (longitude, latitude) if longitude and latitude else None


def quality(table: Table) -> tuple[str, dict[str, list[str]], list[str]] | None:
    """The column with quality codes, what known codes mean, and the codes nobody knows."""
    for name in table.cells:
        codes = sorted(set(table.filled(name)))
        if _QUALITY.search(name) and 0 < len(codes) <= 12 and all(len(code) < 20 for code in codes):
            known: dict[str, list[str]] = {}
            for code in codes:
                if meaning := _CODES.get(code.lower()):
                    known.setdefault(meaning, []).append(code)
            return name, known, [code for code in codes if code.lower() not in _CODES]
    return None


def narrow(table: Table, taken: frozenset[str], vocabulary: Vocabulary) -> Narrow | None:
    """The columns of rows with one measurement each; None when rows are wide.

    One column names what is measured, in words of the vocabulary; another is called value.
    """
    values = [name for name in table.cells if _VALUE.search(name) and table.is_number(name)]
    if not values:
        return None
    units = meanings.unit_names(vocabulary)
    for name in table.cells:
        words = sorted(set(table.filled(name)))
        if name in taken or name in values or not 0 < len(words) <= 60 or table.is_number(name):
            continue
        found = [meanings.of_column(word, "", (), vocabulary) for word in words]
        if sum(one.confidence >= meanings.SURE for one in found) >= 0.5 * len(words):
            unit = next(
                (u for u in table.cells
                 if u not in (name, *values) and table.filled(u)
                 and all(cell in units for cell in set(table.filled(u)))), None,
            )  # fmt: skip
            return Narrow(name, values[0], unit)
    return None


def personal(table: Table) -> list[str]:
    """Columns that may speak of persons, by name or by what stands in them."""
    return [
        name for name in table.cells
        if _PERSONAL.search(name)
        or any(_PERSON_NUMBER.fullmatch(cell) for cell in table.filled(name)[:200])
    ]  # fmt: skip


def sentinels(table: Table, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Numbers that stand for nothing, such as -200 or 9999, by column: as they are written."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        cells = Counter(table.filled(name))
        suspects = [cell for cell in cells if _is_sentinel(table.number(cell))]
        real = sorted(
            value for cell in cells if cell not in suspects
            and (value := table.number(cell)) is not None
        )  # fmt: skip
        out = tuple(cell for cell in suspects if _stands_out(table.number(cell), real))
        if out:
            found[name] = out
    return found


_SENTINELS: Final = frozenset((-200.0, -99.0, -99.9, -99.99, -999.0, -999.9, -9999.0, -9999.9,
                               999.0, 999.9, 9999.0, 9999.9, 99999.0, -32768.0, 32767.0, 65535.0,
                               -1e30, 1e30, -127.0, 6999.0, 8888.0))  # fmt: skip


def _is_sentinel(value: float | None) -> bool:
    return value in _SENTINELS


def _stands_out(value: float | None, real: Sequence[float]) -> bool:
    """Whether a number lies farther from the others than the middle half of them is wide."""
    if value is None or not real:
        return False
    gap = real[0] - value if value < real[0] else value - real[-1]
    middle = real[3 * len(real) // 4] - real[len(real) // 4]
    return gap > 0 and gap > middle and gap > 0.2 * (real[-1] - real[0])
