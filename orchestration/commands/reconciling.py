"""The command that compares what sources count with what the lake has of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

import typer
from rich.markup import escape

from ingestion import Reconciled, can_be_reconciled
from ingestion import reconcile as compare
from lakehouse.errors import ContractError, SjostadError
from orchestration.commands import report
from orchestration.commands.options import (
    ContractsOption,
    HomeOption,
    InboxOption,
    JsonOption,
    ServerOption,
    lake,
)

EXIT_FAILED = 1


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("expected a day such as 2026-10-19") from None


DayOption = Annotated[date | None, typer.Option(parser=_day, metavar="DAY")]


def reconcile(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources; all that can count when omitted.")
    ] = None,
    since: DayOption = None,
    until: DayOption = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Pull days that lack rows once more.")
    ] = False,
    contracts: ContractsOption = None,
    inbox: InboxOption = None,
    home: HomeOption = None,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare what databases and historians count with what bronze has, day by day.

    Finds rows that were committed at the source later than a pull's overlap reaches. Without
    days it looks at the 31 up to yesterday. Exit code 1 if rows are missing and were not taken in.

    Example: `sjostad reconcile hamnar_elmatare --since 2026-10-01 --repair`.
    """
    settings, known = lake(contracts, inbox, home, server)
    chosen = [known.source(name) for name in sources or known.sources]
    found: list[Reconciled] = []
    has_failed = False
    for contract in chosen:
        if not sources and not can_be_reconciled(contract):
            continue
        try:
            found.append(compare(settings, contract, since, until, repair=repair))
        except ContractError:
            raise
        except SjostadError as error:  # the others can be asked all the same
            has_failed = True
            report.problems(error)
    _report(found, as_json)
    if has_failed or any(one.lacking for one in found):
        raise typer.Exit(EXIT_FAILED)


def _report(found: Sequence[Reconciled], as_json: bool) -> None:
    """Print the days on which sources and the lake differ."""
    if as_json:
        report.print_json([_with_missing(one) for one in found])
        return
    for one in found:
        period = f"{one.first} to {one.last} ({one.zone})"
        days = [day for day in one.days if day.missing]
        if not days:
            report.out.print(f"[green]✓[/] {escape(one.source_id)}: nothing is missing, {period}")
        else:
            table = report.table_of(f"{one.source_id}, {period}", "day", "at source", "in lake",
                             "missing", "")  # fmt: skip
            for day in days:
                mark = "read again, all known" if day.is_read else ""
                table.add_row(str(day.day), f"{day.at_source.rows:,}", f"{day.in_lake.rows:,}",
                              f"{day.missing:,}", mark)  # fmt: skip
            report.out.print(table)
        if one.landed or one.quarantined:
            report.out.print(
                f"  taken in: {one.landed:,} rows landed, {one.quarantined:,} quarantined. "
                "Build silver and gold with [bold]sjostad build[/]."
            )
        for reason in one.refused:
            report.out.print(f"  [bold red]✗[/] {escape(reason)}")
    if any(one.lacking for one in found):
        report.out.print(
            "Take them in with [bold]sjostad reconcile SOURCE --repair[/]; what is refused is "
            "named by [bold]sjostad quarantine list[/]."
        )


def _with_missing(found: Reconciled) -> dict[str, Any]:
    days = [asdict(day) | {"missing": day.missing} for day in found.days]
    return asdict(found) | {"days": days, "is_whole": not found.lacking}
