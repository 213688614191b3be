"""What the CLI prints: tables for people, JSON for machines, and never a traceback."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lakehouse.errors import SjostadError
from lakehouse.settings import Settings

if TYPE_CHECKING:  # importing these would load Dagster before it is needed
    from ingestion import Rebuilt, Replayed
    from ingestion.quarantine import Held
    from orchestration.doctor import Finding
    from orchestration.runs import Stage
    from orchestration.status import Status

out = Console()
_err = Console(stderr=True)

MARKS: Final = {True: "[green]✓[/]", False: "[bold red]✗[/]", None: "[dim]–[/]"}
"""How what came of something is shown: it holds, it does not, it is not asked."""

_WORDS: Final = {
    "loading": "Reading contracts",
    "ingestion": "Taking deliveries",
    "transformation": "Building silver and gold",
    "publishing": "Auditing and releasing",
    "portal": "Publishing the portal",
}
_RAW: Final = 200
_COUNTS: Final = ("records", "rows_in", "landed", "quarantined", "duplicates", "filtered")
_NUMBERS: Final = frozenset(
    (*(name.replace("_", " ") for name in _COUNTS), "rows", "release", "version", "deliveries",
     "refused", "devices", "min", "mean", "max", "line", "at source", "in lake", "missing",
     "files", "MB", "removed", "s")
)  # fmt: skip
_BROKEN: Final = {
    "quarantined": "quaran-\ntined",
    "duplicates": "dupli-\ncates",
    "filtered": "fil-\ntered",
    "deliveries": "deliv-\neries",
    "phenomenon_time": "time (UTC)",
}
"""Headings broken by hand, so that no terminal cuts a word."""


def say(text: str) -> None:
    """Print one line."""
    out.print(escape(text))


def problems(error: SjostadError) -> None:
    """Print each problem with its place and its remedy."""
    for problem in error.problems:
        _err.print(f"[bold red]✗[/] [bold]{escape(problem.place)}[/]", soft_wrap=True)
        _err.print(f"  {escape(problem.what)}")
        _err.print(f"  [green]→[/] {escape(problem.remedy)}")


@contextmanager
def working(as_json: bool) -> Iterator[Callable[[str], None]]:
    """Show which job is running: a spinner on a terminal, a line each elsewhere."""
    if as_json:
        yield lambda _name: None
    elif _err.is_terminal:
        with _err.status("…") as spinner:
            yield lambda name: spinner.update(_WORDS.get(name, name))
    else:
        yield lambda name: _err.print(f"{_WORDS.get(name, name)} …")


def stages(found: Sequence[Stage], settings: Settings, as_json: bool) -> None:
    """Print what the jobs came to."""
    if as_json:
        print_json([asdict(stage) for stage in found])
        return
    for number, stage in enumerate(found):
        if number:
            out.print()
        _SHOW[stage.job](stage)
        for step, cause in stage.failures.items():
            if _gate(step):  # the table of products has told why
                continue
            out.print(f"[bold red]✗ {escape(_place(step))}[/] {escape(cause)}")
    _closing(found, settings)


def _ingestion(stage: Stage) -> None:
    table = table_of("Sources", "source", *(name.replace("_", " ") for name in _COUNTS), "")
    notes: list[str] = []
    for key, made in stage.assets.items():
        layer, _, source_id = key.partition("/")
        if layer != "bronze":
            continue
        table.add_row(source_id, *(f"{made.get(name, 0):,}" for name in _COUNTS), _taken(made))
        if made.get("findings"):
            notes += str(made["findings"]).splitlines()
    out.print(table)
    for note in notes[:20]:
        out.print(f"  [yellow]•[/] {escape(note.removeprefix('- '))}")
    if len(notes) > 20:
        out.print(f"  … and {len(notes) - 20} more; see the Dagster UI")


def _taken(made: Mapping[str, Any]) -> str:
    """What a source's deliveries came to, in words."""
    news = sum(made.get(name, 0) for name in _COUNTS[1:])
    words = []
    if made.get("refused"):
        words.append(f"[red]{made['refused']} refused[/]")
    if made.get("passed_over"):
        words.append(f"{made['passed_over']} known")
    if made.get("reread"):
        words.append(f"{made['reread']:,} reread")
    return ", ".join(words) or ("taken" if news else "nothing new")


def _transformation(stage: Stage) -> None:
    table = table_of("Models", "model", "rows", "version", "")
    for key, made in stage.assets.items():
        is_new = made.get("committed", False)
        table.add_row(
            key,
            f"{made.get('dagster/row_count', 0):,}",
            str(made.get("delta_version", "")),
            "[green]written[/]" if is_new else "unchanged",
        )
    out.print(table)
    passed = sum(ok for ok, _ in stage.checks.values())
    out.print(f"  {passed} of {len(stage.checks)} data tests passed")
    for name, (ok, why) in stage.checks.items():
        if not ok:
            out.print(f"  [red]✗[/] {escape(name)} {escape(why)}")


def _publishing(stage: Stage) -> None:
    table = table_of("Products", "product", "audit", "sharing", "release", "rows", "")
    audits, sharing = (
        {
            name.split(f": {check}_", 1)[1]: result
            for name, result in stage.checks.items()
            if f": {check}_" in name
        }
        for check in ("audit", "sharing")
    )
    for product, (passed, why) in audits.items():
        may, why_not = sharing.get(product, (False, "nobody was asked"))
        made = stage.assets.get(f"release/{product}", {})
        against = [text for ok, text in ((passed, why), (may, why_not)) if not ok]
        came_to = "released" if made.get("is_new") else "unchanged"
        table.add_row(
            product,
            "[green]passed[/]" if passed else "[red]failed[/]",
            "[green]allowed[/]" if may else "[red]refused[/]",
            str(made.get("release", "—")),
            f"{made['dagster/row_count']:,}" if made else "—",
            came_to if made else escape("; ".join(against)),
        )
    out.print(table)


def _portal(stage: Stage) -> None:
    site = stage.assets.get("portal/site", {})
    if site:
        out.print(f"[bold]Portal[/] {'published' if site.get('changed') else 'unchanged'}")


_SHOW: Final[Mapping[str, Callable[[Stage], None]]] = {
    "ingestion": _ingestion,
    "transformation": _transformation,
    "publishing": _publishing,
    "portal": _portal,
}


def _closing(found: Sequence[Stage], settings: Settings) -> None:
    failed = [_place(step) for stage in found for step in stage.failures]
    if failed:
        out.print(f"\n[bold red]{len(failed)} failed, the rest went on:[/] {', '.join(failed)}")
    elif len(found) > 1 and not _changed(found):
        out.print("\n[bold]Nothing new:[/] no Delta table was written, nothing was published.")
    if any(stage.job == "portal" for stage in found):
        out.print(f"\nPortal     {settings.site / 'index.html'}", soft_wrap=True)
        out.print(f"Catalogue  {settings.site / 'catalog.rdf'}", soft_wrap=True)
        out.print("Graph      make ui, then http://localhost:3000")


def _place(step: str) -> str:
    """A step by the name of its asset: Dagster writes `bronze__x` for `bronze/x`."""
    return _gate(step) or step.replace("__", "/")


def _gate(step: str) -> str | None:
    """A step of the gate by the name of its product; None for another step."""
    for check in ("audit", "sharing"):
        _, is_one, product = step.partition(f"_{check}_")
        if is_one and step.startswith("gold__"):
            return f"{check} of {product}"
    return None


def _changed(found: Sequence[Stage]) -> bool:
    return any(
        made.get("landed") or made.get("quarantined") or made.get("duplicates")
        or made.get("committed") or made.get("is_new") or made.get("changed")
        for stage in found
        for made in stage.assets.values()
    )  # fmt: skip


def status(found: Status, as_json: bool) -> None:
    """Print where sources, products and sensors stand."""
    if as_json:
        print_json(asdict(found))
        return
    table = table_of(
        "Sources (times in UTC)",
        "source",
        "deliveries",
        "refused",
        "rows",
        "quarantined",
        "data until",
        "last taken",
    )
    for source in found.sources:
        table.add_row(
            source.source_id, f"{source.deliveries:,}", f"{source.refused:,}",
            f"{source.landed:,}", f"{source.quarantined:,}",
            _time(source.data_until), _time(source.last_taken),
        )  # fmt: skip
    out.print(table)
    out.print()
    table = table_of(
        "Products", "product", "audience", "version", "verdict", "release", "data until"
    )
    for product in found.products:
        table.add_row(
            product.product_id, product.audience, _or_dash(product.model_version),
            product.verdict, _or_dash(product.release), _time(product.data_until),
        )  # fmt: skip
    out.print(table)
    if found.sensors:
        told = ", ".join(f"{one} {count}" for one, count in found.sensors.findings.items())
        out.print(
            f"\n[bold]Sensors[/] {found.sensors.devices:,} devices on {found.sensors.day}; "
            f"to look at: {told or 'none'}. What to do: gold.sensorhalsa_dygn"
        )


def findings(found: Sequence[Finding], as_json: bool) -> None:
    """Print what the doctor found."""
    if as_json:
        print_json([asdict(finding) for finding in found])
        return
    for finding in found:
        mark = "[green]✓[/]" if finding.is_well else "[bold red]✗[/]"
        out.print(f"{mark} {escape(finding.subject)}: {escape(finding.what)}")
        if finding.remedy and not finding.is_well:
            out.print(f"  [green]→[/] {escape(finding.remedy)}")


def held(found: Sequence[Held], as_json: bool) -> None:
    """Print what quarantine holds."""
    if as_json:
        print_json([asdict(one) for one in found])
        return
    if not found:
        out.print("[green]✓[/] Nothing is held back.")
        return
    table = table_of("Held back", "source", "rule", "channel", "rows", "deliveries")
    for one in found:
        table.add_row(
            one.source_id, one.rule, one.channel or "—", f"{one.rows:,}", f"{one.deliveries:,}"
        )
    out.print(table)
    for rule, example in dict.fromkeys((one.rule, one.example) for one in found):
        out.print(f"  [yellow]•[/] {escape(rule)}: {escape(example)}")
    out.print("Look closer with [bold]sjostad quarantine show SOURCE --rule RULE[/].")


def held_rows(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print held rows as they were delivered."""
    if as_json:
        print_json(rows)
        return
    for row in rows:
        place = "/".join(part for part in (row["name"], row["_member"]) if part)
        out.print(f"[bold]{escape(place)}[/], line {row['_row']}: {escape(row['reason'])}")
        if row["raw"]:
            out.print(f"  [dim]{escape(row['raw'][:_RAW])}[/]")
    if not rows:
        out.print("[green]✓[/] No such rows are held back.")


def replayed(source_id: str, outcome: Replayed, as_json: bool) -> None:
    """Print what a replay came to."""
    if as_json:
        print_json({"source": source_id, **asdict(outcome)})
        return
    out.print(
        f"{escape(source_id)}: deliveries read again {len(outcome.receipts):,}, "
        f"rows landed {outcome.landed:,}, rows no longer held {outcome.released:,}."
    )
    for reason in outcome.refused:
        out.print(f"  [bold red]✗[/] {escape(reason)}")
    if outcome.landed:
        out.print("Build silver and gold with [bold]sjostad build[/].")


def rebuilt(source_id: str, outcome: Rebuilt, dry_run: bool, as_json: bool) -> None:
    """Print what building a source anew came to, or would come to."""
    if as_json:
        print_json({"source": source_id, "dry_run": dry_run, **asdict(outcome)})
        return
    out.print(
        f"{escape(source_id)}: deliveries read {outcome.deliveries:,}, rows "
        f"{outcome.rows_before:,} → {outcome.rows_after:,}, held in quarantine "
        f"{outcome.held_before:,} → {outcome.held_after:,}."
    )
    out.print(f"Rows not read like this any more {outcome.gone:,}, rows new {outcome.new:,}.")
    for reason in outcome.refused:
        out.print(f"  [bold yellow]![/] still refused: {escape(reason)}")
    if dry_run:
        out.print("Nothing was written.")
    elif outcome.version is None:
        out.print("Nothing differs, so nothing was written.")
    else:
        out.print(
            f"Version {outcome.version} of bronze has them; version {outcome.version_before} has "
            "the rows as they were. Build silver and gold with [bold]sjostad build[/]."
        )


def table_of(title: str, *columns: str) -> Table:
    """A table that a terminal of 80 columns holds: no frame, names and numbers never cut."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    for number, column in enumerate(columns):
        is_number = column in _NUMBERS
        table.add_column(
            _BROKEN.get(column, column),
            justify="right" if is_number else "left",
            no_wrap=is_number or number == 0,
            vertical="top",
        )
    return table


def _or_dash(number: int | None) -> str:
    return "—" if number is None else f"{number:,}"


def _time(text: str | None) -> str:
    """An ISO time in UTC, to the minute, as the tables show it."""
    return text[:16].replace("T", " ") if text else "—"


def print_json(value: object) -> None:
    """Print a value for machines."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")
