"""The command `sjostad spark-tables`: what an engine that speaks Spark must be told of the lake."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lakehouse.spark_tables import statements
from orchestration.options import ContractsOption, HomeOption, lake


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
            help="With --vars: the folder for silver and gold; the engine's own when omitted.",
        ),
    ] = None,
    contracts: ContractsOption = None,
    home: HomeOption = None,
) -> None:
    """Print the SQL that names bronze and the reference tables in Spark; docs/scaling.md uses it.

    Example: `sjostad spark-tables --root abfss://lake@account.dfs.core.windows.net > tables.sql`
    """
    settings, known = lake(contracts, None, home)
    said = list(statements(settings, known, root))
    if as_vars:
        typer.echo(json.dumps({"register": said} | ({"spark_location": to} if to else {})))
    else:
        typer.echo("".join(f"{statement};\n" for statement in said), nl=False)
