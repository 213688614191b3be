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
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def lake(
    contracts: Path | None, inbox: Path | None, home: Path | None
) -> tuple[Settings, Contracts]:
    """The settings that options and environment give, and the contracts, checked."""
    settings = Settings.from_environment(contracts=contracts, inbox=inbox, home=home)
    return settings, open_lake(settings)
