"""The commands of the gate: is a product good, may it be shared, and who decided so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape

from lakehouse import audit_log
from lakehouse.contracts import ProductContract, load_contracts
from lakehouse.contracts.approvals import Approval, Audited, write_approval
from lakehouse.decisions import Decision, Outcome
from lakehouse.errors import Problem, ReleaseRefused, SettingsError
from lakehouse.settings import Settings
from lakehouse.timeline import city_today
from lakehouse.verdicts import Verdict, newest_verdict, verdict_digest
from orchestration.commands import report
from orchestration.commands.options import ContractsOption, HomeOption, JsonOption, lake
from orchestration.judgement import audited, decided

EXIT_FAILED: Final = 1


def audit(
    products: Annotated[
        list[str] | None, typer.Argument(help="Products; all when omitted.")
    ] = None,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Are products good, and may they be shared? Releases nothing. Exit code 1 if one may not.

    Example: `sjostad audit luftkvalitet_timme`.
    """
    settings, known = lake(contracts, None, home)
    chosen = [known.product(name) for name in products or known.products]
    found = [(audited(settings, known, one), decided(settings, known, one)) for one in chosen]
    if as_json:
        report.print_json(
            [
                asdict(verdict)
                | {"passed": verdict.passed}
                | {"sharing": asdict(decision) | {"allowed": decision.allowed}}
                for verdict, decision in found
            ]
        )
    else:
        for verdict, decision in found:
            _print_verdict(verdict)
            _print_decision(decision)
    if not all(verdict.passed and decision.allowed for verdict, decision in found):
        raise typer.Exit(EXIT_FAILED)


def check(
    contracts: ContractsOption = None, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Do contract, table, dbt's YAML, audit, decision and catalogue say the same?

    Names both sides of whatever does not agree; exit code 1 if something does not.

    Example: `sjostad check --json`.
    """
    from orchestration.agreement import disagreements

    settings, known = lake(contracts, None, home)
    found = list(disagreements(settings, known))
    if as_json:
        report.print_json([asdict(one) for one in found])
    for one in () if as_json else found:
        report.out.print(f"[bold red]✗[/] [bold]{escape(one.about)}[/]")
        report.out.print(f"  {escape(one.left)}; {escape(one.right)}")
        report.out.print(f"  [green]→[/] {escape(one.remedy)}")
    if found:
        raise typer.Exit(EXIT_FAILED)
    if not as_json:
        sources, products = len(known.sources), len(known.products)
        report.out.print(f"[green]✓[/] {sources} sources and {products} products: all agree.")


def approve(
    product: Annotated[str, typer.Argument(help="The product that is to be shared.")],
    decision: Annotated[str, typer.Option(help="Reference of the decision, such as TN-2026-0731.")],
    by: Annotated[str, typer.Option(help="The body that decided, such as Trafiknämnden.")],
    until: Annotated[str, typer.Option(help="Last day on which it holds, such as 2027-09-24.")],
    on: Annotated[str | None, typer.Option(help="Day of the decision; today if omitted.")] = None,
    reclassified: Annotated[
        str | None,
        typer.Option(help="Why it is classified lower than what it is made from, if it is."),
    ] = None,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record an information owner's decision to share a product as its contract says.

    Writes one file into `contracts/approvals/`, to be reviewed and committed like any other change.
    The product must have passed its audit as it stands now. Taking a decision back is deleting its
    file.

    Example: `sjostad approve trafikflode_kvart --decision TN-2026-0731 --by Trafiknämnden
    --until 2027-09-24`.
    """
    from quality.policy import decide, facts_of

    settings, known = lake(contracts, None, home)
    contract = known.product(product)
    verdict = _passed(settings, contract)
    made = _approval(contract, verdict, decision, by, _day("--on", on), _day("--until", until))
    made = made.model_copy(update={"reclassified": reclassified})
    path = write_approval(settings.contracts, made)
    audit_log.note(
        settings,
        "approved",
        f"product/{product}",
        audience=made.audience,
        version=made.contract_version,
        until=made.valid_until,
    )
    now = load_contracts(settings.contracts)
    objections = [
        outcome
        for outcome in decide(facts_of(now, now.product(product), city_today()))
        if outcome.holds is False
    ]
    if as_json:
        told = [asdict(outcome) for outcome in objections]
        report.print_json({"file": str(path), **made.model_dump(mode="json"), "objections": told})
    else:
        _print_approval(path, made, objections)
    if objections:
        raise typer.Exit(EXIT_FAILED)


def _print_approval(path: Path, made: Approval, objections: Sequence[Outcome]) -> None:
    report.say(f"Wrote {path}")
    if not objections:
        report.say(f"{made.product} may be shared: {made.audience}, until {made.valid_until}.")
        return
    report.say("It may still not be shared:")
    for outcome in objections:
        report.out.print(f"  [red]✗[/] {escape(outcome.sv)}\n    [dim]{escape(outcome.en)}[/]")


def _passed(settings: Settings, contract: ProductContract) -> Verdict:
    """The passed verdict on what stands in the lake now; nobody approves what nobody has seen."""
    verdict = newest_verdict(settings, contract)
    if verdict is None or not verdict.passed:
        what = "has not been audited" if verdict is None else "has not passed its audit"
        raise ReleaseRefused(
            Problem(
                f"{contract.id} {contract.version}",
                f"it {what} as it stands now, so nobody can have seen what would be shared",
                f"Run 'sjostad audit {contract.id}' first.",
            )
        )
    return verdict


def _approval(
    contract: ProductContract, verdict: Verdict, decision: str, by: str, on: date, until: date
) -> Approval:
    levels = contract.classification
    if levels is None:
        raise ReleaseRefused(
            Problem(
                f"{contract.id} {contract.version}",
                "nobody has classified it, so nobody can decide to share it",
                "Add 'classification' to its contract.",
            )
        )
    if until < on:
        raise SettingsError(Problem("--until", f"{until} is before {on}", "Correct the dates."))
    if on.isoformat() < verdict.audited_at[:10]:
        raise SettingsError(
            Problem(
                "--on",
                f"{on} is before the audit of {verdict.audited_at}, which nobody had seen then",
                "Record decisions that were made on this audit.",
            )
        )
    return Approval(
        product=contract.id,
        audience=contract.publication.audience,
        contract_version=contract.version,
        columns=tuple(column.name for column in contract.columns),
        classification=str(levels.levels),
        personal_data=levels.personal_data,
        decision=decision,
        decided_by=by,
        decided_on=on.isoformat(),
        valid_until=until.isoformat(),
        audited=Audited(
            delta_version=verdict.delta_version,
            rows=verdict.rows,
            audited_at=verdict.audited_at,
            verdict=verdict_digest(verdict),
        ),
    )


def _day(option: str, text: str | None) -> date:
    try:
        return date.fromisoformat(text) if text else city_today()
    except ValueError:
        raise SettingsError(
            Problem(option, f"'{text}' is no date", "Write a date such as 2026-09-24.")
        ) from None


def _print_verdict(verdict: Verdict) -> None:
    colour, word = ("green", "passed") if verdict.passed else ("red", "failed")
    table = report.table_of(
        f"{verdict.product}: [{colour}]audit {word}[/] ({verdict.rows:,} rows, "
        f"Delta version {verdict.delta_version})",
        "column", "expected", "found", "",
    )  # fmt: skip
    for check in verdict.checks:
        mark = "[green]✓[/]" if check.passed else f"[red]✗ {check.severity}[/]"
        table.add_row(check.column or "(table)", check.expected, check.observed, mark)
    report.out.print(table)
    for reason in verdict.reasons:
        report.out.print(f"  [red]✗[/] {escape(reason)}")


def _print_decision(decision: Decision) -> None:
    colour, word = ("green", "may be shared") if decision.allowed else ("red", "may not be shared")
    until = f" until {decision.valid_until}" if decision.valid_until else ""
    table = report.table_of(
        f"{decision.product}: [{colour}]{word}[/] ({decision.audience}{until})", "", "regel", "svar"
    )
    for outcome in decision.outcomes:
        if outcome.holds is not None:
            table.add_row(report.MARKS[outcome.holds], outcome.rule, outcome.sv)
    report.out.print(table)
