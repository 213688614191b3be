"""One process at a time, with real processes."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from lakehouse.errors import Busy
from lakehouse.locks import exclusive

HOLD = """
import sys, time
from lakehouse.locks import exclusive
from lakehouse.settings import Settings
with exclusive(Settings.from_environment(), "work"):
    print("held", flush=True)
    sys.stdin.readline()
    time.sleep(float(sys.argv[1]))
"""


@pytest.fixture
def holder(lake):
    """Another process that holds the lock until its stdin gets a line, and then for a while."""
    running: list[subprocess.Popen] = []

    def start(seconds: float = 0) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(seconds)],
            env={**lake.settings.as_environment(), "PYTHONPATH": ":".join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_busy_names_the_process_and_the_work(lake, holder):
    process = holder()
    impatient = replace(lake.settings, patience_s=0.2)
    with (
        pytest.raises(Busy, match=f"process {process.pid} is already doing 'work'") as caught,
        exclusive(impatient, "work"),
    ):
        pytest.fail("the lock was given twice")
    assert "SJOSTAD_PATIENCE_S" in str(caught.value)


def test_second_waits_for_the_first(lake, holder):
    process = holder(0.4)
    started = time.monotonic()
    process.stdin.write("\n")
    process.stdin.flush()
    with exclusive(lake.settings, "work"):
        assert time.monotonic() - started >= 0.4


def test_a_killed_holder_holds_nothing(lake, holder):
    process = holder()
    process.kill()
    process.wait()
    with exclusive(replace(lake.settings, patience_s=0.5), "work"):
        pass


def test_other_work_is_not_kept_waiting(lake, holder):
    holder()
    with exclusive(replace(lake.settings, patience_s=0), "other"):
        pass


def test_lock_is_given_back_after_an_error(lake):
    impatient = replace(lake.settings, patience_s=0)
    with pytest.raises(ZeroDivisionError), exclusive(impatient, "work"):
        raise ZeroDivisionError
    with exclusive(impatient, "work"):
        pass
