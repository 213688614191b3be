"""A PostgreSQL of the tests' own, with a table of readings and a contract for it."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

import pytest
import sqlalchemy as sa

from ingestion.protocols import patience
from tests.unit.ingestion.postgres.readings import (
    COLUMNS,
    DELIVERY,
)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A PostgreSQL of the tests' own, on a socket in a temporary folder."""
    pgserver = pytest.importorskip("pgserver")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder and a port of its own
        folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path must be short
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        made = pgserver.get_server(folder / "data", cleanup_mode="delete")
    engine = sa.create_engine(made.get_uri(), isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()
    made.cleanup()


@pytest.fixture
def run(server, monkeypatch):
    """Run statements; the tables are made anew for each test."""
    monkeypatch.setenv("SJOSTAD_TEST_DATABASE", server.url.render_as_string(hide_password=False))
    monkeypatch.setattr(patience.time, "sleep", lambda _: None)

    def execute(*statements: str):
        with server.connect() as connection:
            for statement in statements:
                found = connection.exec_driver_sql(statement)
            return found.all() if found.returns_rows else []

    execute("drop schema if exists plant cascade", "create schema plant")
    return execute


@pytest.fixture
def readings(run):
    run(
        'create table plant.readings (id serial primary key, "measured at" timestamp, device text,'
        " kwh double precision, price numeric, stored timestamptz default now())"
    )
    return run


@pytest.fixture
def source(lake):
    def contract(**changes):
        pull = changes.pop("pull", {})
        return lake.source(
            "plant",
            columns=changes.pop("columns", COLUMNS),
            location="env:SJOSTAD_TEST_DATABASE",
            delivery=DELIVERY | {"pull": DELIVERY["pull"] | pull} | changes,
        )

    return contract
