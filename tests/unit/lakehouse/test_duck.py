"""The connections that read the lake: what they load, and that its signature is checked."""

from __future__ import annotations

import shutil

import duckdb
import pytest

from lakehouse import duck


def test_an_extension_that_was_changed_is_not_loaded(tmp_path, monkeypatch):
    """Later connections ask for no signature, because the first one of the process has."""
    path = tmp_path / "delta.duckdb_extension"
    shutil.copyfile(duck.extension("delta"), path)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    monkeypatch.setattr(duck, "extension", lambda _name: path)
    for _ in range(2):
        with pytest.raises(duckdb.IOException, match="signature"):
            duck.connect()


def test_the_clock_is_utc_and_nothing_is_fetched():
    with duck.connect() as connection:
        asked = "select name, value from duckdb_settings()"
        found = dict(connection.execute(asked).fetchall())
        assert found["TimeZone"] == "UTC"
        assert found["autoinstall_known_extensions"] == "false"
        loaded = "select extension_name from duckdb_extensions() where loaded"
        assert ("delta",) in connection.execute(loaded).fetchall()
    with duck.connect(extensions=()) as connection:
        assert ("delta",) not in connection.execute(loaded).fetchall()
        found = dict(connection.execute(asked).fetchall())
        assert found["allow_unsigned_extensions"] == "false"
