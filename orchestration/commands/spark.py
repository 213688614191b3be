"""The command `sjostad spark-tables`: what an engine that speaks Spark must be told of the lake."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from lakehouse.spark_tables import statements
from orchestration.commands.options import ContractsOption, HomeOption, lake


def spark_tables(
    root: Annotated[
        str | None,
        typer.Option(
            "--root",
            help="Where the engine finds the lake's folder, such as abfss://lake@account.dfs.core."
            "windows.net; where it is here when omitted.",
        ),
    ] = None,
    as_vars: Annotated[
        bool, typer.Option("--vars", help="Print them for dbt's option --vars.")
    ] = False,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="With --vars: the folder for silver and gold, a path of this machine or a URL; "
            "the engine's own when omitted.",
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="With --vars: build only from this day on, the earliest with something new.",
        ),
    ] = None,
    contracts: ContractsOption = None,
    home: HomeOption = None,
) -> None:
    """Print the SQL that names bronze and the reference tables in Spark; docs/scaling.md uses it.

    Example: `sjostad spark-tables --root abfss://lake@account.dfs.core.windows.net > tables.sql`
    """
    settings, known = lake(contracts, None, home)
    is_here = to is not None and "://" not in to
    said = list(statements(settings, known, root, Path(str(to)) if is_here else None))
    if as_vars:
        place = Path(str(to)).absolute().as_uri() if is_here else to
        given = {"spark_location": place, "since": since and since.date().isoformat()}
        found = {name: value for name, value in given.items() if value}
        typer.echo(json.dumps({"register": said} | found))
    else:
        typer.echo("".join(f"{statement};\n" for statement in said), nl=False)
