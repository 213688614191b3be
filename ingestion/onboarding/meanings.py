"""What a column measures, and in which unit: its name held against the vocabulary.

The vocabulary's own words come first (ids, Swedish and English names, every name of a unit).
Beside them stand a few words that suppliers write, and what is physically possible of the common
properties. Every answer has a confidence and the runner-up; none is more than a proposal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from lakehouse.contracts import Vocabulary

SURE: Final = 0.6
"""From here on a meaning is proposed; below, a person is asked."""
LIKELY: Final = 0.45
"""Below this a name says nothing."""

_GLOSSARY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "temp": "temperature", "temperatur": "temperature", "lufttemperatur": "air temperature",
        "lufttemp": "air temperature", "vägtemp": "road temperature", "t": "air temperature",
        "fukt": "humidity", "fuktighet": "humidity", "luftfuktighet": "relative humidity",
        "humidity": "relative humidity", "rh": "relative humidity", "nederbörd": "precipitation",
        "nederbördsmängd": "precipitation", "regn": "precipitation", "rain": "precipitation",
        "rainfall": "precipitation", "snödjup": "snow depth", "tryck": "pressure",
        "lufttryck": "air pressure", "flöde": "flow", "nivå": "level", "vattennivå": "water level",
        "vattenstånd": "water level", "ström": "electric current", "current": "electric current",
        "spänning": "voltage", "batteri": "battery", "bat": "battery", "vdd": "battery voltage",
        "effekt": "active power", "power": "active power", "energi": "active energy",
        "energy": "active energy", "elförbrukning": "active energy", "förbrukning": "energy",
        "consumption": "active energy", "mätarställning": "energy register",
        "mätarst": "energy register", "vind": "wind", "vindhastighet": "wind speed",
        "windspeed": "wind speed", "vindriktning": "wind direction",
        "winddirection": "wind direction", "ljus": "illuminance", "lux": "illuminance",
        "light": "illuminance", "belysning": "illuminance", "buller": "sound level",
        "ljudnivå": "sound level", "noise": "sound level", "koldioxid": "co2",
        "kvävedioxid": "no2", "kolmonoxid": "co", "bensen": "benzene", "c6h6": "benzene",
        "p1": "pm10", "p2": "pm25", "pris": "electricity price", "price": "electricity price",
        "elpris": "electricity price", "free": "vacant parking spaces",
        "frei": "vacant parking spaces", "lediga": "vacant parking spaces",
        "vacant": "vacant parking spaces", "belegt": "occupied parking spaces",
        "occupied": "occupied parking spaces", "upptagna": "occupied parking spaces",
        "availablespotnumber": "vacant parking spaces", "speed": "speed", "hastighet": "speed",
        "fordon": "vehicle", "folkmängd": "population", "invånare": "population",
    }
)  # fmt: skip
"""Words of suppliers in the words of the vocabulary."""

_COUNTS: Final = frozenset(("vacant_parking_spaces", "occupied_parking_spaces", "population"))
_ALONE: Final = dict.fromkeys(("temperature", "temp", "temperatur"), "air temperature")
"""What a word means when it stands by itself."""

_LIMITS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "air_temperature": (-60, 60),
        "air_temperature_forecast": (-60, 60),
        "relative_humidity": (0, 100),
        "pm10": (0, 5000),
        "pm2_5": (0, 2000),
        "no2": (0, 2000),
        "co": (0, 100_000),
        "co2": (200, 20_000),
        "benzene": (0, 1000),
        "illuminance": (0, 200_000),
        "battery_voltage": (0, 60),
        "electricity_price": (-500, 5000),
        "precipitation": (0, 500),
        "snow_depth": (0, 10),
        "wind_speed": (0, 75),
        "wind_speed_forecast": (0, 75),
        "wind_direction": (0, 360),
        "air_pressure": (850, 1100),
        "vehicle_speed": (0, 70),
        "vacant_parking_spaces": (0, 20_000),
        "occupied_parking_spaces": (0, 20_000),
    }
)
"""What is possible outdoors, in the canonical unit."""

_USUAL_UNIT: Final = frozenset(
    ("air_temperature", "relative_humidity", "pm10", "pm2_5", "co2", "illuminance", "snow_depth",
     "precipitation", "vacant_parking_spaces", "occupied_parking_spaces", "population",
     "uplink_payload", "planned_calls", "wind_direction")
)  # fmt: skip
"""Properties that are hardly ever delivered in another unit than the canonical one."""

_SAYS_NOTHING: Final = frozenset(
    ("value", "values", "mean", "avg", "average", "medel", "medelvärde", "min", "max", "sensor",
     "measured", "gt", "obs", "data", "properties", "result", "realtime", "the", "in", "of",
     "under", "interval", "intervallet", "för", "during", "current", "now", "day", "ahead",
     "capacity", "number", "spot", "kurzparker", "dynamisch", "indoor", "outdoor")
)  # fmt: skip
_ENDINGS: Final = {"c": "Cel", "f": "[degF]", "v": "V", "w": "W", "a": "A", "m": "m", "mm": "mm"}
"""Letters that are units at the end of a name; others of one letter are anything."""
_NO_UNITS: Final = frozenset(("min", "count", "number", "index", "none", "antal", "second", "day",
                              "hour", "bar", "id", "total"))  # fmt: skip
_MANY: Final = 1000
"""Values from which a sample shows how far they reach."""
_PARTICLES: Final = re.compile(r"(?i)pm[ ._]?(2[.,_ ]?5|10|1)(?!\d)")
_IN_BRACKETS: Final = re.compile(r"[\(\[]([^\(\)\[\]]+)[\)\]]")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column may measure.

    Attributes:
        observed_property: Word of the vocabulary; None when its name says nothing.
        confidence: 0 to 1.
        runner_up: The next best word, if there is one.
        unit: UCUM code; None when it is told nowhere and may differ.
        unit_seen: Where the unit is told; empty when it is only the usual one.
    """

    observed_property: str | None
    confidence: float
    runner_up: str | None
    unit: str | None
    unit_seen: str


def of_column(
    name: str, title: str, values: Sequence[float], vocabulary: Vocabulary, unit: str | None = None
) -> Meaning:
    """What a column measures.

    Args:
        name: Its name as delivered.
        title: What else a document says of it.
        values: Some of its numbers.
        vocabulary: The words there are.
        unit: Its unit as delivered beside the values, by any name.
    """
    told, rest, seen = _unit(name, title, unit, vocabulary)
    canonical = vocabulary.units[told]["canonical_unit"] if told else None
    words = _words(f"{rest} {title}" if title and not _words(rest) else rest)
    found = [
        (_likeness(words, row), key)
        for key, row in vocabulary.observed_properties.items()
        if canonical is None or row["canonical_unit"] == canonical
    ]
    if told and not any(score >= LIKELY for score, _ in found):
        found = _by_unit(values, [key for _, key in found])
    # Of words that fit as well the first of the vocabulary stands first.
    scores = sorted((one for one in found if one[0] >= LIKELY), key=lambda one: -one[0])
    if not scores:
        return Meaning(None, 0.0, None, told, seen)
    score, best = scores[0]
    if "forecast" in best and "forecast" not in words:
        score = min(score, SURE - 0.1)
    rivals = [key for _, key in scores[1:] if "forecast" not in key or "forecast" in words]
    runner_up = rivals[0] if rivals else None
    if len(scores) > 1 and scores[1][0] == score:
        score = min(score, SURE - 0.1)  # two words fit as well: a person has to say
    if best in _COUNTS and any(value != int(value) for value in values):
        return Meaning(None, 0.0, None, told, seen)  # a share of them, not their number
    if told is None and best in _USUAL_UNIT and score >= SURE:
        told = vocabulary.observed_properties[best]["canonical_unit"]
    return Meaning(best, round(score, 2), runner_up, told, seen)


def limits(
    meaning: Meaning, values: Sequence[float], vocabulary: Vocabulary
) -> tuple[float, float, str]:
    """Bounds that a working sensor keeps to, in the delivered unit, and where they are from."""
    known = _LIMITS.get(meaning.observed_property or "")
    if known and meaning.unit and meaning.confidence >= SURE:
        row = vocabulary.units[meaning.unit]
        factor, offset = float(row["factor"]), float(row["offset"] or 0)
        low, high = ((bound - offset) / factor for bound in known)
        return _short(low), _short(high), "what is physically possible"
    if not values:
        return 0, 1, "nothing: the sample has no values"
    low, high = min(values), max(values)
    span = (high - low) or abs(high) or 1.0
    span *= 1 if len(values) >= _MANY else 5
    lowest = 0 if low >= 0 else _rounded(low - span)
    return lowest, _rounded(high + span), f"the sample ({_short(low)} to {_short(high)}), widened"


def _unit(
    name: str, title: str, delivered: str | None, vocabulary: Vocabulary
) -> tuple[str | None, str, str]:
    """The unit that is told, the name without it, and where it was seen."""
    names = unit_names(vocabulary)
    if delivered:
        codes = {row["unece_code"]: code for code, row in vocabulary.units.items()}
        code = names.get(delivered.strip()) or codes.get(delivered.strip())
        return code, name, f"delivered as '{delivered}'"
    for inner in _IN_BRACKETS.findall(name):
        if unit := names.get(inner.strip()) or names.get(inner.strip().replace("/", ".")):
            return unit, name.replace(inner, " "), f"'{inner}' in the name"
    for part in title.split(";"):
        if len(part.strip()) > 1 and (unit := names.get(part.strip())):
            return unit, name, f"'{part.strip()}' beside the name in the file"
    head, _, last = name.replace(" ", "_").replace(".", "_").rpartition("_")
    folded = _folded(names) | _ENDINGS
    is_told = last.lower() in _ENDINGS or len(last) > 1
    if head and is_told and last.lower() not in _NO_UNITS and (
        unit := names.get(last) or folded.get(last.lower())
    ):  # fmt: skip
        return unit, head, f"'{last}' at the end of the name"
    if len(name) > 2 and name.lower() not in _NO_UNITS and (unit := folded.get(name.lower())):
        return unit, "", f"the name '{name}' is a unit"
    return None, name, ""


def unit_names(vocabulary: Vocabulary) -> dict[str, str]:
    """Every name that units go by, with the UCUM code."""
    found: dict[str, str] = {}
    for code, row in vocabulary.units.items():
        price = row["symbol"].replace("/", " per ")
        for name in (row["symbol"], price, row["name_sv"], row["name_en"],
                     *row["other_names"].split("|"), code):  # fmt: skip
            if name and name not in ("-", "1"):
                found.setdefault(name, code)
    return found


def _folded(names: Mapping[str, str]) -> dict[str, str]:
    """Names without regard to case, where that leaves them one meaning (mW and MW do not)."""
    found: dict[str, set[str]] = {}
    for name, code in names.items():
        found.setdefault(re.sub(r"[^a-z0-9%µ]", "", name.lower()), set()).add(code)
    return {name: codes.pop() for name, codes in found.items() if len(codes) == 1 and name}


def _words(name: str) -> frozenset[str]:
    """The words of a name, in the vocabulary's language."""
    plain = _PARTICLES.sub(lambda m: f" pm{re.sub(r'[^0-9]', '', m[1])} ", name)
    bare = plain.strip(" _").lower()
    whole = _ALONE.get(bare) or _GLOSSARY.get(bare)
    spaced = re.sub(r"(?<=[a-zåäö])(?=[A-ZÅÄÖ])", " ", plain)
    found: list[str] = [] if whole is None else whole.split()
    for word in re.findall(r"[a-zåäö][a-zåäö0-9]*", spaced.lower()) if whole is None else ():
        plainer = word.rstrip("0123456789")
        found += _GLOSSARY.get(word, _GLOSSARY.get(plainer, word)).split()
    return frozenset(word for word in found if word not in _SAYS_NOTHING)


def _likeness(words: frozenset[str], row: Mapping[str, str]) -> float:
    """How much of a property's words a name has, and how much else it has."""
    if not words:
        return 0.0
    best = 0.0
    for text in (row["observed_property_id"].replace("_", " "), row["name_en"], row["name_sv"]):
        own = _words(text)
        common = own & words
        if common:
            best = max(best, 0.65 * len(common) / len(own) + 0.35 * len(common) / len(words))
    return round(best - 0.05, 2)


def _by_unit(values: Sequence[float], keys: Sequence[str]) -> list[tuple[float, str]]:
    """Properties that a unit alone tells: the only one, or a counter, which only rises, or not."""
    rises = len(values) > 2 and all(b >= a for a, b in pairwise(values))
    if len(keys) > 1 and not any("register" in key for key in keys):
        return []
    found = []
    for key in keys:
        is_counter = "register" in key
        score = 0.7 if len(keys) == 1 else 0.55 if is_counter == rises else LIKELY
        found.append((score, key))
    return found


def _rounded(value: float) -> float:
    """Away from zero to two digits."""
    if value == 0:
        return 0
    step = 10 ** (math.floor(math.log10(abs(value))) - 1)
    return _short(math.copysign(math.ceil(abs(value) / step) * step, value))


def _short(value: float) -> float:
    """Without digits that only come from reckoning; whole numbers without a point."""
    plain = float(f"{value:.6g}")
    return int(plain) if plain.is_integer() else plain
