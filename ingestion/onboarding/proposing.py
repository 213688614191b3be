"""A whole contract from a sample: what was seen, what is proposed and what is to be decided."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ingestion.onboarding import columns_found, databases, described, reading, recognition, samples
from ingestion.onboarding.annotated import (
    Said,
    Value,
    as_yaml,
    ask,
    counted,
    listed,
    plain,
    remarked,
)
from ingestion.onboarding.columns_found import Found
from ingestion.onboarding.tables import Table
from lakehouse.contracts import Vocabulary
from lakehouse.errors import DeliveryRefused, Problem, SettingsError

_STEPS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a newcomer types.

    Attributes:
        sample: A file, a folder, a glob, or the SQLAlchemy URL of a database.
        source_id: Id of the new source; made from the sample's name when empty.
        organisation: Word of the vocabulary, if it is known.
        initiative: Word of the vocabulary, if it is known.
        table: Table or view of the database.
    """

    sample: str
    source_id: str = ""
    organisation: str = ""
    initiative: str = ""
    table: str | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed contract.

    Attributes:
        source_id: Its id.
        document: Its content with remarks.
        text: Its text as YAML.
        seen: Short facts about the sample, for people.
        location: Path pattern or address it is fetched from.
        is_live: Whether the server is the sample itself, so that no file has to be put anywhere.
    """

    source_id: str
    document: Mapping[str, Any]
    text: str
    seen: tuple[tuple[str, str], ...]
    location: str
    is_live: bool

    @property
    def remarks(self) -> tuple[tuple[str, Said], ...]:
        """Every remark with its place."""
        return tuple(remarked(self.document))


def propose(wish: Wish, vocabulary: Vocabulary, inbox: Path) -> Proposal:
    """Propose a contract.

    Args:
        wish: What is asked for.
        vocabulary: The words a contract may use.
        inbox: Folder that suppliers deliver to.

    Raises:
        DeliveryRefused: The sample cannot be read.
        SourceUnavailable: The database does not answer.
        SettingsError: A word is not of the vocabulary.
    """
    _require_words(wish, vocabulary)
    source_id = wish.source_id or _id_of(wish)
    if re.match(r"[a-z][a-z0-9+]*://", wish.sample):
        return _of_database(wish, source_id, vocabulary, inbox)
    with tempfile.TemporaryDirectory(prefix="sjostad-sample-") as scratch:
        sample = samples.gather(wish.sample, Path(scratch))
        recognised = recognition.recognise(sample)
        found, delivery, rows, how = _of_files(sample, recognised, vocabulary)
    location, where = samples.location(sample.files, inbox, source_id)
    head: dict[str, Any] = {
        "protocol": "folder",
        "format": Said(recognised.name, seen=how),
    }
    server: dict[str, Any] = {"server": "inbox", "type": "local", "path": location}
    if not where:
        server["path"] = Said(location, check="files are to be put there, below the inbox")
    server["format"] = recognised.name
    files = counted(len(sample.files), "file")
    left_out = f", {sample.left_out} of other kinds left alone" if sample.left_out else ""
    seen = (
        ("sample", f"{files}{left_out}"),
        ("format", f"{recognised.name}: {how}"),
        ("rows", f"{rows:,}"),
    )
    document = _document(wish, source_id, server, head | delivery, found, vocabulary)
    return Proposal(source_id, document, as_yaml(document), seen, location, bool(where))


def _of_files(
    sample: samples.Sample, recognised: recognition.Recognised, vocabulary: Vocabulary
) -> tuple[Found, dict[str, Any], int, str]:
    """What files give: columns and channels, how they are found, how many rows, seen by what."""
    if recognised.name not in recognition.BY_PATH:
        found = described.find(sample, recognised, vocabulary)
        rows = sum(one["rows"] for one in recognised.offered)
        return found, found.delivery, rows, recognised.seen
    read = reading.read(sample, recognised)
    if not read.table.count:
        raise DeliveryRefused(
            Problem(sample.members[0].label, "there are no rows in it", "Take a fuller sample.")
        )
    names = [member.label for member in sample.members]
    found = columns_found.find(
        read.table,
        names,
        vocabulary,
        knows_receipt=recognised.name in ("json", "geojson", "xml"),
        leaves_empty=recognised.name != "csv" or read.has_extra,
        has_position=recognised.name == "geojson",
    )
    _require_channels(found, sample.members[0].label)
    how = read.seen or recognised.seen
    return found, _joined(read.delivery, found.delivery), read.table.count, how


def _require_channels(found: Found, place: str) -> None:
    if not any("customProperties" in plain(item) for item in found.properties):
        raise DeliveryRefused(
            Problem(
                place,
                "no column holds numbers that could be measurements",
                "Lists of places or devices belong to a contract's 'things'; take a sample with "
                "readings.",
            )
        )


def _joined(read: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of `delivery`; null markers belong to its dialect."""
    delivery = {**read, **{key: part for key, part in found.items() if key != "nullMarkers"}}
    if "nullMarkers" in found:
        own = delivery.get("csv", {})
        inner = own.value if isinstance(own, Said) else own
        both = inner | {"nullMarkers": found["nullMarkers"]}
        delivery["csv"] = Said(both, check=own.check) if isinstance(own, Said) else both
    if delivery.get("csv") == {}:
        delivery.pop("csv")
    return delivery


def _of_database(wish: Wish, source_id: str, vocabulary: Vocabulary, inbox: Path) -> Proposal:
    live = databases.look(wish.sample, wish.table, inbox, source_id)
    table: Table = live.rows
    if table.count == 0:
        raise DeliveryRefused(Problem(live.name, "the table is empty", "Name another."))
    found = columns_found.find(table, [], vocabulary, knows_receipt=False, leaves_empty=True)
    _require_channels(found, live.name)
    pull: dict[str, Any] = {"table": live.name}
    if live.counter:
        pull["cursor"] = Said(
            live.counter, check="the key counts rows; new rows must get higher ones"
        )
    head = {"protocol": "sql_table", "format": "sql_rows"}
    delivery = head | _joined({}, found.delivery) | {"pull": pull}
    server = {"server": "database", "type": "custom", "location": live.location}
    if live.remark:
        server["location"] = Said(live.location, check=live.remark)  # type: ignore[assignment]
    seen = (("sample", f"table {live.name}"), ("rows", f"{table.count:,} of them read"))
    document = _document(wish, source_id, server, delivery, found, vocabulary)
    return Proposal(source_id, document, as_yaml(document), seen, live.location, True)


def _document(
    wish: Wish,
    source_id: str,
    server: Mapping[str, Any],
    delivery: Mapping[str, Any],
    found: Found,
    vocabulary: Vocabulary,
) -> dict[str, Any]:
    """The whole contract, in the order of the project's own."""
    often = f" Rows are usually {_span(found.step_s)} apart." if found.step_s else ""
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": source_id,
        "name": source_id.replace("_", " ").capitalize(),
        "version": "1.0.0",
        "status": Said("draft", check="write active when nothing is left to decide"),
        "domain": ask("which subject? Such as air, climate, energy, traffic, water, weather"),
        "description": {"purpose": ask("what is measured, where, and what for? One sentence")},
        "servers": [server],
        "schema": [
            {
                "name": "readings",
                "logicalType": "object",
                "dataGranularityDescription": found.granularity,
                "properties": found.properties,
            }
        ],
        "slaProperties": [
            {
                "property": "frequency",
                "value": ask(f"how often is a delivery promised? A number of the unit.{often}"),
                "unit": ask("min, h or d"),
            }
        ],
        "customProperties": [
            {"property": "source", "value": _ownership(wish, vocabulary)},
            {"property": "classification", "value": _classification(found)},
            {"property": "delivery", "value": delivery},
        ],
    }


def _ownership(wish: Wish, vocabulary: Vocabulary) -> dict[str, Any]:
    def word(given: str, question: str, words: Mapping[str, Any], file: str) -> Value:
        return given or ask(f"{question} One of vocabulary/{file}.csv: {listed(list(words))}")

    return {
        "organisation": word(
            wish.organisation, "whose is it?", vocabulary.organisations, "organisations"
        ),
        "initiative": word(
            wish.initiative, "part of which initiative?", vocabulary.initiatives, "initiatives"
        ),
        "owner": ask("which unit answers for it? And under which licence may it be used?"),
        "contact": ask("which mailbox answers questions? A role's, not a person's"),
    }


def _classification(found: Found) -> dict[str, Any]:
    doubt = f" Look at: {listed(list(found.personal))}." if found.personal else ""
    return {
        "k": ask("confidentiality by KLASSA, 0 (open) to 4; 3 and 4 may not stand here"),
        "r": ask("integrity by KLASSA, 0 to 4"),
        "t": ask("availability by KLASSA, 0 to 4"),
        "personalData": ask(f"true if a person can be told from it, even indirectly.{doubt}"),
    }


def _require_words(wish: Wish, vocabulary: Vocabulary) -> None:
    for option, word, words in (
        ("--organisation", wish.organisation, vocabulary.organisations),
        ("--initiative", wish.initiative, vocabulary.initiatives),
    ):
        if word and word not in words:
            raise SettingsError(
                Problem(option, f"'{word}' is not in the vocabulary", f"Known: {', '.join(words)}.")
            )
    if wish.source_id and not re.fullmatch(r"[a-z0-9][a-z0-9_]{0,62}", wish.source_id):
        raise SettingsError(
            Problem("--id", f"'{wish.source_id}' is no plain id", "Use a-z, 0-9 and _.")
        )


def _id_of(wish: Wish) -> str:
    """An id from the sample's name: what is neither a number nor a date in it."""
    name = wish.table or re.sub(r"[*?\[\]]", " ", Path(wish.sample).name.split(".")[0])
    words = [word for word in re.split(r"[\s_-]+", name) if re.search(r"[^\W\d]", word)]
    folder = Path(wish.sample).absolute().parent.name
    return columns_found.plain_name("_".join(words)) if words else columns_found.plain_name(folder)


def _span(seconds: float) -> str:
    for size, word in _STEPS:
        if seconds >= size and seconds % size == 0:
            number = int(seconds // size)
            return f"1 {word}" if number == 1 else f"{number:,} {word}s"
    return f"{seconds:g} seconds"
