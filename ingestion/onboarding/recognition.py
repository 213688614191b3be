"""Which format a sample is in, by its content, with what it was recognised by.

Formats that describe themselves (platforms, statistics, timetables) are recognised by trying:
every format of the registry reads the sample, and the one that reads nearly all of it is taken.
So a format that is added to the registry is recognised without a line here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import duckdb

from ingestion.deliveries import Member
from ingestion.formats import FORMATS
from ingestion.onboarding.dialects import decode
from ingestion.onboarding.samples import Sample
from ingestion.reading.offered import numbered, show
from lakehouse.contracts import SourceContract
from lakehouse.contracts.classification import Classification
from lakehouse.contracts.delivery import Delivery, TimeRule
from lakehouse.contracts.source import Column, Ownership, Server
from lakehouse.duck import connect
from lakehouse.errors import DeliveryRefused, Problem, SjostadError

Framing = Literal["lines", "document"]

BY_PATH: Final = frozenset(("csv", "json", "geojson", "xml", "parquet", "excel", "sql_rows"))
"""Formats that need a contract's paths and names to read anything."""
_PULLED: Final = frozenset(("ignition_history", "aveva_history", "wonderware_history"))
"""Formats of pages that only a protocol of ours writes."""
_ENOUGH: Final = 0.5
"""Share of the rows that a format must make sense of."""
_TIME_KEY: Final = re.compile(
    r'"(@?\w+)"\s*:\s*(?:\{[^{}"]*"type"\s*:\s*"[^"]*"\s*,\s*"value"\s*:\s*'
    r'(?:\{[^{}]*"@value"\s*:\s*)?)?"\d{4}-\d\d-\d\d[T ]\d\d:'
)
_TRIED_BYTES: Final = 4 << 20
"""Bytes of a file that every reader is tried on."""

_SIGNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sensorthings": r'"@iot\.|"Datastreams?"|"unitOfMeasurement"',
        "ngsi_ld": r'"@context"|"type"\s*:\s*"(Property|Relationship|GeoProperty)"',
        "ngsi_v2": r'"type"\s*:\s*"(Number|Integer|Float|DateTime|Text|StructuredValue)"',
        "chirpstack_v4": r'"deviceInfo"[^}]*"devEui"',
        "chirpstack_v3": r'"applicationID"',
        "things_stack_v3": r'"uplink_message"',
        "loriot": r'"EUI"',
        "thingpark": r'"DevEUI_uplink"',
        "senml": r'"b?n"\s*:\s*"',
        "thingsboard": r'"ts"\s*:\s*\d',
        "quantumleap": r'"(index|entityId|subscriptionId)"',
        "sentilo": r'"(observations|sensors)"\s*:\s*\[',
        "pi_recorded": r'"UnitsAbbreviation"|"WebId"',
        "json_stat2": r'"class"\s*:\s*"dataset"',
        "pxweb_v1": r'"columns"\s*:\s*\[\s*\{\s*"code"',
        "px": r"(?m)^(CHARSET|AXIS-VERSION|MATRIX|LANGUAGE)\s*=",
    }
)
"""What each format cannot be without; where one is named here the sample must show it."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """The format of a sample.

    Attributes:
        name: Key of the registry.
        framing: For formats of JSON.
        seen: What it was recognised by.
        offered: For formats that describe themselves: the channels they found.
        time: The rule for times without which the format reads nothing of the sample.
        runner_up: Another format that reads it nearly as well.
    """

    name: str
    framing: Framing | None
    seen: str
    offered: tuple[Mapping[str, Any], ...] = ()
    time: TimeRule | None = None
    runner_up: str | None = None


@dataclass(frozen=True, slots=True)
class _Trial:
    name: str
    framing: Framing | None
    rows: int
    sound: int
    offered: tuple[Mapping[str, Any], ...]
    time: TimeRule | None = None

    @property
    def share(self) -> float:
        return self.sound / self.rows if self.rows else 0.0


def recognise(sample: Sample) -> Recognised:
    """The format of a sample.

    Raises:
        DeliveryRefused: It is a database file or a web page, or in no format there is.
    """
    first = sample.members[0]
    content = sample.head(first)
    if found := _by_first_bytes(content, first.label):
        return found
    text = decode(content)[0]
    begin = text.lstrip()[:1]
    if begin == "<":
        if re.search(r"(?i)<html|<!doctype html", text[:2000]):
            raise _refuse(first, "this is a web page", "Look at what the address really answers.")
        return Recognised("xml", None, f"it begins with '{text.lstrip()[:40].split('>')[0]}>'")
    framing = _json_framing(text, len(content) == first.path.stat().st_size)
    if described := _described(sample.members, framing, text):
        return described
    if framing is None:
        return Recognised("csv", None, "lines of cells")
    is_geo = '"FeatureCollection"' in text[:4000] or re.search(r'"type"\s*:\s*"Feature"', text)
    what = "one JSON document a line" if framing == "lines" else "one JSON document"
    if is_geo:
        return Recognised("geojson", framing, f"{what} with GeoJSON features")
    return Recognised("json", framing, what)


def _by_first_bytes(content: bytes, place: str) -> Recognised | None:
    if content[:4] == b"PAR1":
        return Recognised("parquet", None, "it begins with PAR1")
    if content[:4] == b"PK\x03\x04" and (b"xl/" in content or b"opendocument" in content[:200]):
        return Recognised("excel", None, "a zip archive with a workbook in it")
    if content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return Recognised("excel", None, "a compound file, as .xls is")
    if content[:15] == b"SQLite format 3":
        raise DeliveryRefused(
            Problem(place, "this is an SQLite database", f"Give sqlite:///{place} and --table NAME")
        )
    return None


def _json_framing(text: str, is_whole: bool) -> Framing | None:
    """Whether a text is one JSON document, or one a line; None when it is neither."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    if is_whole and _is_json(text):
        return "document"
    lines = [line for line in text.splitlines() if line.strip()][:200]
    good = sum(_is_json(line) for line in lines)
    if len(lines) > 1 and good >= 0.9 * len(lines):
        return "lines"
    return "document" if is_whole or good == 0 else "lines"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _described(members: Sequence[Member], framing: Framing | None, text: str) -> Recognised | None:
    """The format that describes itself and reads nearly all of a sample, if one does."""
    small = [_shortened(one, framing) for one in members]
    trials: list[tuple[bool, _Trial]] = []
    for name in FORMATS:
        sign = _SIGNS.get(name)
        if name in BY_PATH | _PULLED or (sign and not re.search(sign, text)):
            continue
        trial = try_format(small, name, framing, text if sign else "")
        if trial and trial.share >= _ENOUGH and trial.offered:
            trials.append((sign is not None, trial))
    if not trials:
        return None
    ranked = sorted(trials, key=lambda one: (one[0], one[1].share, one[1].sound), reverse=True)
    best = ranked[0][1]
    return Recognised(
        best.name,
        framing,
        f"{FORMATS[best.name].source}: its reader makes sense of {best.sound} of {best.rows} rows",
        best.offered,
        best.time,
        ranked[1][1].name if len(ranked) > 1 else None,
    )


def _shortened(member: Member, framing: Framing | None) -> Member:
    """A file to try readers on: of a long one made of lines only the beginning.

    A document cannot be cut; it is read whole by each reader whose sign it shows.
    """
    if framing == "document" or member.path.stat().st_size <= _TRIED_BYTES:
        return member
    with member.path.open("rb") as file:
        content = file.read(_TRIED_BYTES)
    path = member.path.with_name(f"{member.path.name}.{member.number}.head")
    path.write_bytes(content[: content.rfind(b"\n") + 1] or content)
    return replace(member, path=path)


def try_format(
    members: Sequence[Member], name: str, framing: Framing | None, text: str = ""
) -> _Trial | None:
    """What a format makes of files without a contract; None when it refuses them.

    Statistics have periods, not instants, and entities may carry their time in an attribute:
    they are tried again with a rule for their times.

    Args:
        members: The files.
        name: The format.
        framing: How JSON documents are framed.
        text: The sample, where attributes with times may be looked for.
    """
    rules = [None, *(TimeRule(columns=(key,), zone="UTC") for key in ("time", *_time_keys(text)))]
    trials = [_try(members, provisional(name, framing, rule)) for rule in rules]
    return max((one for one in trials if one), key=lambda one: one.sound, default=None)


def _time_keys(text: str) -> list[str]:
    """Attributes of a JSON text that hold times: a measurement's own first."""
    keys = list(dict.fromkeys(_TIME_KEY.findall(text)))
    own = [key for key in keys if re.search(r"(?i)observ|measur|phenomenon|instant", key)]
    late = [key for key in keys if re.search(r"(?i)created|modified|end|expir|issued", key)]
    return [*own, *(key for key in keys if key not in (*own, *late, "value", "@value"))][:3]


def _try(members: Sequence[Member], contract: SourceContract) -> _Trial | None:
    name = contract.delivery.format
    try:
        with connect(extensions=()) as connection:
            reading = FORMATS[name].read(connection, members, contract)
            show(connection, numbered(reading))
            rows, sound = connection.execute(_COUNTS).fetchall()[0]
            offered = connection.execute(_CHANNELS).to_arrow_table().to_pylist()
    except (SjostadError, duckdb.Error, KeyError, TypeError, ValueError, AttributeError):
        # Files of any other format are thrown at a reader here: whatever it says means "not mine".
        return None
    delivery = contract.delivery
    return _Trial(name, delivery.framing, rows, sound, tuple(offered), delivery.time)


_SOUND: Final = """(rule is null or starts_with(rule, 'time_')) and channel is not null
    and coalesce(cell, value::varchar, text) is not null"""
_COUNTS: Final = f"select count(*), count(*) filter ({_SOUND}) from offered"
_CHANNELS: Final = f"""
    select channel, count(*) as rows, count(value) as numbers, min(value) as low,
        max(value) as high, count(distinct device) as devices, any_value(device) as device,
        any_value(unit) as unit, count(distinct unit) as units, any_value(text) as text,
        any_value(attributes) as attributes,
        count(*) filter (rule = 'time_missing') as no_time,
        count(*) filter (rule = 'time_unreadable') as bad_time, any_value(reason) as reason,
        min(t) as first, max(t) as last
    from offered where {_SOUND} group by channel order by rows desc, channel"""


def provisional(name: str, framing: Framing | None, time: TimeRule | None = None) -> SourceContract:
    """A contract that says nothing but the format; its one channel is none of any source."""
    delivery = Delivery(protocol="folder", format=name, framing=framing or "lines", time=time)
    channel = Column(
        "no_channel", "no channel", "number", False, "none", "1", None, None, ".*", "filter", ""
    )
    return SourceContract(
        id="sample",
        name="sample",
        version="0.0.0",
        status="draft",
        domain="other",
        description="",
        path=Path("sample.yaml"),
        digest="",
        servers=(Server("sample", "*", "folder"),),
        ownership=Ownership(organisation="", initiative="", owner="", contact="a@b"),
        delivery=delivery,
        classification=Classification(k=0, r=0, t=0, personal_data=False),
        columns=(channel,),
        things=(),
        frequency_s=None,
    )


def _refuse(member: Member, what: str, remedy: str) -> DeliveryRefused:
    return DeliveryRefused(Problem(member.label, what, remedy))
