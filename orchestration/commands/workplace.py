"""Commands for what was held back: look at it, release it, read it again."""

from __future__ import annotations

from typing import Annotated

import typer

from ingestion import Replayed, build_anew, quarantine
from ingestion import replay as read_again
from lakehouse import audit_log
from orchestration.commands import report
from orchestration.commands.options import ContractsOption, HomeOption, JsonOption, lake

quarantine_app = typer.Typer(
    help="Rows that broke their contract: why, what they were, and what to do.",
    no_args_is_help=True,
)

SourceArgument = Annotated[str, typer.Argument(help="Source id.")]
EXIT_FAILED = 1


@quarantine_app.command("list")
def listing(
    source: Annotated[str | None, typer.Argument(help="Source id; all when omitted.")] = None,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is held, by source, rule and channel. Example: `sjostad quarantine list`."""
    settings, known = lake(contracts, None, home)
    names = [known.source(source).id] if source else list(known.sources)
    held = [one for name in names for one in quarantine.summary(settings, name)]
    report.held(held, as_json)


@quarantine_app.command()
def show(
    source: SourceArgument,
    rule: Annotated[str | None, typer.Option(help="Only rows that broke this rule.")] = None,
    limit: Annotated[int, typer.Option(help="Rows to show at most.", min=1)] = 20,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Held rows as they were delivered, with file, line and reason.

    Example: `sjostad quarantine show smhi_snow_depth --rule value_below_minimum`.
    """
    settings, known = lake(contracts, None, home)
    rows = quarantine.rows(settings, known.source(source).id, rule=rule, limit=limit)
    report.held_rows(rows, as_json)


@quarantine_app.command()
def release(
    source: SourceArgument,
    rule: Annotated[list[str], typer.Option(help="Rule whose rows are released; repeatable.")],
    by: Annotated[str, typer.Option(help="Who decided it: a role or unit.")],
    why: Annotated[str, typer.Option(help="Why the rows may land as they are.")],
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let rows land although they break a rule; they are marked as uncertain.

    For rows that are right and a rule that is too narrow for them. When the rule is wrong, mend
    the contract and use `sjostad replay` instead. The decision is kept in the commit.

    Example: `sjostad quarantine release smhi_snow_depth --rule value_below_minimum
    --by "Klimatdata, SMHI" --why "-0.01 means patches of snow"`.
    """
    settings, known = lake(contracts, None, home)
    contract = known.source(source)
    decision = {"released_by": by, "released_because": why}
    _tell(
        source,
        read_again(settings, contract, waived=frozenset(rule), decision=decision),
        as_json,
    )


def replay(
    source: SourceArgument,
    everything: Annotated[
        bool, typer.Option("--all", help="Every delivery, not only those with rows held.")
    ] = False,
    anew: Annotated[
        bool,
        typer.Option("--anew", help="Put what is read now in the place of every row that landed."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --anew: only say how many rows would differ.")
    ] = False,
    by: Annotated[
        str | None, typer.Option(help="With --anew: who decided it, a role or unit.")
    ] = None,
    why: Annotated[str | None, typer.Option(help="With --anew: why.")] = None,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read landed deliveries again under the present contract; what is mended lands.

    Rows that have landed stay as they are. Where they were read wrongly (a wrong time zone, a
    wrong unit or device), `--anew` reads the whole source again and replaces them all at once.

    Example: after widening a limit in the contract, `sjostad replay miljo_luft`; after mending
    its time zone, `sjostad replay miljo_luft --anew --dry-run`, then `sjostad replay miljo_luft
    --anew --by "Luft och buller" --why "times were local, not UTC"`.
    """
    _require_fitting(anew, dry_run, everything, by, why)
    settings, known = lake(contracts, None, home)
    contract = known.source(source)
    if anew:
        decision = {"rebuilt_by": by or "", "rebuilt_because": why or ""}
        outcome = build_anew(settings, contract, decision=decision, dry_run=dry_run)
        if not dry_run:
            rows = outcome.rows_after
            audit_log.note(settings, "rebuilt", f"source/{source}", rows=rows)
        report.rebuilt(source, outcome, dry_run, as_json)
        return
    _tell(source, read_again(settings, contract, everything=everything), as_json)


def _require_fitting(
    anew: bool, dry_run: bool, everything: bool, by: str | None, why: str | None
) -> None:
    """Refuse options that say nothing together, before anything is read."""
    if anew and everything:
        raise typer.BadParameter("--anew reads every delivery; leave out --all.")
    if not anew and (dry_run or by or why):
        raise typer.BadParameter("--dry-run, --by and --why belong to --anew.")
    if anew and not dry_run and not (by and why):
        raise typer.BadParameter(
            "--anew replaces every row of the source: say who decided it and why with --by and "
            "--why, or see what would differ with --dry-run."
        )


def _tell(source_id: str, outcome: Replayed, as_json: bool) -> None:
    report.replayed(source_id, outcome, as_json)
    if outcome.refused:
        raise typer.Exit(EXIT_FAILED)
