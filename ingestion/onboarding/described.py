"""From what a format that describes itself has found to what a contract says of its channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import duckdb

from ingestion.formats import FORMATS
from ingestion.onboarding import meanings, times
from ingestion.onboarding.annotated import Said, ask, counted
from ingestion.onboarding.columns_found import Found, channel, plain_name
from ingestion.onboarding.meanings import Meaning
from ingestion.onboarding.recognition import Recognised, provisional
from ingestion.onboarding.samples import Sample
from ingestion.reading.offered import numbered, show
from lakehouse.contracts import Vocabulary
from lakehouse.contracts.delivery import TimeRule
from lakehouse.duck import connect

_PERIODS: Final = frozenset(("px", "json_stat2", "pxweb_v1"))
"""Formats of whole days, months and years, which clocks that go back do not concern."""


def find(sample: Sample, recognised: Recognised, vocabulary: Vocabulary) -> Found:
    """What a format's own reader says of a sample.

    Args:
        sample: The files.
        recognised: Their format, with the channels it found.
        vocabulary: The words there are.
    """
    properties: list[Any] = []
    used: set[str] = set()
    found = [(one, _meaning(one, vocabulary)) for one in recognised.offered]
    some_known = any(meaning.observed_property for _, meaning in found)
    for one, meaning in found:
        is_text = one["numbers"] == 0 and len(found) > 1
        says_nothing = meaning.observed_property is None and not one["unit"]
        if is_text or (some_known and says_nothing):
            properties.append(_not_taken(one, used))
        else:
            properties.append(_channel(one, meaning, vocabulary, used))
    delivery: dict[str, Any] = {}
    if recognised.framing:
        delivery["framing"] = recognised.framing
    if rule := _time(sample, recognised):
        delivery["time"] = rule
    return Found(delivery, properties, "one row for each device, channel and time", None, ())


def _meaning(one: Mapping[str, Any], vocabulary: Vocabulary) -> Meaning:
    return meanings.of_column(one["channel"], "", _values(one), vocabulary, one["unit"])


def _values(one: Mapping[str, Any]) -> list[float]:
    """The smallest and the largest value of a channel."""
    return [value for value in (one["low"], one["high"]) if value is not None]


def _channel(
    one: Mapping[str, Any], meaning: Meaning, vocabulary: Vocabulary, used: set[str]
) -> dict[str, Any]:
    values = _values(one)
    name = plain_name(one["channel"])
    if meaning.observed_property and meaning.confidence >= meanings.SURE:
        name = meaning.observed_property if meaning.observed_property not in used else name
    while name in used:
        name += "_2"
    used.add(name)
    beside = [f"{counted(one['rows'], 'row')} of {counted(one['devices'], 'device')}"]
    if one["unit"] and meaning.unit is None:
        beside.append(
            f"the unit '{one['unit']}' is not in vocabulary/units.csv: add it there (other_names), "
            "or these rows go to quarantine"
        )
    found = channel(name, one["channel"], meaning, values, vocabulary, beside=beside)
    if not values:
        found["logicalType"] = "string"
        found.pop("logicalTypeOptions")
    return found


def _not_taken(one: Mapping[str, Any], used: set[str]) -> Said:
    name = plain_name(one["channel"])
    while name in used:
        name += "_2"
    used.add(name)
    item = {"name": name, "physicalName": one["channel"], "logicalType": "number"}
    if name == one["channel"]:
        item.pop("physicalName")
    if values := _values(one):
        shown = f"numbers ({values[0]:g} to {values[1]:g})"
        why = "its name says nothing that the vocabulary knows"
        return Said(item, check=f"{shown} that are not taken: {why}")
    item["logicalType"] = "string"
    return Said(item, check=f"text such as '{str(one['text'])[:40]}', not taken as a channel")


def _time(sample: Sample, recognised: Recognised) -> dict[str, Any] | None:
    """The rule for times, where the format needs one."""
    rule = recognised.time
    no_offset = any(one["bad_time"] for one in recognised.offered)
    if rule is None and not no_offset:
        return None
    columns = list(rule.columns) if rule else ["time"]
    found: dict[str, Any] = {"columns": Said(columns, seen="the attribute that holds a time")}
    if columns == ["time"]:
        found["columns"] = columns
    if rule and not _is_local(sample, recognised):
        return found | {"zone": Said("UTC", seen="every time has its offset")}
    if recognised.name in _PERIODS:
        return found | {"zone": ask(f"in which zone do its periods begin? {times.ZONES}")}
    return found | {
        "zone": ask(f"which zone are times without offset in? {times.ZONES}"),
        "fold": ask("what is an hour that exists twice? refuse, earlier, later or sequence"),
    }


def _is_local(sample: Sample, recognised: Recognised) -> bool:
    """Whether the times hang on the zone: read in two zones they differ."""
    columns = recognised.time.columns if recognised.time else ("time",)
    return len({_span(sample, recognised, columns, zone) for zone in ("UTC", "Etc/GMT-5")}) > 1


def _span(sample: Sample, recognised: Recognised, columns: tuple[str, ...], zone: str) -> str:
    rule = TimeRule(columns=columns, zone=zone)
    contract = provisional(recognised.name, recognised.framing, rule)
    with connect(extensions=()) as connection:
        reading = FORMATS[recognised.name].read(connection, sample.members, contract)
        show(connection, numbered(reading))
        try:
            return str(connection.execute("select min(t), max(t) from offered").fetchall())
        except duckdb.Error as error:  # what cannot be read is no offset either
            return str(error)
