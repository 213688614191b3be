"""Reading the curated database: the one way in for the command and for notebooks.

DuckDB itself is what keeps a query inside: the database is attached read-only, external access is
off, the files that the views read are the only ones that may be opened, and the settings are
locked. So SQL can neither write nor see another file of the machine, those of the restricted
tables and of older versions included.

Source: DuckDB manual, "Securing DuckDB".
"""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

import duckdb

from lakehouse.curated import curated_database
from lakehouse.duck import literal
from lakehouse.errors import LakeError, Problem
from lakehouse.settings import Settings


def open_curated(settings: Settings) -> duckdb.DuckDBPyConnection:
    """Open the curated database as it is now, read-only, locked down and in UTC.

    The connection keeps this state of the lake when the file is replaced. Temporary tables and
    frames that a notebook registers live in memory beside it.

    Raises:
        LakeError: Nothing has been built yet, or the file cannot be read.
    """
    path = curated_database(settings)
    if not path.is_file():
        raise LakeError(
            Problem(
                str(path),
                "there is no curated database yet",
                "Run 'sjostad run', or 'sjostad build' where deliveries have been taken.",
            )
        )
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
        }
    )
    try:
        _lock_down(connection, path)
    except duckdb.Error as error:
        connection.close()
        raise LakeError(
            Problem(str(path), f"it cannot be opened: {error}", "Run 'sjostad build'.")
        ) from error
    return connection


def _lock_down(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    # Attached, and not opened itself: a process that opens one path twice gets the first file
    # again, even when another one has taken its place.
    connection.execute(f"attach {literal(path)} as curated (read_only)")
    connection.execute("use curated")
    files = connection.execute("select path from meta.files").fetchall()
    # DuckDB may write here what does not fit in memory, and lets SQL do so too: a folder of its
    # own, which is removed with the connection.
    spill = Path(tempfile.gettempdir()) / f"sjostad-{uuid.uuid4()}"
    for setting in (
        "TimeZone = 'UTC'",
        f"temp_directory = {literal(spill)}",
        f"allowed_paths = [{', '.join(literal(file) for (file,) in files)}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"set {setting}")
