"""The commands about releases: what the next would be, taking one back, showing it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

from lakehouse import audit_log
from lakehouse.contracts import Contracts
from lakehouse.settings import Settings
from lakehouse.signatures import trusted_keys
from orchestration import report
from orchestration.options import ContractsOption, HomeOption, JsonOption, lake

if TYPE_CHECKING:  # importing these takes a second, which other commands need not wait for
    from publishing.preview import Preview
    from publishing.taking_back import Taken
    from publishing.verification import Verified

EXIT_FAILED: Final = 1

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
) -> None:
    """Take a product back: gone from portal, catalogue, files and assistants when this returns.

    A page with the reason stays in its place, and nothing more of it is released until
    `sjostad reinstate`. Its releases are kept, shown nowhere, unless `--erase` deletes their rows.

    Example: `sjostad withdraw trafikflode_kvart --reason "Räknefel vid Sveavägen sedan 3 maj."`
    """
    from publishing import taking_back
    from publishing.channels import deliver
    from publishing.letters import of_withdrawal

    settings, known = lake(contracts, None, home)
    contract = known.product(product)
    taken = taking_back.withdraw(settings, known, product, reason, reason_en or reason, erase=erase)
    _report(taken, f"{product} is withdrawn")
    problem = deliver(settings, of_withdrawal(contract, reason, taken.withdrawal.at))
    if problem:
        report.out.print(f"  [yellow]•[/] {escape(problem)}")


def rollback(
    product: ProductArgument,
    to: Annotated[int, typer.Option("--to", help="Number of the release to show again.")],
    reason: ReasonOption,
    reason_en: EnglishOption = None,
    contracts: ContractsOption = None,
    home: HomeOption = None,
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
    )


def reinstate(
    product: ProductArgument,
    reason: ReasonOption,
    reason_en: EnglishOption = None,
    contracts: ContractsOption = None,
    home: HomeOption = None,
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
    )


def verify(
    product: Annotated[str | None, typer.Argument(help="Product; all when omitted.")] = None,
    copy: Annotated[
        Path | None,
        typer.Option("--copy", help="Instead: a folder with a release, such as a download."),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", help="With --copy: file of the trusted keys (allowed_signers)."),
    ] = None,
    at_least: Annotated[
        int, typer.Option("--at-least", min=1, help="With --copy: lowest release it may be.")
    ] = 1,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Are releases, and what the portal shows of them, what was signed? Exit code 1 if one is not.

    Examples: `sjostad verify`, `sjostad verify --copy download --keys allowed_signers`.
    """
    from publishing.site import verify_site
    from publishing.verification import verify_copy, verify_releases

    settings = Settings.from_environment(contracts=contracts, home=home)
    if copy:
        trusted = replace(settings, trusted_keys=keys.resolve()) if keys else settings
        found = [verify_copy(copy.resolve(), trusted_keys(trusted), at_least)]
    else:
        found = [*verify_releases(settings, product), *verify_site(settings, product)]
        is_sound = not any(one.problems for one in found)
        about = f"product/{product}" if product else "lake/releases"
        audit_log.note(settings, "verified", about, "done" if is_sound else "failed")
    if as_json:
        report.print_json([asdict(one) for one in found])
    else:
        _print_verified(found)
    if any(one.problems for one in found) or not found:
        raise typer.Exit(EXIT_FAILED)


def trace(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="A published file, or a copy of one."),
    ],
    row: Annotated[
        list[str] | None,
        typer.Option("--row", help="COLUMN=VALUE of one row; say it again for more columns."),
    ] = None,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Walk from a published file, or a row of it, back to the raw deliveries that made it.

    Checks every hash and signature on the way. A row is traced by its day: the deliveries that
    landed rows of its sources on it. Exit code 1 if something is not as it was told.

    Example: `sjostad trace luftkvalitet_timme.csv --row station_id=HORN-01
    --row "hour_start=2026-10-18 06:00:00+00"`.
    """
    from publishing import tracing

    settings = Settings.from_environment(contracts=contracts, home=home)
    links = list(tracing.trace(settings, file, _chosen(row or [])))
    if as_json:
        report.print_json([asdict(link) for link in links])
    else:
        marks = {True: "[green]✓[/]", False: "[bold red]✗[/]", None: "[dim]–[/]"}
        for link in links:
            told = f"{marks[link.is_sound]} {link.what:9} {escape(link.told)}"
            report.out.print(told, soft_wrap=True)
    if any(link.is_sound is False for link in links):
        raise typer.Exit(EXIT_FAILED)


def _chosen(row: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in row]
    if not all(name and equals for name, equals, _ in pairs):
        raise typer.BadParameter("write COLUMN=VALUE", param_hint="--row")
    return {name: value for name, _, value in pairs}


def _print_verified(found: Sequence[Verified]) -> None:
    for one in found:
        if not one.problems and one.release:
            name, number = one.release
            report.out.print(
                f"[green]✓[/] {escape(name)}, release {number}: {one.files} files, "
                f"signed by {escape(one.signer or '')}",
                soft_wrap=True,
            )
        for problem in one.problems:
            report.out.print(f"[bold red]✗[/] {escape(problem.place)}", soft_wrap=True)
            report.out.print(f"  {escape(problem.what)}\n  [green]→[/] {escape(problem.remedy)}")
    if not found:
        report.say("Nothing has been released.")


def foretell(settings: Settings, contracts: Contracts, as_json: bool) -> None:
    """Audit every product and print what releasing it would come to."""
    from publishing.preview import preview
    from quality import audit_product, decide_product

    found = []
    for product_id, product in contracts.products.items():
        audit_product(settings, product)
        decide_product(settings, contracts, product, datetime.now(UTC).date())
        found.append(preview(settings, contracts, product_id))
    if as_json:
        report.print_json([asdict(one) for one in found])
    else:
        for one in found:
            _print_preview(one)
        report.out.print("Nothing was released.")
    if any(one.problems for one in found):
        raise typer.Exit(EXIT_FAILED)


def _print_preview(found: Preview) -> None:
    from publishing import changelog

    name = f"[bold]{escape(found.product)}[/]"
    last = f"release {found.last}" if found.last else "nothing released yet"
    if found.problems:
        report.out.print(f"[red]✗[/] {name} would be refused ({last})")
        for problem in found.problems:
            report.out.print(f"    {escape(problem.what)}")
    elif found.is_unchanged:
        report.out.print(f"[dim]=[/] {name} unchanged ({last})")
    else:
        told = f"{found.rows or 0:,} rows"
        if found.changes:
            told += f": {changelog.rows_told(found.changes, 'en')}"
            days = changelog.days_told(found.changes, "en")
            told += f" ({days})" if days else ""
        report.out.print(f"[green]+[/] {name} would be release {found.number} ({last}), {told}")
        for change in found.changes.columns if found.changes else ():
            report.out.print(f"    column {escape(changelog.column_told(change, 'en'))}")
    for kind, differences in (("quality", found.quality), ("policy", found.policy)):
        for one in differences:
            before, after = one.before or "not asked", one.after or "asked no more"
            report.out.print(f"    {kind} {escape(f'{one.about}: {before} → {after}')}")


def _report(taken: Taken, said: str) -> None:
    numbers = ", ".join(map(str, taken.withdrawal.numbers)) or "none"
    report.out.print(f"[green]✓[/] {escape(said)} (releases {numbers}).")
    if taken.withdrawal.erased:
        report.out.print("  Their rows are deleted; their manifests stay.")
    report.out.print(f"  Portal: build {taken.site.number}, {len(taken.site.releases)} products.")
