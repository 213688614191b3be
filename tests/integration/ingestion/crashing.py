"""Work that dies with kill -9 before or after a chosen call, in a process of its own."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from ingestion import build_anew, ingest_source, replay
from lakehouse.contracts import load_source
from lakehouse.delta import upkeep
from lakehouse.settings import Settings

# Processes are forked from one that has imported everything and started nothing.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.integration.ingestion.crashing"])


@dataclass(frozen=True, slots=True)
class Point:
    """A place where the process dies: before or after the n-th call of a function."""

    module: str
    function: str
    number: int
    when: str


POINTS = {
    "before the raw bytes land": Point("ingestion.source", "land", 1, "before"),
    "after one delivery's bytes have landed": Point("ingestion.source", "land", 1, "after"),
    "after all bytes have landed": Point("ingestion.source", "land", 2, "after"),
    "before quarantine's commit": Point("lakehouse.delta", "write_deltalake", 1, "before"),
    "after quarantine's commit": Point("lakehouse.delta", "write_deltalake", 1, "after"),
    "before the Parquet files": Point("lakehouse.delta.data_files", "write", 1, "before"),
    "after the Parquet files, before the log": Point(
        "lakehouse.delta.data_files", "write", 1, "after"
    ),
    "before bronze's log entry": Point(
        "deltalake:DeltaTable", "create_write_transaction", 1, "before"
    ),
    "after bronze's log entry, before the flush": Point(
        "deltalake:DeltaTable", "create_write_transaction", 1, "after"
    ),
    "in the flush of bronze": Point("lakehouse.delta.transaction_log", "flush_commit", 4, "before"),
    "after the flush of bronze": Point(
        "lakehouse.delta.transaction_log", "flush_commit", 4, "after"
    ),
    "before the ledger": Point("lakehouse.delta", "write_deltalake", 2, "before"),
    "after the ledger": Point("lakehouse.delta", "write_deltalake", 2, "after"),
    "before it is acknowledged": Point("ingestion.source", "SourceOutcome", 1, "before"),
}


def killed(work: Callable[..., None], *given: Any) -> int:
    """Run a function in a process of its own; returns its exit code, -9 when it was killed."""
    process = _SERVER.Process(target=work, args=given)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def ingest(settings: Settings, contract: Path, point: Point) -> None:
    """Ingest until the point."""
    _arm(point)
    ingest_source(settings, load_source(contract))


def read_again(settings: Settings, contract: Path, point: Point) -> None:
    """Replay until the point."""
    _arm(point)
    replay(settings, load_source(contract))


def build(settings: Settings, contract: Path, point: Point) -> None:
    """Build a source anew until the point."""
    _arm(point)
    build_anew(settings, load_source(contract))


def maintain(address: Path, point: Point) -> None:
    """Do the upkeep of a table until the point; a file that no version needs goes at once."""
    _arm(point)
    upkeep.maintain(address, nullcontext, keep=timedelta(0), is_short_meant=True)


def _arm(point: Point) -> None:
    module, _, owner = point.module.partition(":")
    holder = importlib.import_module(module)
    holder = getattr(holder, owner) if owner else holder
    real, calls = getattr(holder, point.function), []

    def deadly(*given: Any, **options: Any) -> Any:
        calls.append(1)
        is_last = len(calls) == point.number
        if is_last and point.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*given, **options)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(holder, point.function, deadly)
