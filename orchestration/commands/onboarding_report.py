"""What `sjostad source` prints: a proposal, what a contract would land, what is left to decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.markup import escape
from rich.table import Table

from ingestion.onboarding import Proposal
from ingestion.onboarding.annotated import plain
from lakehouse.contracts import drafts
from lakehouse.contracts.drafts import DECIDE, Undecided
from orchestration.commands.report import out, print_json, table_of
from orchestration.trial import Candidate, Channel, HeldExample, Trial

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_RAW: Final = 74
_EXAMPLES: Final = 8
_FINDINGS: Final = 12
_RULE_WORDS: Final = {"columns": "in", "column": "in", "endColumns": "until", "file": "by name"}
"""What the parts of a rule are called in a sentence."""


def proposed(proposal: Proposal, path: Path, sample: str, as_json: bool) -> None:
    """Print what was seen in a sample and where the contract stands."""
    left = drafts.undecided(path)
    command = check_command(path, "" if "://" in sample else sample)
    if as_json:
        print_json(
            {
                "source": proposal.source_id,
                "path": str(path),
                "seen": dict(proposal.seen),
                "contract": plain(proposal.document),
                "remarks": [
                    {"place": place, "value": plain(said.value), "decide": said.decide,
                     "check": said.check, "seen": said.seen}
                    for place, said in proposal.remarks
                ],
                "undecided": [asdict(one) for one in left],
                "next": command,
            }
        )  # fmt: skip
        return
    rules = [(name, what) for name in ("time", "device") if (what := _rule(proposal, name))]
    _facts([*proposal.seen, *rules])
    out.print(f"[dim]Written[/]  {escape(shown(path))}\n", soft_wrap=True)
    _channels_proposed(proposal)
    out.print()
    _open(left)
    out.print("\nWhat is marked [bold]check[/] in the file is a proposal: look at it, too.")
    _next(command)


def undecided(candidate: Candidate, as_json: bool) -> None:
    """Print what is left to decide before a contract can be tried."""
    if as_json:
        left = [asdict(one) for one in candidate.open]
        print_json({"contract": str(candidate.path), "undecided": left})
        return
    _open(candidate.open)
    out.print(
        f"\n[red]✗[/] {escape(shown(candidate.path))} cannot be tried before what is marked "
        "[red]●[/] is decided."
    )


def tried(candidate: Candidate, trial: Trial, folder: Path, as_json: bool) -> None:
    """Print what a source would land.

    Args:
        candidate: Its contract and what is open in it.
        trial: What trying it came to.
        folder: Where contracts of sources belong.
        as_json: For machines.
    """
    ready = not candidate.open and bool(trial.channels) and not trial.outcome.refused
    command = f"sjostad ingest {trial.contract.id}" if ready else ""
    if as_json:
        print_json(_as_data(candidate, trial, command))
        return
    _counts(trial)
    _findings(trial)
    if trial.channels:
        out.print()
        _channels(trial)
    if trial.held:
        out.print()
        _held(trial.held)
    if trial.preview:
        out.print()
        _preview(trial.preview)
    if candidate.open:
        out.print()
        _open(candidate.open)
    _advise(candidate, trial, command, folder)


def check_command(path: Path, sample: str = "") -> str:
    """The command that tries a contract."""
    quoted = f"'{sample}'" if any(sign in sample for sign in " *?[") else sample
    return f"sjostad source check {shown(path)}" + (f" --sample {quoted}" if sample else "")


def shown(path: Path) -> str:
    """A path as people write it: from where they stand."""
    own, here = path.resolve(), Path.cwd()
    return str(own.relative_to(here)) if own.is_relative_to(here) else str(path)


def _facts(facts: Sequence[tuple[str, str]]) -> None:
    """Short facts with their names before them."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(min_width=len("Written"))
    grid.add_column()
    for name, what in facts:
        grid.add_row(f"[dim]{name.capitalize()}[/]", escape(what))
    out.print(grid)


def _rule(proposal: Proposal, name: str) -> str:
    """A part of `delivery` in words, with what was seen or is to be checked."""
    rule = next(
        item["value"] for item in proposal.document["customProperties"]
        if item["property"] == "delivery"
    ).get(name, {})  # fmt: skip
    words = [f"{_RULE_WORDS.get(key, key)} {_said(value)}" for key, value in plain(rule).items()]
    notes = [
        said.check for place, said in proposal.remarks
        if f".{name}." in place and place.endswith(tuple(plain(rule))) and said.check
    ]  # fmt: skip
    return ", ".join(words) + "".join(f" ({note})" for note in notes)


def _said(value: object) -> str:
    words = map(str, value) if isinstance(value, list) else [str(value)]
    return " and ".join("to decide" if word == DECIDE else word for word in words)


def _next(command: str) -> None:
    out.print(f"\n[green]→[/] [bold]{escape(command)}[/]", soft_wrap=True)


def _channels_proposed(proposal: Proposal) -> None:
    table = table_of("Channels", "delivered as", "measures", "unit", "bounds", "")
    remarks = dict(proposal.remarks)
    for number, item in enumerate(plain(proposal.document)["schema"][0]["properties"]):
        own = {one["property"]: one["value"] for one in item.get("customProperties", ())}
        if "observedProperty" not in own:
            continue
        place = f"schema[0].properties[{number}].customProperties[0]"
        said = remarks[place].check if place in remarks else ""
        limits = item.get("logicalTypeOptions", {})
        bounds = f"{limits['minimum']:,g} to {limits['maximum']:,g}" if limits else "—"
        table.add_row(
            escape(item.get("physicalName", item["name"])), _word(own["observedProperty"]),
            _word(own["unit"]), bounds, escape(said.removeprefix("by its name, ")),
        )  # fmt: skip
    out.print(table)


def _word(value: str) -> str:
    return "[yellow]to decide[/]" if value == DECIDE else escape(value)


def _open(left: Sequence[Undecided]) -> None:
    if not left:
        out.print("[green]✓[/] Nothing is left to decide.")
        return
    table = table_of(f"To decide ({len(left)})", "line", "", "what", "question")
    for one in sorted(left, key=lambda one: not one.stops_reading):
        name = one.key.removeprefix("customProperties.").removeprefix("schema.readings.properties.")
        name = name.replace(".customProperties.", ": ")
        mark = "[red]●[/]" if one.stops_reading else ""
        table.add_row(str(one.line), mark, f"[yellow]{escape(name)}[/]", escape(one.question))
    out.print(table)
    if any(one.stops_reading for one in left):
        out.print("[red]●[/] must be decided before the sample can be read")


def _counts(trial: Trial) -> None:
    ledger = trial.outcome.ledger
    names = ("records", "rows in", "landed", "quarantined", "duplicates", "filtered")
    table = table_of(f"{trial.contract.id}: what would land", *names)
    counts = [ledger.records, ledger.rows_in, ledger.landed, ledger.quarantined, ledger.duplicates]
    table.add_row(*(f"{count:,}" for count in [*counts, ledger.filtered_rows]))
    out.print(table)


def _findings(trial: Trial) -> None:
    found = [
        (receipt.name, finding)
        for receipt in trial.outcome.receipts
        for finding in [*receipt.findings, *([receipt.reason] if receipt.reason else [])]
    ]
    for name, finding in found[:_FINDINGS]:
        out.print(f"  [yellow]•[/] {escape(name)}: {escape(finding)}")
    if len(found) > _FINDINGS:
        out.print(f"  … and {len(found) - _FINDINGS} more")


def _channels(trial: Trial) -> None:
    first, last = (text[:16] for text in trial.span or ("", ""))
    span = first if first == last else f"{first} to {last}"
    table = table_of(
        f"Channels ({span} UTC)", "channel", "rows", "devices", "min", "mean", "max", "unit",
        "course",
    )  # fmt: skip
    for one in trial.channels:
        table.add_row(
            escape(one.name), f"{one.rows:,}", f"{one.devices:,}", _number(one.low),
            _number(one.mean), _number(one.high), escape(one.unit or ""), course(one),
        )  # fmt: skip
    out.print(table)


def course(channel: Channel) -> str:
    """A channel's means over time as a line of blocks; a blank where there is nothing."""
    known = [mean for mean in channel.course if mean is not None]
    if len(known) < 2:
        return ""
    low, span = min(known), (max(known) - min(known)) or 1.0
    return "".join(
        " " if mean is None else _BLOCKS[round((mean - low) / span * (len(_BLOCKS) - 1))]
        for mean in channel.course
    )


def _number(value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.5g}"


def _held(held: Sequence[HeldExample]) -> None:
    table = table_of("Held back", "rule", "channel", "rows")
    for one in held:
        table.add_row(one.held.rule, escape(one.held.channel or "—"), f"{one.held.rows:,}")
    out.print(table)
    examples = {(one.place, one.held.example): one for one in held}
    for one in list(examples.values())[:_EXAMPLES]:
        out.print(f"  [yellow]•[/] {escape(one.place)}: {escape(one.held.example)}")
        if one.raw:
            raw = " ".join(one.raw.split())
            out.print(f"    [dim]{escape(raw[:_RAW] + '…' * (len(raw) > _RAW))}[/]")


def _preview(rows: Sequence[Mapping[str, Any]]) -> None:
    kept = [
        name for name in rows[0]
        if name not in ("text", "quality")
        or any(row[name] not in (None, "", "good") for row in rows)
    ]  # fmt: skip
    table = table_of("First rows", *kept)
    for row in rows:
        told = dict(row) | {"phenomenon_time": row["phenomenon_time"].removesuffix("+00")}
        table.add_row(*("" if told[name] is None else escape(str(told[name])) for name in kept))
    out.print(table)


def _advise(candidate: Candidate, trial: Trial, command: str, folder: Path) -> None:
    """What to do now."""
    if not trial.outcome.receipts:
        what = f"There is nothing at {trial.contract.location}: put files there, or add --sample."
        out.print(f"\n[yellow]•[/] {escape(what)}")
    elif candidate.open:
        what = "Decide what is open, then write 'status: active' and check again."
        out.print(f"\n[green]→[/] {escape(what)}")
    elif not trial.channels:
        out.print("\n[red]✗[/] Nothing would land. The reasons above say what to mend.")
    elif not trial.outcome.refused and trial.contract.status == "draft":
        place = f"{shown(folder)}/{trial.contract.ownership.organisation}/"
        is_there = candidate.path.resolve().is_relative_to(folder.resolve())
        moved = "" if is_there else f", put it into {place},"
        what = f"Write 'status: active' in {shown(candidate.path)}{moved} and run"
        out.print(f"\n[green]→[/] {escape(what)} [bold]{escape(command)}[/]", soft_wrap=True)
    elif command:
        _next(command)


def _as_data(candidate: Candidate, trial: Trial, command: str) -> dict[str, Any]:
    outcome = trial.outcome
    return {
        "source": outcome.source_id,
        "contract": str(candidate.path),
        "status": trial.contract.status,
        "undecided": [asdict(one) for one in candidate.open],
        "ledger": asdict(outcome.ledger),
        "refused": [asdict(receipt) for receipt in outcome.refused],
        "findings": [finding for receipt in outcome.receipts for finding in receipt.findings],
        "span": trial.span,
        "channels": [asdict(one) for one in trial.channels],
        "held": [asdict(one) for one in trial.held],
        "preview": trial.preview,
        "next": command,
    }
