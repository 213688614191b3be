"""A million rows delivered again into a small and a large history: the cost must not follow it.

Half of the delivery repeats known rows with other values, half is new; it touches two days.
Run: python -m benchmarks.redelivery
"""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks import observations
from benchmarks.rounds import compare
from ingestion import ingest_source

SIZES = (10_000_000, 50_000_000)
ROWS = 1_000_000
_NUMBER = count()


def history(folder: Path, size: int) -> Path:
    """A lake whose source has `size` rows, in batches of five million."""
    settings, _ = observations.lake(folder / f"history-{size}", "json")
    observations.land(settings, 0, size)
    return folder / f"history-{size}"


def again(home: Path, path: Path, folder: Path) -> None:
    """Land the delivery on a copy of the history that shares its files."""
    copy = folder / f"copy-{next(_NUMBER)}"
    shutil.copytree(home, copy, copy_function=lambda a, b: Path(b).hardlink_to(a))
    settings, contract = observations.lake(copy / "run", "json")
    shutil.copytree(copy / "home" / "lake", settings.lake, copy_function=shutil.move)
    observations.deliver(settings, path)
    ledger = ingest_source(settings, contract).ledger
    assert ledger.landed == ROWS, ledger
    shutil.rmtree(copy)


def main() -> None:
    """Build both histories and compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ways = {}
        for size in SIZES:
            path = folder / f"delivery-{size}.ndjson"
            start = size - ROWS // 2
            query = f"""{observations.rows(ROWS // 2, start, shift=0.5)}
                union all {observations.rows(ROWS // 2, size)}"""
            observations.write(query, path)
            home = history(folder, size)
            ways[f"into {size:,} rows"] = partial(again, home, path, folder)
        compare(ways)


if __name__ == "__main__":
    main()
