"""Adding rows to a table that others add to at the same time, none of which depend on another."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import pyarrow as pa

from lakehouse import delta
from lakehouse.errors import LakeConflict

_TRIES: Final = 5


def append_beside(address: Path, rows: pa.Table, mark: str, description: str) -> delta.Commit:
    """Add rows once, and again where another writer was first.

    Args:
        address: The table; made with the schema of the rows if it does not exist.
        rows: What to add.
        mark: What these rows are; if the table has it already, nothing is written.
        description: Description of a new table.

    Raises:
        LakeConflict: Another writer was first each time.
    """
    for _ in range(_TRIES - 1):
        with contextlib.suppress(LakeConflict):
            return _append(address, rows, mark, description)
    return _append(address, rows, mark, description)


def _append(address: Path, rows: pa.Table, mark: str, description: str) -> delta.Commit:
    return delta.append(address, rows, rows.schema, marks={mark: 1}, description=description)
