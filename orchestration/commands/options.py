"""Options that many commands share, and the lake they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lakehouse.contracts import Contracts
from lakehouse.settings import Settings
from orchestration.lake import open_lake

ContractsOption = Annotated[
    Path | None,
    typer.Option("--contracts", help="Contracts folder.", envvar="SJOSTAD_CONTRACTS"),
]
InboxOption = Annotated[
    Path | None,
    typer.Option("--inbox", help="Folder that suppliers deliver to.", envvar="SJOSTAD_INBOX"),
]
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of everything made at run time.", envvar="SJOSTAD_HOME"),
]
ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        help="Which of a contract's servers to fetch from, such as live; others use their first.",
        envvar="SJOSTAD_SERVER",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def lake(
    contracts: Path | None, inbox: Path | None, home: Path | None, server: str | None = None
) -> tuple[Settings, Contracts]:
    """The settings that options and environment give, and the contracts, checked."""
    settings = Settings.from_environment(contracts=contracts, inbox=inbox, home=home, server=server)
    return settings, open_lake(settings)
