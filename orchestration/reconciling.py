"""The command that compares what sources count with what the lake has of them."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from ingestion import Reconciled, can_be_reconciled
from ingestion import reconcile as compare
from lakehouse.errors import ContractError, SjostadError
from orchestration import report
from orchestration.options import (
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
    report.reconciled(found, as_json)
    if has_failed or any(one.lacking for one in found):
        raise typer.Exit(EXIT_FAILED)
