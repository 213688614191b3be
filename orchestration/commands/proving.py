"""The commands that prove what was released: to the byte, and back to the raw deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

from lakehouse import audit_log
from lakehouse.settings import Settings
from lakehouse.signatures import trusted_keys
from orchestration.commands import report
from orchestration.commands.options import ContractsOption, HomeOption, JsonOption

if TYPE_CHECKING:  # importing it takes a second, which other commands need not wait for
    from publishing.releases.verification import Verified

EXIT_FAILED: Final = 1


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
    from publishing.portal.site import verify_site
    from publishing.releases.verification import verify_copy, verify_releases

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
    from publishing.releases import tracing

    settings = Settings.from_environment(contracts=contracts, home=home)
    links = list(tracing.trace(settings, file, _chosen(row or [])))
    if as_json:
        report.print_json([asdict(link) for link in links])
    else:
        for link in links:
            told = f"{report.MARKS[link.is_sound]} {link.what:9} {escape(link.told)}"
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
