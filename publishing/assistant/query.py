"""Runs a stranger's SQL over the open database, in a child process that is killed if it lingers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lakehouse.errors import Problem, SjostadError

ROW_LIMIT: Final = 200
_SECONDS: Final = 10
_CHILD: Final = Path(__file__).with_name("query_child.py")


class QueryRefused(SjostadError):
    """A query may not run, cannot be understood, or asks for too much."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The rows of a query.

    Attributes:
        columns: Name and DuckDB type of each column.
        rows: At most the asked number of rows, texts cleaned and cut.
        is_truncated: Whether there were more.
        releases: Release number of every product that was read.
    """

    columns: tuple[Mapping[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]
    is_truncated: bool
    releases: Mapping[str, int]


def run_query(database: Path, sql: str, limit: int) -> QueryResult:
    """Run one SELECT over the open database.

    Args:
        database: The open database.
        sql: The statement, from anyone.
        limit: Most rows to return; at most `ROW_LIMIT`.

    Raises:
        QueryRefused: With what to write instead.
    """
    if not 1 <= limit <= ROW_LIMIT:
        raise _refused(f"limit {limit} is not between 1 and {ROW_LIMIT}. Ask for fewer rows.")
    if not database.is_file():
        raise _refused("no dataset has been published yet. Ask again later.")
    request = json.dumps({"database": str(database), "sql": sql, "limit": limit})
    try:
        done = subprocess.run(  # noqa: S603 - our own script; the SQL travels as data
            [sys.executable, "-I", "-B", str(_CHILD)],
            input=request.encode(errors="replace"),
            capture_output=True,
            timeout=_SECONDS,
            env={},
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _refused(f"it took longer than {_SECONDS} seconds. Ask for less.") from None
    return _result(done)


def _result(done: subprocess.CompletedProcess[bytes]) -> QueryResult:
    if done.returncode == -signal.SIGXCPU:
        raise _refused("it used too much computing time. Ask for less.")
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        if done.returncode > 0:  # the child's own mistake, not the limits'
            raise _refused("it could not be run. Write it in another way.") from None
        raise _refused("it used more memory than is allowed. Ask for less.") from None
    if "error" in answer:
        raise _refused(str(answer["error"]))
    return QueryResult(
        columns=tuple(answer["columns"]),
        rows=tuple(tuple(row) for row in answer["rows"]),
        is_truncated=bool(answer["truncated"]),
        releases={str(product): int(number) for product, number in answer["releases"].items()},
    )


def _refused(told: str) -> QueryRefused:
    what, _, remedy = told.partition(". ")
    return QueryRefused(Problem("query", what, remedy or "Correct the query."))
