"""From the rows of a sample to what a contract says of its columns, times and devices."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ingestion.onboarding import meanings, roles, samples, times
from ingestion.onboarding.annotated import Said, Value, ask, counted, listed
from ingestion.onboarding.meanings import SURE, Meaning
from ingestion.onboarding.tables import NOTHING, Table
from lakehouse.contracts import Vocabulary

_CLEAR_LEAD: Final = 0.1
_MOST_PROPERTIES: Final = 60


@dataclass(frozen=True, slots=True)
class Found:
    """What the rows of a sample gave.

    Attributes:
        delivery: Parts of `delivery`: time, device, narrow, position, quality, null markers.
        properties: `schema[0].properties`.
        granularity: What one row is.
        step_s: Usual seconds between rows of one device.
        personal: Columns that may speak of persons.
    """

    delivery: dict[str, Any]
    properties: list[Any]
    granularity: str
    step_s: float | None
    personal: tuple[str, ...]


def find(
    table: Table,
    names: Sequence[str],
    vocabulary: Vocabulary,
    *,
    knows_receipt: bool,
    leaves_empty: bool,
    has_position: bool = False,
) -> Found:
    """What the rows of a sample say.

    Args:
        table: The rows.
        names: The file each member of the sample is, for patterns on file names.
        vocabulary: The words there are.
        knows_receipt: Whether the format has the time of receipt as a cell.
        leaves_empty: Whether columns without a value in the sample may stay out of the contract.
        has_position: Whether the format itself knows the position.
    """
    clocks = times.clocks(table.cells, dict(table.titles))
    clock = next((one for one in clocks if one.is_whole), None)
    end = times.end_of(clock, clocks) if clock else None
    moments: Sequence[Any] = clock.times if clock else [None] * table.count
    dated = frozenset(name for one in clocks for name in one.columns)
    place = roles.position(table)
    narrow = roles.narrow(table, dated, vocabulary)
    taken = dated | frozenset(place or ()) | frozenset(
        name for name in (narrow and (narrow.channel, narrow.value, narrow.unit)) or () if name
    )  # fmt: skip
    key = roles.key(table, moments, taken, narrow.channel if narrow else None)
    device, count = _device(table, key, names)
    delivery: dict[str, Any] = {
        "time": _time(clock, end, table, knows_receipt),
        "device": device,
    }
    if narrow:
        delivery["narrow"] = _narrow(narrow)
    if place and not has_position:
        delivery["position"] = Said(
            {"longitude": place[0], "latitude": place[1]}, seen="names and values in degrees"
        )
    codes = roles.quality(table)
    if codes:
        delivery["quality"] = _quality(*codes)
    left_alone = taken | {key.column or "", codes[0] if codes else ""}
    around = {name for name in table.cells if _is_around(name)}
    measured, sentinels = _measured(table, left_alone | around, narrow)
    if sentinels:
        delivery["nullMarkers"] = _null_markers(table, sentinels)
    columns = _Columns(table, vocabulary, frozenset(left_alone), sentinels, leaves_empty)
    properties = columns.narrow(narrow) if narrow else columns.wide(measured)
    owners = [cell or "" for cell in table.cells[key.column]] if key.column else [""] * table.count
    step = times.step(moments, owners)
    each = f"one row for each {'device and ' if count != 1 else ''}time"
    return Found(delivery, properties, each, step, tuple(roles.personal(table)))


def plain_name(name: str) -> str:
    """A name as the lake's own: a-z, 0-9 and _."""
    last = re.sub(r"\[@key\]|^[\^$@.]+", "", name).replace('"', "").replace("]", "")
    is_path = re.search(r"[A-Za-z]", last) and not re.search(r"[\s(]", last)
    parts = [part for part in re.split(r"[./\[]", last) if part not in ("value", "result")]
    last = parts[-1] if is_path and parts else last
    text = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", text).strip("_") or "column"


def channel(
    name: str,
    delivered_as: str,
    meaning: Meaning,
    values: Sequence[float],
    vocabulary: Vocabulary,
    *,
    beside: Sequence[str] = (),
) -> dict[str, Any]:
    """One channel as a property of the schema.

    Args:
        name: Its name in the lake.
        delivered_as: Its name in the delivery.
        meaning: What it may measure.
        values: Its numbers, without those that stand for nothing.
        vocabulary: The words there are.
        beside: What else a person should know of it.
    """
    low, high, why = meanings.limits(meaning, values, vocabulary)
    outside = sum(not low <= value <= high for value in values)
    notes = [f"from {why}"]
    if outside:
        notes.append(f"{counted(outside, 'value')} of the sample outside")
    found: dict[str, Any] = {"name": name}
    if name != delivered_as:
        found["physicalName"] = delivered_as
    found["logicalType"] = "number"
    found["logicalTypeOptions"] = Said(
        {"minimum": low, "maximum": high}, check="bounds " + "; ".join((*notes, *beside))
    )
    found["customProperties"] = [_property(delivered_as, meaning, values), _unit(meaning)]
    return found


def _property(delivered_as: str, meaning: Meaning, values: Sequence[float]) -> Said:
    best, rival = meaning.observed_property, meaning.runner_up
    if best and meaning.confidence >= SURE:
        second = f", else {rival}" if rival else ""
        return Said(
            {"property": "observedProperty", "value": best},
            check=f"by its name, confidence {meaning.confidence:.2f}{second}",
        )
    shown = ""
    if values:
        low, high = min(values), max(values)
        shown = f" ({low:,g})" if low == high else f" ({low:,g} to {high:,g})"
    words = f"perhaps {best}" + (f" or {rival}" if rival else "") + ". " if best else ""
    return Said(
        {"property": "observedProperty", "value": "DECIDE"},
        decide=f"what does '{delivered_as}'{shown} measure? {words}A word of "
        "vocabulary/observed_properties.csv; or take its customProperties away",
    )


def _unit(meaning: Meaning) -> Said:
    if meaning.unit is None:
        return Said(
            {"property": "unit", "value": "DECIDE"},
            decide="in which unit? Nothing in the sample tells. A code of vocabulary/units.csv",
        )
    value = {"property": "unit", "value": meaning.unit}
    if meaning.unit_seen:
        return Said(value, seen=meaning.unit_seen)
    return Said(value, check="told nowhere; the usual unit")


def _time(
    clock: times.Clock | None, end: times.Clock | None, table: Table, knows_receipt: bool
) -> dict[str, Any]:
    if clock is None:
        if knows_receipt:
            said = Said(["@received"], check="no time in the records: that of receipt is taken")
            return {"columns": said, "zone": "UTC"}
        question = ("which columns hold the time? None reads as one. Files without any: "
                    "'sequence' instead of 'columns' (docs/contracts.md)")  # fmt: skip
        return {"columns": [ask(question)], "zone": ask(f"which zone? {times.ZONES}")}
    found: dict[str, Any] = {"columns": list(clock.columns)}
    if end:
        found["endColumns"] = list(end.columns)
    if clock.split:
        found["split"] = clock.split
    if len(clock.formats) > 1:
        which = " or ".join(f'"{form}"' for form in clock.formats)
        found["format"] = ask(f"which is meant? Every time of the sample reads as {which}")
    elif clock.formats[0] != "iso8601":
        cell = next(iter(table.filled(clock.columns[0])), "")
        found["format"] = Said(clock.formats[0], seen=f"reads every time, such as {cell}")
    if clock.is_utc:
        found["zone"] = Said("UTC", seen=clock.is_utc)
        return found
    hint = times.hints(clock.times)
    told = f" The sample has {hint}." if hint else ""
    found["zone"] = ask(f"which zone are the times in? {times.ZONES}.{told}")
    found["fold"] = ask(
        "what is an hour that exists twice, when clocks go back? refuse (quarantine), earlier, "
        "later, or sequence (of two rows the first is the earlier); refuse if the zone is UTC"
    )
    return found


def _device(table: Table, key: roles.Key, names: Sequence[str]) -> tuple[dict[str, Any], int]:
    repeats = "no two rows have the same device and time"
    if again := round(key.repeats * table.count):
        repeats = (
            f"{again:,} of {counted(table.count, 'row')} repeat the device and time of another"
        )
    by_file = samples.file_pattern(names)
    is_one_a_file = key.devices == 1 and len(names) > 1
    if key.column and not (by_file and is_one_a_file):
        rival = f"; '{key.runner_up}' would do, too" if key.runner_up else ""
        said = Said(key.column, check=f"{counted(key.devices, 'device')}; {repeats}{rival}")
        return {"column": said}, key.devices
    if by_file:
        devices = {found[1] for name in names if (found := re.search(by_file, name))}
        told = f"{counted(len(devices), 'device')} in the names: {listed(sorted(devices))}"
        said = Said(by_file, check=told)
        return {"file": said}, len(devices)
    question = f"what is the device called? No column or file name tells ({repeats})"
    return {"constant": ask(question)}, 1


def _narrow(narrow: roles.Narrow) -> Said:
    rule = {"channel": narrow.channel, "value": narrow.value}
    if narrow.unit:
        rule["unit"] = narrow.unit
    return Said(rule, seen=f"'{narrow.channel}' names what '{narrow.value}' is a value of")


def _quality(column: str, known: Mapping[str, list[str]], unknown: Sequence[str]) -> Said:
    rule: dict[str, Any] = {"column": column, **known}
    told = f"; unknown codes count as uncertain: {listed(list(unknown))}" if unknown else ""
    return Said(rule, check=f"what its codes mean{told}")


def _measured(
    table: Table, left_alone: frozenset[str] | set[str], narrow: roles.Narrow | None
) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Columns of numbers that play no other part, and what stands for nothing in them."""
    if narrow:
        return [narrow.value], {}
    numbers = [
        name for name in table.cells
        if name not in left_alone and table.is_number(name)
        and (_has_fractions(table, name) or not roles.is_identity(name))
    ]  # fmt: skip
    return numbers, roles.sentinels(table, numbers)


def _null_markers(table: Table, sentinels: Mapping[str, tuple[str, ...]]) -> Said:
    """Empty cells, words for nothing among numbers, and numbers that stand out as such."""
    words = {
        cell for name in table.cells if table.is_number(name)
        for cell in set(table.cells[name]) if cell in NOTHING - {""}
    }  # fmt: skip
    counts = {cell: sum(table.cells[name].count(cell) for name, cells in sentinels.items()
                        if cell in cells)
              for cells in sentinels.values() for cell in cells}  # fmt: skip
    told = ", ".join(f"{cell} ({counted(count, 'time')})" for cell, count in counts.items())
    columns = listed(list(sentinels), 4)
    return Said(
        ["", *sorted(words), *counts],
        check=f"these stand apart from every other value and look like a mark for nothing: {told} "
        f"in {columns}. They are taken so in every column",
    )


@dataclass(frozen=True, slots=True)
class _Columns:
    table: Table
    vocabulary: Vocabulary
    left_alone: frozenset[str]
    sentinels: Mapping[str, tuple[str, ...]]
    leaves_empty: bool

    def wide(self, measured: Sequence[str]) -> list[Any]:
        """One property for each column; those that measure are channels."""
        found = {name: self._meaning(name) for name in measured if self._varies(name)}
        best = self._best(found)
        chosen = best or set(found)
        used: set[str] = set()
        properties: list[Any] = []
        for name in self.table.cells:
            if len(properties) == _MOST_PROPERTIES:
                break
            if name in chosen:
                own = self._own_name(name, found[name], used)
                values = self._values(name)
                properties.append(channel(own, name, found[name], values, self.vocabulary))
            elif not self.leaves_empty or (self.table.filled(name) and not _is_around(name)):
                properties.append(self._plain(name, found.get(name), used))
        return properties

    def narrow(self, rule: roles.Narrow) -> list[Any]:
        """One property for each channel that the rows name."""
        cells = zip(self.table.cells[rule.channel], self.table.cells[rule.value], strict=True)
        values: dict[str, list[float]] = {}
        for name, cell in cells:
            if name and (value := self.table.number(cell)) is not None:
                values.setdefault(name, []).append(value)
        units: dict[str, str] = {}
        if rule.unit:
            told = zip(self.table.cells[rule.channel], self.table.cells[rule.unit], strict=True)
            units = {name: unit for name, unit in told if name and unit}
        used: set[str] = set()
        properties: list[Any] = []
        for name, numbers in values.items():
            meaning = meanings.of_column(name, "", numbers, self.vocabulary, units.get(name))
            own = self._own_name(name, meaning, used)
            properties.append(channel(own, name, meaning, numbers, self.vocabulary))
        return properties

    def _meaning(self, name: str) -> Meaning:
        title = self.table.titles.get(name, "")
        last = name
        if re.search(r"[./]", name) and not re.search(r"[\s(\[]", name):
            parts = [part for part in re.split(r"[./]", name) if part not in ("value", "result")]
            last = parts[-1] if parts else name
        return meanings.of_column(last, title, self._values(name), self.vocabulary)

    def _best(self, found: Mapping[str, Meaning]) -> set[str]:
        """Columns whose meaning is seen, each property by those that fit it best."""
        lead: dict[str, float] = {}
        for meaning in found.values():
            word = meaning.observed_property or ""
            lead[word] = max(lead.get(word, 0), meaning.confidence)
        return {
            name for name, meaning in found.items()
            if (meaning.observed_property is None and meaning.unit_seen)
            or (meaning.observed_property and meaning.confidence >= meanings.LIKELY
                and meaning.confidence > lead[meaning.observed_property] - _CLEAR_LEAD)
        }  # fmt: skip

    def _own_name(self, name: str, meaning: Meaning, used: set[str]) -> str:
        own = plain_name(name)
        if meaning.observed_property and meaning.confidence >= SURE:
            own = meaning.observed_property
        return _unused(own if own not in used else plain_name(name), used)

    def _plain(self, name: str, meaning: Meaning | None, used: set[str]) -> Value:
        own = _unused(plain_name(name), used)
        item: dict[str, Any] = {"name": own}
        if own != name:
            item["physicalName"] = name
        is_code = name in self.left_alone and not _has_fractions(self.table, name)
        item["logicalType"] = "number" if self.table.is_number(name) and not is_code else "string"
        if meaning is None:
            return item
        values = self._values(name)
        shown = f"{min(values):,g} to {max(values):,g}" if values else "empty"
        why = "its name says nothing that the vocabulary knows"
        if meaning.observed_property:
            why = f"another column fits {meaning.observed_property} better"
        return Said(item, check=f"numbers ({shown}) that are not taken: {why}")

    def _values(self, name: str) -> list[float]:
        nothing = self.sentinels.get(name, ())
        found = (self.table.number(c) for c in self.table.filled(name) if c not in nothing)
        return [value for value in found if value is not None]

    def _varies(self, name: str) -> bool:
        """Whether a column can be a measurement; a number that never changes rarely is one."""
        return len(set(self.table.filled(name))) > 1 or self.table.count < 3


def _is_around(name: str) -> bool:
    """Whether a cell only says how the document is built, or where else to look."""
    is_outer = name.startswith(("$.", "^", "geometry.")) and not name.endswith("[@key]")
    return is_outer or bool(
        re.search(r"(?i)^type$|link\W*$|url$|[.@]type$|coordinates\[\d\]", name)
    )


def _has_fractions(table: Table, name: str) -> bool:
    return any(value != int(value) for value in table.numbers(name))


def _unused(name: str, used: set[str]) -> str:
    number, own = 2, name
    while own in used:
        own, number = f"{name}_{number}", number + 1
    used.add(own)
    return own
