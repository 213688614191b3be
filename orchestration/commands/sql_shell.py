"""The prompt of `sjostad sql`, and running one statement so that Ctrl-C stops it alone."""

from __future__ import annotations

import contextlib
import os
import readline
import sqlite3
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
from rich.console import Console
from rich.markup import escape

from lakehouse.duck import literal
from orchestration.commands.sql_results import Result, show

_BATCH_ROWS: Final = 50_000
_HISTORY: Final = Path("~/.sjostad_sql_history")
_HISTORY_LINES: Final = 2000
_HELP: Final = r"""\d               tables of silver and gold
\d gold.TABLE    columns of one
\q               leave (or Ctrl-D)
SQL ends with ; and may take many lines. Ctrl-C stops a query, or forgets what was typed."""

_TABLES: Final = """
select t.schema_name || '.' || t.table_name as "table", t."rows", v.comment as description
from meta.tables t
join duckdb_views() v on v.database_name = 'curated' and v.schema_name = t.schema_name
    and v.view_name = t.table_name
order by t.schema_name, t.table_name
"""
_COLUMNS: Final = """
select column_name as "column", data_type as type, comment as description
from duckdb_columns()
where database_name = 'curated' and schema_name || '.' || table_name = {name}
order by column_index
"""
_NAMES: Final = """
select schema_name || '.' || table_name from meta.tables
union select column_name from duckdb_columns() where schema_name in ('silver', 'gold')
"""

err = Console(stderr=True)


def prompt(connection: duckdb.DuckDBPyConnection, limit: int) -> None:
    """Ask for statements and answer them until the user leaves.

    Args:
        connection: The curated database.
        limit: Rows that a table shows.
    """
    console = Console()
    console.print(
        r"Silver and gold, read only, times in UTC. \d lists tables, \? helps, \q leaves."
    )
    with _history(connection):
        typed = ""
        while True:
            try:
                typed += input("sjostad> " if not typed else "    ...> ") + "\n"
            except KeyboardInterrupt:
                console.print()
                typed = ""
                continue
            except EOFError:
                console.print()
                return
            if typed.strip() in (r"\q", "quit", "exit"):
                return
            if typed.startswith("\\") or sqlite3.complete_statement(typed):
                _reply(connection, typed.strip(), console, limit)
                typed = ""
            elif not typed.strip():
                typed = ""


def _reply(connection: duckdb.DuckDBPyConnection, typed: str, console: Console, limit: int) -> None:
    if typed == r"\?":
        console.print(_HELP, highlight=False, markup=False)
        return
    rows = sys.maxsize if typed.startswith("\\") else limit
    try:
        for statement in connection.extract_statements(_asked(typed)):
            run_statement(connection, statement, lambda result: show(result, console, rows))
    except duckdb.Error as error:
        complain(error)
    except KeyboardInterrupt:
        err.print("Interrupted.")


def _asked(typed: str) -> str:
    """The SQL of what was typed, which may be one of the prompt's own words."""
    word, _, name = typed.rstrip(";").partition(" ")
    if word != r"\d":
        return typed
    return _COLUMNS.format(name=literal(name.strip())) if name.strip() else _TABLES


def gives_rows(statement: duckdb.Statement) -> bool:
    """Whether a statement has a result to show."""
    return statement.expected_result_type == [duckdb.ExpectedResultType.QUERY_RESULT]


def run_statement(
    connection: duckdb.DuckDBPyConnection,
    statement: duckdb.Statement,
    take: Callable[[Result], None],
) -> None:
    """Run one statement and hand its rows on; an interrupt stops the query and nothing else.

    Args:
        connection: Where it runs.
        statement: What runs; one that gives no rows is only run.
        take: Reads the result to its end.

    Raises:
        duckdb.Error: The statement is wrong, or fails while it runs.
        KeyboardInterrupt: Ctrl-C was pressed; the connection can be used again.
    """

    def work() -> None:
        answer = connection.execute(statement)
        if gives_rows(statement):
            reader = answer.to_arrow_reader(_BATCH_ROWS)
            take(Result(reader.schema, _batches(reader)))

    # In a thread, because the main one has to stay free to notice Ctrl-C.
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            future.result()
        except KeyboardInterrupt:
            connection.interrupt()
            future.exception()
            raise


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The rows of a result; Arrow calls DuckDB's errors its own."""
    try:
        yield from reader
    except (pa.ArrowException, OSError) as error:
        raise duckdb.Error(str(error)) from error


def complain(error: duckdb.Error) -> None:
    """Print DuckDB's own message, with the place it points at as it drew it."""
    first, _, rest = str(error).partition("\n")
    err.print(f"[bold red]✗[/] {escape(first)}", soft_wrap=True, highlight=False)
    if rest.strip():
        err.print(rest.rstrip(), soft_wrap=True, highlight=False, markup=False)


@contextlib.contextmanager
def _history(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Keep what was typed for the next time, readable to its user only; complete names by Tab."""
    names = sorted(str(name) for (name,) in connection.execute(_NAMES).fetchall())

    def complete(begun: str, number: int) -> str | None:
        found = [name for name in names if name.startswith(begun.lower())]
        return found[number] if number < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n,();=<>+-*/")
    readline.parse_and_bind("tab: complete")
    readline.set_history_length(_HISTORY_LINES)
    path = _HISTORY.expanduser()
    with contextlib.suppress(OSError):  # none yet, or no home folder: the prompt works without
        readline.read_history_file(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            readline.write_history_file(path)
