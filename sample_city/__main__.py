"""`python -m sample_city`: write the sample city's deliveries into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lakehouse.ledger import Ledger
from sample_city.city import generate
from sample_city.summary import Summary

# Broken by hand: the table fits a terminal of 80 columns without cutting a word short.
_HEADINGS = ("files", "records", "rows", "landed", "quaran-\ntined", "dupli-\ncates", "empty")


def main(
    into: Annotated[Path, typer.Option(help="Inbox folder; made when missing.")],
    scale: Annotated[
        float, typer.Option(min=0.05, help="Devices, as a multiple of the contracts' own.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Another seed gives another city.")] = 2026,
    days: Annotated[int, typer.Option(min=1, help="Local days from 2026-10-19 on.")] = 14,
) -> None:
    """Write a small city's deliveries in their native wire formats, planted faults included.

    Example: python -m sample_city --into .sjostad/inbox --scale 10
    """
    summary = generate(into, seed=seed, scale=scale, days=days)
    console = Console()
    console.print(_table(summary))
    for source in summary.sources:
        faults = ", ".join(f"{kind} {count}" for kind, count in source.faults.items())
        console.print(f"[bold]{source.source_id}[/bold]: {faults}", highlight=False)


def _table(summary: Summary) -> Table:
    table = Table(
        title=f"What a first ingest must account for (seed {summary.seed})",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("source", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right")
    for source in summary.sources:
        table.add_row(source.source_id, f"{source.files:,}", *_figures(source.ledger))
    table.add_section()
    files = sum(source.files for source in summary.sources)
    table.add_row("all", f"{files:,}", *_figures(summary.ledger))
    return table


def _figures(ledger: Ledger) -> tuple[str, ...]:
    counts = (
        ledger.records,
        ledger.rows_in,
        ledger.landed,
        ledger.quarantined,
        ledger.duplicates,
        ledger.filtered_rows,
    )
    return tuple(f"{count:,}" for count in counts)


if __name__ == "__main__":
    typer.run(main)
