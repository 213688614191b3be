"""DuckDB connections that can read this lake's Delta tables, offline and in UTC."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import duckdb

from lakehouse.errors import LakeError, Problem


def extension(name: str) -> Path:
    """The DuckDB extension that a wheel such as `duckdb-extension-delta` carries.

    It is loaded by its path: nothing is fetched, and nothing is written to the home folder.

    Args:
        name: The extension, such as `delta`, `postgres_scanner`, `sqlite_scanner`.

    Raises:
        LakeError: The wheel is missing or of another DuckDB version.
    """
    spec = find_spec(f"duckdb_extension_{name}")
    folder = (
        Path(spec.submodule_search_locations[0])
        if spec and spec.submodule_search_locations
        else None
    )
    path = (
        folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if folder
        else None
    )
    if path is None or not path.is_file():
        wheel = f"duckdb-extension-{name.replace('_', '-')}"
        raise LakeError(
            Problem(
                wheel,
                f"no {name} extension for DuckDB {duckdb.__version__} is installed",
                f"Install {wheel}=={duckdb.__version__}.",
            )
        )
    return path


def connect(
    memory_limit: str = "1GB", threads: int = 2, extensions: Sequence[str] = ("delta",)
) -> duckdb.DuckDBPyConnection:
    """Open a private in-memory DuckDB with the clock in UTC.

    Args:
        memory_limit: Above it, intermediate tables go to disk.
        threads: Threads of one query.
        extensions: What to load; DuckDB checks the signature of each once a process.
    """
    paths = [extension(name) for name in extensions]
    for path in paths:
        _verify(path)
    connection = duckdb.connect(
        config={
            "memory_limit": memory_limit,
            "threads": threads,
            "autoinstall_known_extensions": False,
            "allow_unsigned_extensions": bool(paths),
        }
    )
    for path in paths:
        connection.load_extension(str(path))
    set_clock(connection)
    return connection


def set_clock(connection: duckdb.DuckDBPyConnection) -> None:
    """Set the clock of a connection to UTC; a cursor has one of its own."""
    connection.execute("set TimeZone = 'UTC'")


@cache
def _verify(path: Path) -> None:
    """Let DuckDB check the signature of an extension.

    It hashes the file for that, which takes a third of a second of the processor for the 82 MB of
    the delta extension, and would do so each time that a connection is opened.
    """
    with duckdb.connect() as connection:
        connection.load_extension(str(path))


def literal(text: object) -> str:
    """Quote a value as a SQL string literal."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Quote a name as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def delta_scan(address: Path, version: int | None = None) -> str:
    """The SQL that reads a Delta table, at a version or as it is now."""
    suffix = "" if version is None else f", version={version}"
    return f"delta_scan({literal(address)}{suffix})"
