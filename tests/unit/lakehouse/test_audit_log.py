"""The audit log: what is written stays, and nobody is named."""

from __future__ import annotations

import getpass
import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from lakehouse.audit_log import entries, incident, note, sign_heads, verify
from lakehouse.audit_log.lines import read
from lakehouse.errors import LakeError, NotLogged, SettingsError
from lakehouse.settings import PROJECT, Settings
from tests.unit.lakehouse.days_of_log import PRODUCT, START, files_of, found, lake_at, write


@pytest.fixture
def settings(tmp_path) -> Settings:
    return lake_at(tmp_path / "home")


# What stands in a line


def test_a_line_says_who_did_what_to_what_and_how_it_ended(settings):
    entry = note(settings, "released", PRODUCT, "refused", version=41, rows=1200, share=0.25)
    (path,) = files_of(settings)
    text = path.read_bytes()
    assert read(text.removesuffix(b"\n")) == entry
    data = json.loads(text)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", data.pop("at"))
    assert data == {
        "number": 1,
        "actor": "nightly",
        "action": "released",
        "object": PRODUCT,
        "outcome": "refused",
        "details": {"version": 41, "rows": 1200, "share": 0.25},
        "previous": "0" * 64,
    }


def test_lines_are_chained_over_days_and_anyone_can_reckon_it(settings):
    for day in (0, 0, 1, 4):
        write(settings, day)
    assert [path.stem[-2:] for path in files_of(settings)] == ["01", "02", "05"]
    lines = b"".join(path.read_bytes() for path in files_of(settings)).splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 2, 3, 4]
    for one, other in pairwise(lines):
        told = subprocess.run(["sha256sum"], input=one, capture_output=True, check=True).stdout  # noqa: S607
        assert json.loads(other)["previous"] == told.split()[0].decode()
    assert verify(settings).is_whole


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"who": "anna.svensson@stockholm.se"}, "e-mail"),
        ({"who": "a@b"}, "e-mail"),
        ({"who": "19900101-1234"}, "personal identity number"),
        ({"who": "900101-1234"}, "personal identity number"),
        ({"who": "199001011234"}, "personal identity number"),
        ({"who": "person 900161+1234"}, "personal identity number"),
        ({"file": "/home/anna/x.csv"}, "path"),
        ({"file": "landing/ab"}, "path"),
        ({"file": "C:\\data"}, "path"),
        ({"file": "~anna"}, "path"),
        ({"text": "x" * 81}, "longer than 80"),
        ({"text": "a\nb"}, "cannot be printed"),
        ({"text": "\ud800"}, "cannot be printed"),
        ({"rows": float("nan")}, "no finite number"),
        ({"rows": 1 << 63}, "64 bits"),
        ({"rows": None}, "NoneType"),
        ({"rows": [1]}, "list"),
        ({"Rows": 1}, "name is not plain"),
        ({f"n{number}": number for number in range(17)}, "too many"),
    ],
)
def test_what_may_be_about_a_person_or_a_machine_is_refused(settings, told, why):
    with pytest.raises(NotLogged, match=why) as caught:
        note(settings, "read", PRODUCT, **told)
    assert not settings.audit_log.exists()
    assert all(value not in str(caught.value) for value in told.values() if isinstance(value, str))


@pytest.mark.parametrize(
    "text", ["2026-03-01T22:00:00Z", "1.4.0", "a1b2" * 16, "0123456789" * 4, "ok", "Östermalm"]
)
def test_versions_times_and_hashes_may_be_told(settings, text):
    assert note(settings, "audited", PRODUCT, text=text).details == {"text": text}


@pytest.mark.parametrize(
    "about", ["luft", "product/", "product/a/b", "product/a@b", "source/199001011234"]
)
def test_an_object_is_a_kind_and_an_id(settings, about):
    with pytest.raises(NotLogged, match="audit log, object"):
        note(settings, "read", about)


def test_the_words_are_closed(settings):
    with pytest.raises(NotLogged, match=r"'looked' is no action.*released"):
        note(settings, "looked", PRODUCT)
    with pytest.raises(NotLogged, match="'fine' is no outcome"):
        note(settings, "read", PRODUCT, "fine")


def test_a_user_is_told_by_a_pseudonym_that_needs_the_key(tmp_path):
    one, other = (lake_at(tmp_path / name, SJOSTAD_ACTOR="") for name in ("a", "b"))
    names = [note(lake, "ran", "job/ingestion").actor for lake in (one, one, other)]
    assert re.fullmatch(r"user-[0-9a-f]{16}", names[0])
    assert names[0] == names[1] != names[2]
    text = b"".join(path.read_bytes() for path in (one.home / "operations").rglob("*.jsonl"))
    assert getpass.getuser().encode() not in text
    assert (one.keys / "actors.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["Anna Svensson", "anna@stockholm.se", "u-900101-1234", "x"])
def test_an_actor_is_a_role(tmp_path, name):
    with pytest.raises(SettingsError, match=r"SJOSTAD_ACTOR.*role"):
        note(lake_at(tmp_path, SJOSTAD_ACTOR=name), "ran", "job/ingestion")


# Writing


def test_processes_write_one_chain(settings):
    code = (
        "from lakehouse.audit_log import note; from lakehouse.settings import Settings\n"
        "for n in range(25): note(Settings.from_environment(), 'ran', 'job/ingestion', turn=n)"
    )
    impatient = settings.as_environment() | {"SJOSTAD_PATIENCE_S": "0", "PYTHONPATH": str(PROJECT)}
    running = [
        subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **impatient})
        for _ in range(4)
    ]
    assert [process.wait() for process in running] == [0] * 4
    outcome = verify(settings)
    assert (outcome.events, outcome.is_whole, outcome.closed_off) == (100, True, ())
    assert [entry.number for entry in entries(settings)] == list(range(1, 101))


def test_a_line_is_flushed_before_it_is_told(settings, monkeypatch):
    flushed = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (flushed.append(os.readlink(f"/proc/self/fd/{fd}")),
                                                 real(fd)))  # fmt: skip
    write(settings, 0)
    (path,) = files_of(settings)
    assert {str(path), str(path.parent), str(path.parent.parent)} <= set(flushed)
    flushed.clear()
    write(settings, 0)
    assert flushed == [str(path)]


def test_a_full_disk_is_told_and_the_next_line_goes_on(settings, monkeypatch):
    write(settings, 0)
    real, calls = os.write, []

    def fills_up(descriptor: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:40])

    monkeypatch.setattr(os, "write", fills_up)
    with pytest.raises(LakeError, match="No space left"):
        write(settings, 0)
    monkeypatch.setattr(os, "write", real)
    assert write(settings, 0).number == 3
    assert [entry.action for entry in entries(settings)] == ["released", "closed_off", "released"]
    assert verify(settings).is_whole


def torn(settings: Settings, kept: bytes) -> Path:
    """What a crash leaves: the newest file as far as it came."""
    path = files_of(settings)[-1]
    path.write_bytes(kept)
    return path


@pytest.mark.parametrize("later", [0, 1], ids=["same day", "next day"])
@pytest.mark.parametrize("before", [0, 1], ids=["first of its day", "second of its day"])
def test_torn_anywhere_nothing_is_lost_and_the_log_goes_on(tmp_path, before, later):
    settings = lake_at(tmp_path)
    write(settings, 0)
    for _ in range(before):
        write(settings, 1)
    whole = len(files_of(settings)[-1].read_bytes()) if before else 0
    write(settings, 1, rows=7)
    path = files_of(settings)[-1]
    content = path.read_bytes()
    for cut in range(whole + 1, len(content)):
        for head in (settings.audit_log / "heads").glob("2026-03-02*"):
            head.unlink()
        for other in files_of(settings):
            if other > path:
                other.unlink()
        torn(settings, content[:cut])
        is_line = cut == len(content) - 1  # only its end is missing
        outcome = verify(settings)
        assert outcome.is_whole
        assert (outcome.open_end is None) == is_line
        write(settings, 1 + later)
        assert path.read_bytes().startswith(content[:cut])
        outcome = verify(settings)
        assert outcome.is_whole, (cut, outcome.broken)
        assert outcome.closed_off == (() if is_line else (f"{path}:{before + 1}",))
        assert outcome.events == before + 3


def test_torn_while_it_is_closed_off_is_closed_off_as_well(settings):
    write(settings, 0)
    write(settings, 0)
    path = torn(settings, files_of(settings)[0].read_bytes()[:-9])
    start = path.stat().st_size
    write(settings, 0)
    content = path.read_bytes()
    for cut in range(start, len(content)):
        torn(settings, content[:cut])
        write(settings, 0)
        assert path.read_bytes().startswith(content[:cut])
        assert verify(settings).is_whole, cut


def test_torn_bytes_and_what_closes_them_off_are_held_to_the_byte(settings):
    for _ in range(2):
        write(settings, 0)
    path = torn(settings, files_of(settings)[0].read_bytes()[:-9])
    write(settings, 0)
    write(settings, 0)
    one, part, closing, *rest = path.read_bytes().splitlines(keepends=True)
    for changed, line, what in (
        ([one, part[:-2] + b"\n", closing], 2, "altered"),
        ([one, closing], 2, "deleted"),
        ([one, part, part, closing], 2, "altered"),
        ([one, closing, part], 2, "deleted"),
        ([one, part, closing.replace(b"torn_bytes", b"torn_bytez")], 3, "altered"),
        ([one, part, closing.replace(b'"closed_off"', b'"closed_on"')], 3, "altered"),
        ([part, closing], 1, "altered"),
    ):
        path.write_bytes(b"".join([*changed, *rest]))
        assert found(settings) == (path.name, line, what)


def test_a_clock_that_goes_back_opens_no_earlier_file(settings):
    write(settings, 0)
    write(settings, 1)
    write(settings, 0)
    assert len(files_of(settings)[-1].read_bytes().splitlines()) == 2
    sign_heads(settings, START + timedelta(days=2))
    write(settings, 1)
    assert [path.stem for path in files_of(settings)][-1] == "2026-03-03"
    assert verify(settings).is_whole


# Incidents


def test_an_incident_is_what_was_done_to_a_product_and_its_sources(settings):
    for day, about in ((0, PRODUCT), (1, "source/miljo_luft"), (1, "product/other"), (2, PRODUCT)):
        write(settings, day, about=about)
    since, until = START, START + timedelta(days=2)
    asked = (PRODUCT, "source/miljo_luft")
    assert [entry.number for entry in incident(settings, asked, since, until)] == [1, 2]
    assert [entry.number for entry in incident(settings, PRODUCT, since, until)] == [1]
    until += timedelta(microseconds=1)
    assert [entry.number for entry in incident(settings, asked, since, until)] == [1, 2, 4]
