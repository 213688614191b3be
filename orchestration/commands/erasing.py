"""The command that removes a device of a source for good, and says what it could not remove."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape

from ingestion.erasing import Erased, erase_device
from lakehouse import audit_log
from lakehouse.contracts import Contracts
from lakehouse.errors import LakeError, Problem, SjostadError
from lakehouse.settings import Settings
from lakehouse.traces import Trace
from orchestration.commands import report
from orchestration.commands.options import ContractsOption, HomeOption, JsonOption, lake

EXIT_FAILED: Final = 1
_SHOWN: Final = 5
"""Files of one place that are named."""

_REMEDIES: Final = {
    "inbox": "Ask the supplier to take it out of the delivery, or move the file away.",
    "landing": "Another source has it: erase it there, too.",
    "bronze": "Another source has it: erase it there, too.",
    "quarantine": "Another source has it: erase it there, too.",
    "silver": "Run 'sjostad build', then this command again.",
    "gold": "Run 'sjostad build', then this command again.",
    "releases": "Run 'sjostad withdraw PRODUCT --erase' for each product named here.",
    "sites": "Run 'sjostad withdraw PRODUCT --erase' for the products that show it.",
    "open.duckdb": "Run 'sjostad withdraw PRODUCT --erase' for the products that show it.",
    "dagster": "Delete these runs in the UI, or the folder while nothing runs.",
    "logs": "Delete these files.",
}
_OTHERWISE: Final = "Look at it, and remove it by hand."
_UNREADABLE: Final = "It cannot be read, so nobody can say what is in it: look at it by hand."


def erase(
    source: Annotated[str, typer.Argument(help="Source id.")],
    device: Annotated[str, typer.Option(help="The device, as the source calls it in bronze.")],
    by: Annotated[str, typer.Option(help="Who decided it: a role or unit.")],
    why: Annotated[str, typer.Option(help="Number of the matter; nothing about the person.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove every trace of one device of a source, for good, and search whether any is left.

    Landed bytes, bronze, quarantine, the ledger, silver and gold; then their older versions and
    logs. It cannot be undone. Run `sjostad build` after it, so that what was counted of the
    device is counted anew. Stopped anywhere, run it again. Exit code 1 if the device is still
    named somewhere: each place is told, with what to do.

    Example: `sjostad erase smarta_las --device LAS-010e0d2c5d --by "Dataskyddsombud"
    --why "2026/1041" --dry-run`.
    """
    settings, known = lake(contracts, None, home)
    contract = known.source(source)
    with report.working(as_json) as tell:
        tell("looking")
        steps: list[str] = []
        try:
            done = erase_device(
                settings,
                contract,
                device,
                sources=known.sources,
                decision={"erased_by": by, "erased_because": why},
                dry_run=dry_run,
                tell=steps.append,
            )
        except SjostadError:
            if not dry_run:
                audit_log.note(settings, "erased", f"source/{source}", "failed")
            raise
    if not dry_run:
        _note(settings, source, done)
    made = _made_from(settings, known, source)
    if as_json:
        report.print_json(_told(settings, done, steps, made))
    else:
        _report(steps, done, made, dry_run=dry_run)
    if dry_run or not done.left:
        return
    raise LakeError(*_problems(settings, done.left))


def _note(settings: Settings, source_id: str, done: Erased) -> None:
    audit_log.note(
        settings,
        "erased",
        f"source/{source_id}",
        "failed" if done.left else "done",
        rows=done.bronze_rows + done.held_rows,
        deliveries=done.deliveries,
        model_rows=done.model_rows,
        tables=len(done.tables),
        left=len(done.left),
    )


def _made_from(settings: Settings, contracts: Contracts, source_id: str) -> list[str]:
    """Released products that are made from a source: their rows may count the device."""
    return [
        product.id
        for product in contracts.products.values()
        if source_id in product.publication.sources and (settings.releases / product.id).is_dir()
    ]


def _told(
    settings: Settings, done: Erased, steps: Sequence[str], made: Sequence[str]
) -> dict[str, object]:
    left = [asdict(one) | {"path": _relative(settings, one.path)} for one in done.left]
    return asdict(done) | {"left": left, "steps": [*steps], "released_from_it": [*made]}


def _report(steps: Sequence[str], done: Erased, made: Sequence[str], *, dry_run: bool) -> None:
    for step in steps:
        report.out.print(f"  {escape(step)}")
    for product in made:
        report.out.print(
            f"  [yellow]•[/] {escape(product)} was released from it: see whether a release tells "
            f"of the device, and if so run 'sjostad withdraw {escape(product)} --erase'."
        )
    if dry_run:
        report.out.print("Nothing was written.")
    elif done.is_nothing:
        report.out.print("Nothing named it. Was it erased before, or is it called another way?")
    elif not done.left:
        report.out.print("[green]✓[/] Nothing names it any more. Now run 'sjostad build'.")


def _problems(settings: Settings, left: Sequence[Trace]) -> Iterator[Problem]:
    """What is left, by the part of the home folder that it is in."""
    unreadable = [one for one in left if one.place == "unreadable"]
    found = [one for one in left if one.place != "unreadable"]
    for area in dict.fromkeys(_area(settings, one.path) for one in found):
        inside = [one for one in found if _area(settings, one.path) == area]
        yield Problem(area, _places(settings, inside), _REMEDIES.get(area, _OTHERWISE))
    if unreadable:
        yield Problem("unreadable", _places(settings, unreadable), _UNREADABLE)


def _area(settings: Settings, path: Path) -> str:
    """The part of the home folder that a file is in; of the lake, the layer."""
    if path.is_relative_to(settings.inbox):
        return "inbox"
    parts = path.relative_to(settings.home).parts
    return parts[1] if parts[0] == "lake" and len(parts) > 1 else parts[0]


def _places(settings: Settings, traces: Sequence[Trace]) -> str:
    files = Counter[str]()
    for one in traces:
        files[_relative(settings, one.path)] += one.hits
    shown = ", ".join(f"{name} ({hits:,})" for name, hits in files.most_common(_SHOWN))
    more = f" and {len(files) - _SHOWN:,} more files" if len(files) > _SHOWN else ""
    return f"the device is still named in {shown}{more}"


def _relative(settings: Settings, path: Path) -> str:
    return str(path.relative_to(settings.home) if path.is_relative_to(settings.home) else path)
