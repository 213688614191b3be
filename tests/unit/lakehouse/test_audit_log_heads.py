"""The signed heads of the audit log: made once, of what holds, and by whom we trust."""

from __future__ import annotations

import subprocess
from datetime import date, timedelta
from pathlib import Path
from shutil import which

import pytest

from lakehouse.audit_log import entries, sign_heads, verify
from lakehouse.audit_log.heads import path_of
from lakehouse.errors import LakeError, SettingsError
from lakehouse.settings import Settings
from tests.unit.lakehouse.days_of_log import START, files_of, found, lake_at, write


@pytest.fixture
def settings(tmp_path) -> Settings:
    return lake_at(tmp_path / "home")


def test_a_day_is_signed_when_the_next_begins_or_when_asked(settings):
    for day in (0, 0, 1):
        write(settings, day)
    outcome = verify(settings)
    assert (outcome.signed, outcome.unsigned, outcome.is_whole) == (1, 1, True)
    assert sign_heads(settings, START + timedelta(days=1)) == []  # that day is not over
    (made,) = sign_heads(settings, START + timedelta(days=2))
    assert made == path_of(settings, date(2026, 3, 2))
    outcome = verify(settings)
    assert (outcome.signed, outcome.unsigned, outcome.is_whole) == (2, 0, True)


@pytest.mark.skipif(which("ssh-keygen") is None, reason="OpenSSH is not installed")
def test_heads_are_verified_by_stock_tools(settings):
    write(settings, 0)
    (head,) = sign_heads(settings, START + timedelta(days=1))
    command = ["ssh-keygen", "-Y", "verify", "-f", settings.keys / "allowed_signers", "-I",
               "sjostad", "-n", "sjostad", "-s", f"{head}.sig"]  # fmt: skip
    for content, code in ((head.read_bytes(), 0), (head.read_bytes() + b" ", 255)):
        assert subprocess.run(command, input=content, capture_output=True).returncode == code  # noqa: PLW1510


def test_a_head_that_cannot_be_signed_keeps_no_line_out(settings):
    write(settings, 0)
    write(settings, 1)
    key = settings.keys / "signing_ed25519"
    key.chmod(0o644)
    write(settings, 2)
    last = list(entries(settings))[-2:]
    assert [(entry.action, entry.outcome) for entry in last] == [
        ("signed", "failed"), ("released", "done")
    ]  # fmt: skip
    assert last[0].details == {"error": "SettingsError"}
    assert found(settings) == ("2026-03-02.json", 1, "head missing")
    key.chmod(0o600)
    sign_heads(settings, START + timedelta(days=2))
    assert verify(settings).is_whole


def test_a_head_that_has_gone_is_not_made_again_unasked(settings):
    for day in range(4):
        write(settings, day)
    for path in (settings.audit_log / "heads").glob("2026-03-02*"):
        path.unlink()
    write(settings, 4)
    assert found(settings) == ("2026-03-02.json", 1, "head missing")


def test_a_broken_day_is_never_signed(settings):
    for day in (0, 0, 0, 1):
        write(settings, day)
    for path in (settings.audit_log / "heads").iterdir():
        path.unlink()
    path = files_of(settings)[0]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[2]]))
    with pytest.raises(LakeError, match=r"2026-03-01\.jsonl:2: the chain"):
        sign_heads(settings, START + timedelta(days=2))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda head, sig: sig.unlink(), "head signature"),
        (lambda head, sig: head.unlink(), "head signature"),
        (lambda head, sig: (head.unlink(), sig.unlink()), "head missing"),
        (lambda head, sig: head.write_bytes(head.read_bytes() + b" "), "head signature"),
        (lambda head, sig: sig.write_bytes(b""), "head signature"),
        (
            lambda head, sig: (
                head.write_bytes(head.with_name("2026-03-02.json").read_bytes()),
                sig.write_bytes(head.with_name("2026-03-02.json.sig").read_bytes()),
            ),
            "head signature",
        ),
    ],
    ids=["no signature", "no head", "neither", "altered", "empty", "another day's"],
)
def test_heads_that_are_not_as_they_were_signed(settings, change, what):
    for day in (0, 1, 2):
        write(settings, day)
    head = path_of(settings, date(2026, 3, 1))
    change(head, head.with_name(head.name + ".sig"))
    assert found(settings) == (head.name, 1, what)


def test_a_head_by_a_stranger_is_refused(settings, tmp_path):
    write(settings, 0)
    write(settings, 1)
    stranger = lake_at(tmp_path / "stranger")
    write(stranger, 0)
    (head,) = sign_heads(stranger, START + timedelta(days=1))
    for suffix in ("", ".sig"):
        own = path_of(settings, date(2026, 3, 1))
        own.with_name(own.name + suffix).write_bytes(Path(f"{head}{suffix}").read_bytes())
    assert found(settings) == ("2026-03-01.json", 1, "head signature")


def test_trusted_keys_that_are_gone_make_no_log_whole(settings):
    write(settings, 0)
    write(settings, 1)
    (settings.keys / "allowed_signers").unlink()
    with pytest.raises(SettingsError, match="trusted keys cannot be read"):
        verify(settings)
