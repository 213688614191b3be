"""The command `sjostad sql`: questions to silver and gold in SQL, read only."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Final

import duckdb
import typer
from rich.console import Console

from lakehouse import audit_log
from lakehouse.curated.access import open_curated
from lakehouse.errors import Problem, SettingsError
from lakehouse.settings import Settings
from orchestration.commands import sql_results, sql_shell
from orchestration.commands.options import ContractsOption, HomeOption, JsonOption

_FAILED: Final = 1
_INTERRUPTED: Final = 130
_SUFFIXES: Final = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".txt": "table"}


class Format(StrEnum):
    """How a result is written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def sql(
    query: Annotated[
        str | None,
        typer.Argument(help="SQL; read from standard input when omitted, or asked for."),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="On a terminal a table by default, otherwise csv."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write; .csv, .json or .parquet tell how."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Rows that a table shows; other formats have all.")
    ] = 100,
    contracts: ContractsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Ask silver and gold in SQL, read only, as the last build left them; times are in UTC.

    Without a query, on a terminal, it opens a prompt: `\d` lists the tables.

    Examples: `sjostad sql "from gold.luftkvalitet_timme limit 5"`,
    `sjostad sql "from gold.energianvandning_timme" -o energy.parquet`, `sjostad sql < report.sql`.
    """
    if query is None and not sys.stdin.isatty():
        query = sys.stdin.read()
    if query is not None and not query.strip():
        raise typer.BadParameter("there is no SQL in it", param_hint="QUERY")
    chosen = _format(form, output, as_json)
    settings = Settings.from_environment(contracts=contracts, home=home)
    with open_curated(settings) as connection:
        # Noted before anything is read: what cannot be noted is not read.
        audit_log.note(settings, "exported" if output else "read", "database/curated", form=chosen)
        if query is None:
            sql_shell.prompt(connection, limit)
            return
        try:
            _answer(connection, query, chosen, output, limit)
        except duckdb.Error as error:
            sql_shell.complain(error)
            raise typer.Exit(_FAILED) from None
        except KeyboardInterrupt:
            raise typer.Exit(_INTERRUPTED) from None
        except BrokenPipeError:  # who reads the output has seen enough, such as `head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(_FAILED) from None


def _format(form: Format | None, output: Path | None, as_json: bool) -> str:
    """The format that options, the file's suffix or the terminal ask for."""
    if form or as_json:
        chosen = form.value if form else "json"
    elif output:
        if output.suffix not in _SUFFIXES:
            raise typer.BadParameter(
                f"'{output.suffix}' tells no format: write .csv, .json or .parquet, or --format",
                param_hint="--output",
            )
        chosen = _SUFFIXES[output.suffix]
    else:
        chosen = "table" if sys.stdout.isatty() else "csv"
    if chosen == "parquet" and not output and sys.stdout.isatty():
        raise typer.BadParameter("name a file with --output", param_hint="--format parquet")
    return chosen


def _answer(
    connection: duckdb.DuckDBPyConnection, query: str, form: str, output: Path | None, limit: int
) -> None:
    """Run the statements of a query in order and write what they give."""
    statements = connection.extract_statements(query)
    results = sum(map(sql_shell.gives_rows, statements))
    if form != "table" and (results > 1 or (output and not results)):
        raise typer.BadParameter(
            f"{results} of its statements give rows, and {form} holds those of one",
            param_hint="QUERY",
        )
    with _opened(output) as file:
        for statement in statements:
            sql_shell.run_statement(
                connection, statement, lambda result: _write(result, form, file, limit)
            )


def _write(result: sql_results.Result, form: str, file: IO[bytes], limit: int) -> None:
    if form != "table":
        sql_results.write(result, form, file)
        return
    if file is sys.stdout.buffer:
        sql_results.show(result, Console(), limit)
        return
    text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
    sql_results.show(result, Console(file=text), limit)
    text.detach()


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that is there only when all of it has been written."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    fresh = output.with_name(f".{output.name}.new")
    try:
        with fresh.open("wb") as file:
            yield file
        os.replace(fresh, output)
    except OSError as error:
        raise SettingsError(
            Problem(str(output), f"it cannot be written: {error.strerror}", "Name another file.")
        ) from error
    finally:
        fresh.unlink(missing_ok=True)
