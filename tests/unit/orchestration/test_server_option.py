"""The option --server: which of a contract's servers is fetched from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from lakehouse.contracts import load_source
from lakehouse.errors import ContractError
from orchestration import cli
from tests.unit.ingestion.lake import CSV, document


@pytest.fixture
def lake(tmp_path, monkeypatch) -> Path:
    """A contracts folder with one source that has the servers `files` and `live`."""
    for name in ("SJOSTAD_SERVER", "SJOSTAD_CONTRACTS", "SJOSTAD_INBOX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SJOSTAD_HOME", str(tmp_path / "home"))
    contract = document(delivery=CSV)
    contract["servers"] = [
        {"server": name, "type": "custom", "path": f"{name}/*.csv"} for name in ("files", "live")
    ]
    path = tmp_path / "contracts" / "sources" / "meters.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(contract), "utf-8")
    for name, rows in (("files", 1), ("live", 3)):
        folder = tmp_path / "inbox" / name
        folder.mkdir(parents=True)
        lines = [f"a;2026-01-01T0{n}:00:00Z;{n}" for n in range(rows)]
        (folder / "a.csv").write_text("\n".join(["meter;time;kwh", *lines]), "utf-8")
    return tmp_path


def check(lake: Path, *arguments: str) -> dict:
    places = ["--contracts", str(lake / "contracts"), "--inbox", str(lake / "inbox"), "--json"]
    command = ["source", "check", "meters", *places, *arguments]
    done = CliRunner().invoke(cli.app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["ledger"]


def test_source_check_fetches_from_the_server_that_is_named(lake, monkeypatch):
    assert check(lake)["landed"] == 1
    assert check(lake, "--server", "live")["landed"] == 3
    monkeypatch.setenv("SJOSTAD_SERVER", "live")
    assert check(lake)["landed"] == 3
    assert check(lake, "--server", "files")["landed"] == 1
    with pytest.raises(ContractError, match="no source has a server 'no_such'"):
        check(lake, "--server", "no_such")


@pytest.mark.parametrize("command", ["run", "ingest"])
def test_run_and_ingest_pass_it_on(lake, monkeypatch, command):
    ran = []
    monkeypatch.setattr(cli, "_jobs", lambda settings, known, *_: ran.append((settings, known)))
    places = ["--contracts", str(lake / "contracts"), "--inbox", str(lake / "inbox")]
    done = CliRunner().invoke(cli.app, [command, *places, "--server", "live"])
    assert done.exit_code == 0, done.output
    ((settings, known),) = ran
    assert settings.server == settings.as_environment()["SJOSTAD_SERVER"] == "live"
    assert known.source("meters").location == "live/*.csv"


@pytest.mark.parametrize("command", [["run"], ["ingest"], ["source", "check"]])
def test_the_option_is_explained(command):
    said = CliRunner().invoke(cli.app, [*command, "--help"], env={"COLUMNS": "200"}).stdout
    assert "--server" in said
    assert "Which of a contract's servers" in said


def test_the_first_server_is_the_default(lake):
    contract = load_source(lake / "contracts" / "sources" / "meters.yaml")
    assert (contract.server.name, contract.at("live").server.name) == ("files", "live")
