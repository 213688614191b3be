"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says something about the machine, which others may be using.
settings.register_profile("anywhere", deadline=None)
settings.load_profile("anywhere")

CHECKOUT = Path(__file__).resolve().parent.parent


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
