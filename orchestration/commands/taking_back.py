"""The commands that take back what was released, and show it again."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from orchestration.commands import report
from orchestration.commands.options import ContractsOption, HomeOption, JsonOption, lake

if TYPE_CHECKING:  # importing it takes a second, which other commands need not wait for
    from publishing.taking_back import Taken

ProductArgument = Annotated[str, typer.Argument(help="The product.")]
ReasonOption = Annotated[
    str, typer.Option(help="Why, in Swedish; citizens read it on the product's page.")
]
EnglishOption = Annotated[
    str | None, typer.Option("--reason-en", help="The same in English; as --reason if omitted.")
]


def withdraw(
    product: ProductArgument,
    reason: ReasonOption,
    reason_en: EnglishOption = None,
    erase: Annotated[
        bool, typer.Option("--erase", help="Also delete the rows of its releases, for good.")
    ] = False,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a product back: gone from portal, catalogue, files and assistants when this returns.

    A page with the reason stays in its place, and nothing more of it is released until
    `sjostad reinstate`. Its releases are kept, shown nowhere, unless `--erase` deletes their rows.

    Example: `sjostad withdraw trafikflode_kvart --reason "Räknefel vid Sveavägen sedan 3 maj."`
    """
    from publishing import taking_back
    from publishing.letters import of_withdrawal
    from publishing.letters.channels import deliver

    settings, known = lake(contracts, None, home)
    contract = known.product(product)
    taken = taking_back.withdraw(settings, known, product, reason, reason_en or reason, erase=erase)
    problem = deliver(settings, of_withdrawal(contract, reason, taken.withdrawal.at))
    _report(taken, f"{product} is withdrawn", as_json, problem)


def rollback(
    product: ProductArgument,
    to: Annotated[int, typer.Option("--to", help="Number of the release to show again.")],
    reason: ReasonOption,
    reason_en: EnglishOption = None,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an earlier release again, and none that came after it.

    The same rows are not released again: mend what was wrong with them first.

    Example: `sjostad rollback luftkvalitet_timme --to 41 --reason "Fel enhet i utgåva 42."`
    """
    from publishing import taking_back

    settings, known = lake(contracts, None, home)
    known.product(product)
    _report(
        taking_back.roll_back(settings, known, product, to, reason, reason_en or reason),
        f"{product}: release {to} is shown again",
        as_json,
    )


def reinstate(
    product: ProductArgument,
    reason: ReasonOption,
    reason_en: EnglishOption = None,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a withdrawn product again, and let it be released. What was erased stays gone.

    Example: `sjostad reinstate trafikflode_kvart --reason "Räknefelet är rättat."`
    """
    from publishing import taking_back

    settings, known = lake(contracts, None, home)
    known.product(product)
    _report(
        taking_back.reinstate(settings, known, product, reason, reason_en or reason),
        f"{product} is shown again",
        as_json,
    )


def _report(taken: Taken, said: str, as_json: bool, unsent: str | None = None) -> None:
    if as_json:
        told = {"build": taken.site.number, "shown": dict(taken.site.releases), "unsent": unsent}
        report.print_json(asdict(taken.withdrawal) | told)
        return
    numbers = ", ".join(map(str, taken.withdrawal.numbers)) or "none"
    report.out.print(f"[green]✓[/] {escape(said)} (releases {numbers}).")
    if taken.withdrawal.erased:
        report.out.print("  Their rows are deleted; their manifests stay.")
    report.out.print(f"  Portal: build {taken.site.number}, {len(taken.site.releases)} products.")
    if unsent:
        report.out.print(f"  [yellow]•[/] {escape(unsent)}")
