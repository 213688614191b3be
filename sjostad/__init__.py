"""Sjöstad in a notebook: silver and gold by SQL, read only.

    import sjostad

    con = sjostad.connect()
    con.sql("from gold.luftkvalitet_timme").df()

Tables and columns are listed by `duckdb_views()` and `duckdb_columns()`; docs/analysts.md has more.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from lakehouse import audit_log
from lakehouse.curated.access import open_curated
from lakehouse.settings import Settings

__all__ = ["connect"]


def connect(home: Path | str | None = None) -> duckdb.DuckDBPyConnection:
    """Connect to silver and gold as the last build left them.

    The connection is read only and locked down: it opens the files of the views and no other, and
    its settings cannot be changed. It keeps its state of the lake while new builds end; connect
    again to see them. Frames of your own are brought in with `register`.

    Args:
        home: Home folder of the lake; `SJOSTAD_HOME` or the checkout's own when omitted.

    Raises:
        LakeError: Nothing has been built there yet, or the audit log cannot be written to.

    Example:
        >>> import sjostad
        >>> con = sjostad.connect()
        >>> con.sql("select district from gold.luftkvalitet_timme limit 1").fetchall()
        [('Södermalm',)]
        >>> con.sql("select count(*) as hours from gold.luftkvalitet_timme").df()["hours"].dtype
        dtype('int64')
    """
    settings = Settings.from_environment(home=Path(home) if home is not None else None)
    connection = open_curated(settings)
    # As the command does: what cannot be noted is not read.
    audit_log.note(settings, "read", "database/curated", form="notebook")
    return connection
