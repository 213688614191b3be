"""DuckDB and an engine that speaks Spark Connect make the same rows of the sample city.

`make test-spark` runs this, with LakeSail's server on loopback; it needs `.venv-spark`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.settings import PROJECT
from tests.spark.tables import differences, rows_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("SJOSTAD_SPARK" not in os.environ, reason="make test-spark runs it"),
]

STARTS_WITHIN_S = 60


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of the sample city, built by DuckDB."""
    folder = tmp_path_factory.mktemp("city")
    os.environ["SJOSTAD_HOME"] = str(folder / "home")
    run(sys.executable, "-m", "sample_city", "--into", folder / "inbox")
    sjostad = Path(sys.executable).with_name("sjostad")
    run(sjostad, "ingest", "--inbox", folder / "inbox", "--home", folder / "home")
    run(sjostad, "build", "--home", folder / "home")
    return folder / "home"


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Spark Connect server."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    log = tmp_path_factory.mktemp("sail") / "sail.log"
    with log.open("w") as said:
        server = subprocess.Popen(
            [tool("sail"), "spark", "server", "--port", str(port)],
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(port, server, log)
        yield f"sc://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_every_model_has_the_same_rows(home, remote, tmp_path, capsys):
    build_on_spark(home, remote, tmp_path)
    models = sorted(PROJECT.glob("dbt/models/*/**/*.sql"))
    names = [
        f"{path.relative_to(PROJECT / 'dbt' / 'models').parts[0]}/{path.stem}" for path in models
    ]
    assert len(names) > 30
    found = {}
    for name in names:
        ours, theirs = rows_of(home / "lake" / name), rows_of(tmp_path / "lake" / name)
        if differing := list(differences(ours, theirs)):
            found[name] = differing
        with capsys.disabled():
            said = "other rows" if differing else "the same"
            print(f"\n{name:44}{ours.num_rows:>9,} rows {said}", end="")  # noqa: T201
    assert not found


def build_on_spark(home: Path, remote: str, folder: Path) -> None:
    """As docs/scaling.md says."""
    sjostad = Path(sys.executable).with_name("sjostad")
    place = (folder / "lake").as_uri()
    told = run(sjostad, "spark-tables", "--vars", "--to", place, "--home", home)
    assert json.loads(told)["register"]
    run(
        *(tool("dbt"), "--quiet", "run", "--target", "spark", "--vars", told),
        *("--project-dir", PROJECT / "dbt", "--profiles-dir", PROJECT / "dbt"),
        *("--target-path", folder / "target", "--log-path", folder / "logs"),
        SPARK_REMOTE=remote,
    )


def tool(name: str) -> str:
    """A command of the environment that has what Spark needs."""
    return str(PROJECT / os.environ["SJOSTAD_SPARK"] / "bin" / name)


def run(*command: str | Path, **more: str) -> str:
    """Run a command; returns what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=PROJECT,
        env=os.environ | more,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    """Return when somebody listens."""
    give_up = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < give_up and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"no server within {STARTS_WITHIN_S} s: {log.read_text('utf-8')}")
