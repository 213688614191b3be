"""Commands for a new source: propose its contract from a sample, and try a contract."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from ingestion.onboarding import Wish, propose
from lakehouse.contracts import load_vocabulary
from lakehouse.errors import Problem, SettingsError
from lakehouse.settings import Settings
from orchestration import trial
from orchestration.commands import onboarding_report
from orchestration.commands.options import ContractsOption, InboxOption, JsonOption, ServerOption

EXIT_FAILED: Final = 1
EXIT_WRONG: Final = 2

source_app = typer.Typer(
    help="Work with one source: propose its contract, try it.", no_args_is_help=True
)


@source_app.command("init")
def source_init(
    sample: Annotated[
        str, typer.Argument(help="File, folder, glob in quotes, or SQLAlchemy URL of a database.")
    ],
    source_id: Annotated[str, typer.Option("--id", help="Id of the source.")] = "",
    organisation: Annotated[str, typer.Option(help="Whose it is, as the vocabulary says.")] = "",
    initiative: Annotated[str, typer.Option(help="Part of which initiative.")] = "",
    table: Annotated[str | None, typer.Option(help="Table or view of the database.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; never overwritten.")] = None,
    contracts: ContractsOption = None,
    inbox: InboxOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose a whole contract from a sample.

    What a machine can see is filled in; what a person must decide is marked DECIDE in the file,
    which stays a draft until it is decided.

    Example: `sjostad source init delivery.csv --id trafik_vagvader`.
    """
    settings = Settings.from_environment(contracts=contracts, inbox=inbox)
    wish = Wish(sample, source_id, organisation, initiative, table)
    proposal = propose(wish, load_vocabulary(settings.contracts), settings.inbox)
    folder = settings.contracts / "sources" / organisation
    path = out or folder / f"{proposal.source_id}.yaml"
    if path.stem != proposal.source_id:
        raise SettingsError(
            Problem(
                str(path),
                f"a contract's file is called as its id, '{proposal.source_id}'",
                f"Write --id {path.stem}, or another --out.",
            )
        )
    _write(path, proposal.text)
    onboarding_report.proposed(proposal, path, sample, as_json)


@source_app.command("check")
def source_check(
    source: Annotated[str, typer.Argument(help="Source id, or path of its contract.")],
    sample: Annotated[
        list[str] | None,
        typer.Option(help="File, folder or glob to try it on; otherwise what its server has."),
    ] = None,
    contracts: ContractsOption = None,
    inbox: InboxOption = None,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a contract, draft or not, without touching the lake.

    Prints what would land and what would not, and what is still to be decided. Exit code 1 if
    something is undecided, refused or nothing would land; 2 if it could not be tried.

    Example: `sjostad source check trafik_vagvader --sample delivery.csv`.
    """
    settings = Settings.from_environment(contracts=contracts, inbox=inbox, server=server)
    candidate = trial.open_candidate(settings, trial.find_contract(settings, source))
    if candidate.contract is None:
        onboarding_report.undecided(candidate, as_json)
        raise typer.Exit(EXIT_WRONG)
    tried = trial.try_source(settings, candidate.contract, sample or ())
    onboarding_report.tried(candidate, tried, settings.contracts / "sources", as_json)
    if candidate.open or tried.outcome.refused or not tried.channels:
        raise typer.Exit(EXIT_FAILED)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SettingsError(
            Problem(
                str(path), "this file is there already", "Name another with --out, or another --id."
            )
        ) from None
