"""LakeSail's Spark Connect server on loopback, for benchmarks and for tests."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STARTS_WITHIN_S = 60


@contextmanager
def serving(tools: Path, log: Path) -> Iterator[tuple[str, int]]:
    """A server of its own while the block runs: its address and its process.

    Args:
        tools: The `bin` of the environment that `make test-spark` makes.
        log: Where the server prints.

    Raises:
        RuntimeError: It did not start; with what it printed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("w") as said:
        server = subprocess.Popen(
            [tools / "sail", "spark", "server", "--port", str(port)], stdout=said, stderr=said
        )
    try:
        _await(port, server, log)
        yield f"sc://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait(timeout=30)


def _await(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < give_up and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"no server within {STARTS_WITHIN_S} s: {log.read_text('utf-8')}")
