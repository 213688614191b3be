"""Trying a source in a throw-away lake: what would land, without touching the real one.

A contract is read as it stands, in the contracts folder or outside it. What a person has still
to decide is named; where that says nothing about how bytes are read, the trial goes on.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ingestion import SourceOutcome, ingest_source, quarantine, require_known
from ingestion.onboarding.samples import paths_of
from ingestion.quarantine import Held
from lakehouse import delta, tables
from lakehouse.contracts import Contracts, SourceContract, load_source, load_vocabulary
from lakehouse.contracts.collection import unknown_words
from lakehouse.contracts.drafts import Undecided, undecided, with_stand_ins
from lakehouse.contracts.odcs import read_document
from lakehouse.contracts.source import Server, source_of
from lakehouse.duck import connect, delta_scan
from lakehouse.errors import ContractError, DeliveryRefused, Problem
from lakehouse.settings import Settings

_PREVIEW: Final = 5
_BARS: Final = 16


@dataclass(frozen=True, slots=True)
class Channel:
    """What one channel would land.

    Attributes:
        name: Its name in the lake.
        unit: Unit of its values.
        rows: How many rows.
        devices: Of how many devices.
        low: Smallest value; None where it has only text.
        mean: Mean of the values.
        high: Largest value.
        course: Means of equal stretches of time from first to last; None where there is nothing.
    """

    name: str
    unit: str | None
    rows: int
    devices: int
    low: float | None
    mean: float | None
    high: float | None
    course: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class HeldExample:
    """Rows that would be held for one reason, with one of them as delivered."""

    held: Held
    place: str
    raw: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What trying a source came to.

    Attributes:
        contract: The contract that was tried.
        outcome: What the ingestion came to.
        preview: The first rows that would land.
        channels: What each channel would land.
        held: Rows that would go to quarantine, by rule and channel.
        span: First and last time that would land.
    """

    contract: SourceContract
    outcome: SourceOutcome
    preview: Sequence[dict[str, Any]] = ()
    channels: tuple[Channel, ...] = ()
    held: tuple[HeldExample, ...] = ()
    span: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contract file that may still be a draft.

    Attributes:
        path: The file.
        open: What a person has still to decide.
        contract: The contract; None while it cannot be read for what is open.
    """

    path: Path
    open: tuple[Undecided, ...]
    contract: SourceContract | None


def find_contract(settings: Settings, source: str) -> Path:
    """The contract file that an id or a path names.

    Raises:
        ContractError: There is none.
    """
    path = Path(source)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return path
    folder = settings.contracts / "sources"
    known = {one.stem: one for one in sorted(folder.rglob("*.yaml"))}
    if path.stem in known:
        return known[path.stem]
    raise ContractError(
        Problem(
            str(folder), f"there is no source '{source}'", f"Known: {', '.join(known) or 'none'}."
        )
    )


def open_candidate(settings: Settings, path: Path) -> Candidate:
    """Read a contract by itself, draft or not.

    Raises:
        ContractError: It has mistakes other than what is undecided.
    """
    left = undecided(path)
    if any(one.stops_reading for one in left):
        return Candidate(path, left, None)
    document = read_document(path)
    contract = source_of(replace(document, data=with_stand_ins(document.data)))
    if settings.server:
        contract = _at_server(settings, contract)
    words = load_vocabulary(settings.contracts)
    fields = {one.key for one in left}
    problems = [
        problem for problem in unknown_words(contract, words)
        if problem.place.removeprefix(f"{path}: ") not in fields
    ]  # fmt: skip
    if problems:
        raise ContractError.of(problems)
    require_known(contract)
    return Candidate(path, left, contract)


def _at_server(settings: Settings, contract: SourceContract) -> SourceContract:
    """The contract at the server that is asked for; its first, if only others have that one.

    Raises:
        ContractError: No contract has a server of that name.
    """
    if any(one.name == settings.server for one in contract.servers):
        return contract.at(settings.server)
    sound = {contract.id: contract}
    for path in sorted((settings.contracts / "sources").rglob("*.yaml")):
        try:
            other = load_source(path)
        except ContractError:
            continue  # a neighbour's mistake is not what is asked about
        sound[other.id] = other
    words = load_vocabulary(settings.contracts)
    return Contracts(settings.contracts, sound, {}, words).at(settings.server).source(contract.id)


def try_source(settings: Settings, contract: SourceContract, sample: Iterable[str] = ()) -> Trial:
    """Ingest a source into a temporary lake.

    Args:
        settings: Says where the inbox and the vocabulary are.
        contract: The source.
        sample: Files, folders or globs to try it on instead of what its server has.

    Raises:
        DeliveryRefused: There is no such sample.
        SourceUnavailable: The source did not answer.
    """
    with tempfile.TemporaryDirectory(prefix="sjostad-trial-") as folder:
        trial = replace(settings, home=Path(folder) / "home")
        files = [path for text in sample for path in paths_of(text)]
        if files:
            trial = replace(trial, inbox=Path(folder) / "inbox")
            contract = replace(contract, servers=(Server("sample", "**/*", "folder"),))
            _copy(files, trial.inbox)
        outcome = ingest_source(trial, contract)
        held = _held(trial, contract)
        address = tables.bronze(trial, contract.id)
        if not delta.exists(address):
            return Trial(contract, outcome, held=held)
        return _looked_at(Trial(contract, outcome, held=held), address)


def _copy(files: Sequence[Path], inbox: Path) -> None:
    """Put files into an inbox of the trial's own; links would be refused there."""
    names = {path.name for path in files}
    if len(names) < len(files):
        raise DeliveryRefused(
            Problem("--sample", "two files have the same name", "Name one of them at a time.")
        )
    inbox.mkdir()
    for path in files:
        shutil.copy2(path, inbox / path.name)


def _held(settings: Settings, contract: SourceContract) -> tuple[HeldExample, ...]:
    found = []
    for one in quarantine.summary(settings, contract.id):
        rows = quarantine.rows(settings, contract.id, rule=one.rule, limit=50)
        row = next((row for row in rows if row["channel"] == one.channel), rows[0])
        place = "/".join(part for part in (row["name"], row["_member"]) if part)
        found.append(HeldExample(one, f"{place}, line {row['_row']}", row["raw"] or ""))
    return tuple(found)


def _looked_at(trial: Trial, address: Path) -> Trial:
    """The same with the first rows and what each channel has."""
    scan = delta_scan(address)
    with connect() as connection:
        preview = connection.execute(
            f"""select device, channel, phenomenon_time::varchar as phenomenon_time, value, text,
                unit, quality
            from {scan} order by _batch, _delivery, _row, channel limit {_PREVIEW}"""
        ).to_arrow_table()
        span = connection.execute(
            f"select min(phenomenon_time)::varchar, max(phenomenon_time)::varchar from {scan}"
        ).fetchall()[0]
        rows = connection.execute(_channels(scan)).fetchall()
        courses = dict(connection.execute(_courses(scan)).fetchall())
    channels = tuple(_channel(row, courses.get(row[0], {})) for row in rows)
    return replace(trial, preview=preview.to_pylist(), channels=channels, span=span)


def _channel(row: tuple[Any, ...], course: Mapping[int, float]) -> Channel:
    name, unit, rows, devices, low, mean, high = row
    bars = tuple(course.get(bar) for bar in range(_BARS))
    return Channel(name, unit, rows, devices, low, mean, high, bars)


def _channels(scan: str) -> str:
    return f"""
        select channel, any_value(unit), count(*), count(distinct device), min(value), avg(value),
            max(value)
        from {scan} group by channel order by min(_row), channel"""


def _courses(scan: str) -> str:
    """SQL of the means of equal stretches of time, by channel; one time alone has no course."""
    return f"""
        with timed as (
            select channel, value, epoch_ms(phenomenon_time) as t,
                min(t) over () as first, max(t) over () as last
            from {scan} where value is not null
        ),
        bars as (
            select channel, avg(value) as mean,
                least({_BARS - 1}, floor({_BARS} * (t - first) / (last - first)))::integer as bar
            from timed where last > first group by all
        )
        select channel, map(list(bar), list(mean)) from bars group by channel"""
