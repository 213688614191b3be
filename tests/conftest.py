"""Fixtures that every test may use."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says something about the machine, which others may be using.
settings.register_profile("anywhere", deadline=None)
settings.load_profile("anywhere")

CHECKOUT = Path(__file__).resolve().parent.parent

MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, not a file of a guessable name
ENOUGH = 4 << 30


def pytest_configure() -> None:
    """Let lakes lie in memory, if there is room and nobody has chosen another place.

    Everything is still flushed as it always is; a disk takes milliseconds for each file of that,
    and the tests write tens of thousands. TMPDIR=/tmp puts them on disk.
    """
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH:
        os.environ["TMPDIR"] = str(MEMORY)  # for workers and every process that a test starts
        tempfile.tempdir = None  # it is asked for anew


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real deliveries made by others; tests that need it are skipped without it."""
    folder = Path(os.environ.get("SJOSTAD_REAL_DATA") or CHECKOUT.parent / "shared" / "data")
    if folder.is_dir():
        return folder
    reason = f"no real data at {folder}; set SJOSTAD_REAL_DATA to their folder"
    if os.environ.get("SJOSTAD_REQUIRE_REAL_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
