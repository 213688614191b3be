"""Trying a source in a throw-away lake: what would land, without touching the real one."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingestion import SourceOutcome, ingest_source
from lakehouse import delta, tables
from lakehouse.contracts import SourceContract
from lakehouse.duck import connect, delta_scan
from lakehouse.settings import Settings

_PREVIEW = 5


def try_source(
    settings: Settings, contract: SourceContract
) -> tuple[SourceOutcome, Sequence[dict[str, Any]]]:
    """Ingest a source into a temporary lake.

    Returns:
        What it came to, and the first rows that would land.

    Raises:
        SourceUnavailable: The source did not answer.
    """
    with tempfile.TemporaryDirectory(prefix="sjostad-trial-") as folder:
        trial = replace(settings, home=Path(folder))
        outcome = ingest_source(trial, contract)
        address = tables.bronze(trial, contract.id)
        if not delta.exists(address):
            return outcome, []
        with connect() as connection:
            query = f"""
                select device, channel, phenomenon_time::varchar as phenomenon_time, value, text,
                    unit, quality
                from {delta_scan(address)} order by _batch, _row, channel limit {_PREVIEW}"""
            return outcome, connection.execute(query).to_arrow_table().to_pylist()
