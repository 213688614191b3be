"""A few lines out of large files, as delivered: those that have broken a rule."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from ingestion.deliveries import Member
from ingestion.reading.census import ends
from ingestion.reading.offered import Lines

_BLOCK: Final = 8 << 20
_AT_ONCE: Final = 20_000
"""Lines that are held in Python before DuckDB takes them."""


_NONE: Final = np.empty(0, np.int64)


def picked(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    wanted: Lines,
    group: int = 0,
) -> str:
    """Load some lines of files that are clean UTF-8 with line feeds.

    Args:
        connection: Gets the table `picked_{group}`.
        members: The files.
        wanted: Numbers of the lines, from 1, that are there.
        group: Number that tells this call's table from another's in the same batch.

    Returns:
        A query of `_file, _row, _raw`.
    """
    table = f"picked_{group}"
    connection.execute(
        f"create or replace temp table {table} (_file integer, _row bigint, _raw varchar)"
    )
    for member in members:
        found = numbered_texts(member, wanted)
        while part := list(islice(found, _AT_ONCE)):
            rows, texts = zip(*part, strict=True)
            lines = {
                "_file": pa.array(np.full(len(part), member.number, np.int32)),
                "_row": pa.array(rows, pa.int64()),
                "_raw": pa.array(texts, pa.string()),
            }
            connection.register("found_lines", pa.table(lines))
            connection.execute(f"insert into {table} from found_lines")
            connection.unregister("found_lines")
    return f"select _file, _row, _raw from {table}"


def numbered_texts(member: Member, wanted: Lines) -> Iterator[tuple[int, str]]:
    """Some lines of a file that is clean UTF-8 with line feeds: number and text without its end."""
    rows = np.unique(wanted.get(member.number, _NONE))
    return zip(rows.tolist(), _texts(member.path, rows), strict=True) if len(rows) else iter(())


def _texts(path: Path, rows: np.ndarray) -> Iterator[str]:
    """The texts of lines, whose numbers go up, without their ends."""
    needed = np.unique(np.concatenate([rows - 2, rows - 1]))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        places = _places(content, needed)
        starts = places[np.searchsorted(needed, rows - 2)] + 1
        stops = places[np.searchsorted(needed, rows - 1)]
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            yield content[start:stop].decode()


def _places(content: mmap.mmap, needed: np.ndarray) -> np.ndarray:
    """Where line ends are, by their number from 0; before the file for -1, its size after all."""
    places = np.full(len(needed), len(content), np.int64)
    places[needed == -1] = -1
    seen = 0
    for start in range(0, len(content), _BLOCK):
        found = ends(content[start : start + _BLOCK]) + start
        low, high = np.searchsorted(needed, [seen, seen + len(found)])
        places[low:high] = found[needed[low:high] - seen]
        seen += len(found)
        if seen > needed[-1]:
            break
    return places
