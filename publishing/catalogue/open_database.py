"""The open database: every open release as a table of one DuckDB file, for analysts and assistants.

It is made from released Parquet files and nothing else, so a query over it cannot reach the lake
whatever it does. It is replaced whole: readers that have the old file open keep it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb

from lakehouse import duck, flushing
from lakehouse.contracts import Contracts
from lakehouse.locks import exclusive
from lakehouse.settings import Settings
from publishing.catalogue import open_releases
from publishing.releases.manifest import Release
from publishing.terms import LICENCES

_LAYOUT: Final = "1"
"""Raised when the same releases should give another file."""


def open_database(settings: Settings) -> Path:
    """Where the open database is."""
    return settings.home / "open.duckdb"


def build_open_database(settings: Settings, contracts: Contracts) -> Path:
    """Bring the open database up to the newest open releases.

    Tables are named for their products; `meta.releases` tells which release each one is.

    Returns:
        The database; untouched when it already holds these releases.

    Raises:
        Busy: Another process is building it.
    """
    target = open_database(settings)
    with exclusive(settings, "open_database"):
        releases = open_releases(settings, contracts)
        if target.is_file() and listed(target) == _wanted(releases):
            return target
        fresh = target.with_name("open.duckdb.new")
        for left in (fresh, fresh.with_name(f"{fresh.name}.wal")):
            left.unlink(missing_ok=True)
        _write(fresh, releases)
        flushing.flush(fresh)
        os.replace(fresh, target)
        flushing.flush(target.parent)
    return target


def listed(path: Path) -> dict[str, str] | None:
    """Which release each product's table is: `number/contract digest/layout` by product.

    None when the file is no open database.
    """
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            rows = connection.execute("select product, state from meta.releases").fetchall()
    except duckdb.Error:
        return None
    return {str(product): str(state) for product, state in rows}


def released_numbers(path: Path) -> dict[str, int]:
    """The release number of each product in an open database; empty when there is no file."""
    return {
        product: int(state.partition("/")[0]) for product, state in (listed(path) or {}).items()
    }


def _wanted(releases: Sequence[Release]) -> dict[str, str]:
    return {release.product: _state(release) for release in releases}


def _state(release: Release) -> str:
    return f"{release.number}/{release.contract_digest}/{_LAYOUT}"


def _write(path: Path, releases: Sequence[Release]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path), config={"threads": 1, "memory_limit": "1GB"}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("create schema meta")
        connection.execute(
            "create table meta.releases (product varchar, number integer, state varchar, "
            "title varchar, version varchar, licence varchar, data_until varchar)"
        )
        for release in releases:
            _table(connection, release)
        connection.execute("checkpoint")


def _table(connection: duckdb.DuckDBPyConnection, release: Release) -> None:
    parquet = release.folder / release.file(".parquet").name
    name, publication = duck.identifier(release.product), release.publication
    connection.execute(f"create table {name} as from read_parquet({duck.literal(parquet)})")
    told = f"{publication.title.sv} / {publication.title.en}. {publication.limitations.sv}"
    connection.execute(f"comment on table {name} is {duck.literal(told)}")
    for column in release.columns:
        unit = f" [{column.symbol}]" if column.symbol else ""
        comment = f"{column.label.sv} / {column.label.en}{unit}. {column.description}"
        connection.execute(
            f"comment on column {name}.{duck.identifier(column.name)} is {duck.literal(comment)}"
        )
    connection.execute(
        "insert into meta.releases values (?, ?, ?, ?, ?, ?, ?)",
        [
            release.product,
            release.number,
            _state(release),
            publication.title.sv,
            release.version,
            LICENCES[publication.licence].iri,
            release.data_until,
        ],
    )
