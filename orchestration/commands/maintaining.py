"""The command that does the upkeep of the lake's tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

from ingestion import Past
from lakehouse.delta.upkeep import Upkeep
from lakehouse.delta.vacuum import LEAST
from lakehouse.errors import Problem, SettingsError, SjostadError
from lakehouse.locks import exclusive
from lakehouse.settings import Settings
from orchestration.commands import report
from orchestration.commands.options import ContractsOption, HomeOption, JsonOption
from orchestration.upkeep import retention_of, told_of, upkeep_of

if TYPE_CHECKING:  # importing it takes a second, which other commands need not wait for
    from publishing.retention import Expired

EXIT_FAILED: Final = 1


def maintain(
    table: Annotated[
        list[str] | None, typer.Argument(help="Such as bronze.miljo_luft; all when omitted.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    keep_days: Annotated[
        int | None,
        typer.Option(help="Days that older versions stay readable for; SJOSTAD_KEEP_DAYS."),
    ] = None,
    allow_short: Annotated[
        bool, typer.Option("--allow-short", help="Keep less than a week; nothing else runs.")
    ] = False,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove what is kept no longer, put small files together, remove files nobody needs.

    Rows and bytes go that a contract keeps no longer (`retention`), unless tables are named. No
    other row changes: what is put together is read back and compared before it counts. What
    others are working on is left for the next time. Exit code 1 if something is not as it should
    be.

    Example: `sjostad maintain bronze.miljo_luft ledger --dry-run`.
    """
    settings = Settings.from_environment(contracts=contracts, home=home)
    _require_long(settings.keep_days if keep_days is None else keep_days, allow_short)
    failures: list[SjostadError] = []
    found: dict[str, Upkeep] = {}
    past: dict[str, Past | Expired] = {}
    with exclusive(settings, "maintain"), report.working(as_json) as tell:
        for source_id, gone in () if table else retention_of(settings, dry_run=dry_run):
            if isinstance(gone, SjostadError):
                failures.append(gone)
            else:
                past[source_id] = gone
        for name, done in upkeep_of(
            settings,
            table or (),
            dry_run=dry_run,
            keep_days=keep_days,
            is_short_meant=allow_short,
            tell=tell,
        ):
            if isinstance(done, SjostadError):  # the others can be seen to all the same
                failures.append(done)
            else:
                found[name] = done
    _report(found, past, dry_run, as_json)
    for failure in failures:
        report.problems(failure)
    if failures:
        raise typer.Exit(EXIT_FAILED)


def _require_long(days: int, is_short_meant: bool) -> None:
    if days < 0 or (days < LEAST.days and not is_short_meant):
        raise SettingsError(
            Problem(
                "--keep-days",
                f"{days} days are too few: a commit under way or a reader may need what would be "
                "removed",
                f"Keep {LEAST.days} days or more; --allow-short if nothing else is running.",
            )
        )


def _report(
    found: Mapping[str, Upkeep], past: Mapping[str, Past | Expired], dry_run: bool, as_json: bool
) -> None:
    """Print what was done, source by source and table by table."""
    if as_json:
        told: dict[str, object] = {name: asdict(done) for name, done in found.items()}
        kept = {name: asdict(one) | {"kept_from": str(one.kept_from)} for name, one in past.items()}
        report.print_json(told | ({"retention": kept} if kept else {}))
        return
    for name, one in past.items():
        end = "would go." if dry_run else "are gone."
        head = f"  [yellow]•[/] {escape(name)} is kept from {one.kept_from} on:"
        report.out.print(f"{head} {told_of(one)} {end}")
    if not dry_run and any(isinstance(one, Past) for one in past.values()):
        report.out.print("Now run 'sjostad build'.")
    busy = {name: done for name, done in found.items() if _has_done(done)}
    if busy:
        title = "What upkeep would do" if dry_run else "Upkeep"
        shown = report.table_of(title, "table", "files", "MB", "version", "removed", "s", "")
        for name, done in busy.items():
            shown.add_row(
                escape(name),
                _change(done.files_before, done.files_after),
                _change(_mb(done.bytes_before), _mb(done.bytes_after)),
                _change(done.version_before, done.version_after),
                f"{done.removed:,}",
                f"{done.seconds:.1f}",
                _words(done),
            )
        report.out.print(shown)
    for name, done in found.items():
        for word in done.left:
            report.out.print(f"  [yellow]•[/] {escape(name)} left alone: {escape(word)}")
    rest = len(found) - len(busy)
    if rest:
        report.out.print(f"[green]✓[/] {rest:,} of {len(found):,} tables need nothing.")
    if dry_run and found:
        report.out.print("Nothing was written.")


def _has_done(done: Upkeep) -> bool:
    return bool(done.together or done.removed or done.is_checkpointed)


def _change(before: object, after: object) -> str:
    old, new = (f"{value:,}" if isinstance(value, int) else str(value) for value in (before, after))
    return old if old == new else f"{old} → {new}"


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f}"


def _words(done: Upkeep) -> str:
    """What a row of numbers does not tell."""
    words = []
    if done.partitions > 1:
        words.append(f"{done.partitions:,} partitions")
    if done.removed:
        words.append(f"{_mb(done.freed)} MB freed")
    if done.is_checkpointed:
        words.append("checkpoint")
    return ", ".join(words)
