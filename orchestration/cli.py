"""The command `sjostad`: the same jobs as in the UI, and looks into the lake.

Exit codes: 0 all went well; 1 something failed and the rest went on; 2 a contract, a setting or
the command itself is wrong and nothing was run; 3 another process is doing the same work.
"""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from lakehouse.contracts import Contracts
from lakehouse.errors import Busy, ContractError, SettingsError, SjostadError
from lakehouse.locks import exclusive
from lakehouse.settings import Settings
from orchestration.commands import (
    erasing,
    foretelling,
    gate,
    log,
    maintaining,
    onboarding,
    proving,
    reconciling,
    report,
    spark,
    sql,
    taking_back,
    workplace,
)
from orchestration.commands.options import (
    ContractsOption,
    HomeOption,
    InboxOption,
    JsonOption,
    ServerOption,
)
from orchestration.commands.options import lake as _lake

EXIT_FAILED: Final = 1
EXIT_WRONG: Final = 2
EXIT_BUSY: Final = 3

app = typer.Typer(
    name="sjostad",
    help="A city's data lakehouse: from deliveries to published, audited data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.add_typer(workplace.quarantine_app, name="quarantine")
app.command()(workplace.replay)
app.command()(reconciling.reconcile)
app.command()(sql.sql)
app.command()(spark.spark_tables)
app.command()(maintaining.maintain)
app.command()(erasing.erase)
app.command()(gate.audit)
app.command()(gate.check)
app.command()(gate.approve)
app.command()(proving.verify)
app.command()(proving.trace)
app.command()(taking_back.withdraw)
app.command()(taking_back.rollback)
app.command()(taking_back.reinstate)
app.add_typer(onboarding.source_app, name="source")
app.add_typer(log.log_app, name="log")


@app.command()
def run(
    contracts: ContractsOption = None,
    inbox: InboxOption = None,
    home: HomeOption = None,
    server: ServerOption = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="First let the sample city deliver to the inbox.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Do everything: take deliveries, build the model, audit, release and publish.

    Example: `sjostad run --sample`, or on your own data
    `sjostad run --contracts examples/open_data --inbox ../shared/data`.
    """
    settings, known = _lake(contracts, inbox, home, server)
    if sample:
        from sample_city import generate

        generate(settings.inbox)
    _jobs(settings, known, ("ingestion", "transformation", "publishing", "portal"), as_json)


@app.command()
def ingest(
    sources: Annotated[list[str] | None, typer.Argument(help="Sources; all when omitted.")] = None,
    contracts: ContractsOption = None,
    inbox: InboxOption = None,
    home: HomeOption = None,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take what sources have delivered. Example: `sjostad ingest miljo_luft`."""
    settings, known = _lake(contracts, inbox, home, server)
    for source_id in sources or ():
        known.source(source_id)
    _jobs(settings, known, ("ingestion",), as_json, tuple(sources or ()))


@app.command()
def build(
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build silver and gold where news arrived, and test them."""
    settings, known = _lake(contracts, None, home)
    _jobs(settings, known, ("transformation",), as_json)


@app.command()
def publish(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be released, and what is new.")
    ] = False,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Audit every product, release those that pass and may be shared, and publish the portal.

    With `--dry-run` nothing is released: each product tells its rows, columns, quality and policy
    against its last release. Exit code 1 if one would be refused.
    """
    settings, known = _lake(contracts, None, home)
    if dry_run:
        foretelling.foretell(settings, known, as_json)
    else:
        _jobs(settings, known, ("publishing", "portal"), as_json)


@app.command()
def status(
    contracts: ContractsOption = None, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """What each source has delivered and what each product has released."""
    from orchestration.status import status_of

    settings, known = _lake(contracts, None, home)
    report.status(status_of(settings, known), as_json)


@app.command()
def doctor(
    contracts: ContractsOption = None,
    inbox: InboxOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for what is broken, and say what to do. Exit code 1 if something is."""
    from orchestration.doctor import examine

    settings = Settings.from_environment(contracts=contracts, inbox=inbox, home=home)
    findings = examine(settings)
    report.findings(findings, as_json)
    if any(not finding.is_well for finding in findings):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def prepare(contracts: ContractsOption = None, home: HomeOption = None) -> None:
    """Make what the Dagster UI needs: its instance and dbt's manifest."""
    from orchestration.instance import prepare as make_ready

    settings, _ = _lake(contracts, None, home)
    make_ready(settings)
    report.say(f"Ready: {settings.home}")


@app.command()
def mcp(contracts: ContractsOption = None, home: HomeOption = None) -> None:
    """Serve released open data to an AI assistant over stdio (Model Context Protocol)."""
    from publishing.assistant.server import serve

    settings, _ = _lake(contracts, None, home)
    serve(settings)


def _jobs(
    settings: Settings,
    contracts: Contracts,
    names: tuple[str, ...],
    as_json: bool,
    sources: tuple[str, ...] = (),
) -> None:
    """Run jobs, show what they came to, and leave with the exit code that fits."""
    with exclusive(settings, "run"), report.working(as_json) as tell:
        tell("loading")
        from orchestration.instance import prepare as make_ready

        make_ready(settings)
        from orchestration.runs import run_jobs

        stages = run_jobs(settings, contracts, names, sources=sources, tell=tell)
    report.stages(stages, settings, as_json)
    if any(stage.failures for stage in stages):
        raise typer.Exit(EXIT_FAILED)


def main() -> None:
    """Run the command; turn known errors into sentences and exit codes."""
    try:
        app()
    except SjostadError as error:
        report.problems(error)
        wrong = isinstance(error, ContractError | SettingsError)
        busy = isinstance(error, Busy)
        sys.exit(EXIT_BUSY if busy else EXIT_WRONG if wrong else EXIT_FAILED)


if __name__ == "__main__":
    main()
