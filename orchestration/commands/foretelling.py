"""What `sjostad publish --dry-run` prints: what each release would be, beside the last one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import typer
from rich.markup import escape

from lakehouse.contracts import Contracts
from lakehouse.settings import Settings
from orchestration.commands import report
from orchestration.judgement import audited, decided

if TYPE_CHECKING:  # importing it takes a second, which other commands need not wait for
    from publishing.making.preview import Preview

EXIT_FAILED: Final = 1


def foretell(settings: Settings, contracts: Contracts, as_json: bool) -> None:
    """Audit every product and print what releasing it would come to."""
    from publishing.making.preview import preview

    found = []
    for product_id, product in contracts.products.items():
        audited(settings, contracts, product)
        decided(settings, contracts, product)
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
    from publishing.documents import changelog

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
