"""One whole city for all tests that only read it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from lakehouse.contracts.source import SourceContract, load_source
from lakehouse.settings import PROJECT
from sample_city import Summary, generate


class City(NamedTuple):
    inbox: Path
    summary: Summary


@pytest.fixture(scope="session")
def city(tmp_path_factory) -> City:
    inbox = tmp_path_factory.mktemp("city") / "inbox"
    return City(inbox, generate(inbox))


@pytest.fixture(scope="session")
def contracts() -> dict[str, SourceContract]:
    paths = (PROJECT / "contracts" / "sources").glob("*/*.yaml")
    return {path.stem: load_source(path) for path in paths}
