"""The commands of the audit log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse.audit_log.appending import record
from lakehouse.settings import Settings
from tests.sjostad import sjostad

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
PRODUCT = "product/luftkvalitet_timme"


@pytest.fixture
def settings(tmp_path) -> Settings:
    """A lake whose log has two days."""
    settings = Settings.from_environment({"SJOSTAD_ACTOR": "nightly"}, home=tmp_path / "home")
    for hours, action, about, outcome in (
        (0, "ran", "job/ingestion", "done"),
        (1, "released", PRODUCT, "refused"),
        (26, "read", "source/miljo_luft", "done"),
        (27, "released", PRODUCT, "done"),
    ):
        record(settings, START + timedelta(hours=hours), action, about, outcome, {"version": hours})
    return settings


def spoil(settings: Settings) -> Path:
    path = sorted(settings.audit_log.glob("*.jsonl"))[0]
    path.write_bytes(path.read_bytes().replace(b"refused", b"done"))
    return path


def test_verify_says_what_holds(settings):
    done = sjostad(settings.home, "log", "verify")
    assert done.returncode == 0, done.stderr
    assert "4 lines in 2 days hold together, 1 days are signed, 2 lines are not" in " ".join(
        done.stdout.split()
    )
    data = json.loads(sjostad(settings.home, "log", "verify", "--json").stdout)
    assert (data["is_whole"], data["events"], data["broken"]) == (True, 4, None)


def test_verify_names_the_first_broken_line_with_exit_code_1(settings):
    path = spoil(settings)
    done = sjostad(settings.home, "log", "verify")
    assert done.returncode == 1
    assert f"{path}:2" in done.stdout
    assert "altered: the signed head has another hash" in done.stdout
    data = json.loads(sjostad(settings.home, "log", "verify", "--json").stdout)
    assert (data["broken"]["line"], data["broken"]["what"]) == (2, "altered")


def test_verify_without_the_trusted_keys_is_exit_code_2(settings):
    (settings.keys / "allowed_signers").unlink()
    done = sjostad(settings.home, "log", "verify")
    assert done.returncode == 2
    assert "trusted keys cannot be read" in " ".join(done.stderr.split())


def test_an_empty_log_is_said_to_be_empty(tmp_path):
    done = sjostad(tmp_path / "home", "log", "verify")
    assert (done.returncode, done.stdout) == (0, "The audit log is empty.\n")
    assert sjostad(tmp_path / "home", "log", "show").stdout == "No such line.\n"


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ((), [1, 2, 3, 4]),
        (("--object", PRODUCT), [2, 4]),
        (("--object", "luftkvalitet_timme", "--since", "2026-03-02"), [4]),
        (("--since", "2026-03-01T09:00"), [2, 3, 4]),
        (("--action", "read"), [3]),
    ],
)
def test_show_takes_what_was_asked_for(settings, options, numbers):
    done = sjostad(settings.home, "log", "show", *options, "--json")
    assert [entry["number"] for entry in json.loads(done.stdout)] == numbers


def test_show_is_a_table_of_the_newest(settings):
    done = sjostad(settings.home, "log", "show", "--last", "1", COLUMNS="160")
    assert "luftkvalitet_timme" in done.stdout
    assert "version 27" in done.stdout
    assert "job/ingestion" not in done.stdout
    narrow = sjostad(settings.home, "log", "show").stdout
    assert "…" not in narrow
    assert "3 before these" in done.stdout


@pytest.mark.parametrize("options", [("--action", "looked"), ("--since", "yesterday")])
def test_show_refuses_what_it_does_not_know(settings, options):
    assert sjostad(settings.home, "log", "show", *options).returncode == 2


def gather(settings: Settings, *options: object):
    return sjostad(settings.home, "log", "incident", "luftkvalitet_timme", "--since", "2026-03-01",
                   "--until", "2026-03-02", *options)  # fmt: skip


def test_incident_gathers_the_product_and_its_sources(settings, tmp_path):
    to = tmp_path / "incident.jsonl"
    done = gather(settings, "--to", to)
    assert done.returncode == 0, done.stderr
    kept = to.read_bytes().splitlines(keepends=True)
    written = [line for path in sorted(settings.audit_log.glob("*.jsonl"))
               for line in path.read_bytes().splitlines(keepends=True)]  # fmt: skip
    assert kept == written[1:]
    text = (tmp_path / "incident.jsonl.txt").read_text("utf-8")
    for words in ("Händelser: 3, varav 1 nekade", "Loggen är hel.", "The log is whole.",
                  "2026-03-01 00:00 – 2026-03-03 00:00 UTC", "2025:1506", "24 hours"):  # fmt: skip
        assert words in text
    again = gather(settings, "--to", to)
    assert (again.returncode, to.read_bytes()) == (2, b"".join(kept))
    assert "it is there already" in again.stderr


def test_incident_of_a_log_that_is_not_whole_says_so(settings):
    path = spoil(settings)
    done = gather(settings)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 3
    assert f"VARNING: loggen är inte hel. Första felet: {path}:2" in done.stderr


def test_incident_of_an_unknown_product_is_refused(settings):
    done = sjostad(settings.home, "log", "incident", "nothing", "--since", "2026-03-01", "--until",
                   "2026-03-02")  # fmt: skip
    assert done.returncode == 2
    assert "nothing" in done.stderr


def test_sign_makes_up_for_heads(settings):
    done = sjostad(settings.home, "log", "sign")
    assert done.stdout.startswith("Signed: ")
    assert json.loads(sjostad(settings.home, "log", "verify", "--json").stdout)["signed"] == 2
    assert "Every day" in sjostad(settings.home, "log", "sign").stdout
