"""Erasing one device: nothing under the home folder names it, and everything else stays.

The must-fail control shows that the search would find what a plain delete leaves.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile

import pytest

from ingestion import balance, build_anew, replay
from ingestion.erasing import device, erase_device
from lakehouse import audit_log, delta, tables
from lakehouse.errors import LakeError
from lakehouse.settings import PROJECT
from lakehouse.traces import find_traces
from tests.integration.test_reconcile import sjostad
from tests.unit.ingestion.lake import CHIRPSTACK, CSV, column, new_lake

GONE, NEAR, OTHER = "LAS-1", "LAS-10", "LAS-2"
DECISION = {"erased_by": "Dataskyddsombud", "erased_because": "2026/1041"}


def rows_of(*devices: str, hour: int = 10) -> str:
    lines = [f"{device};2026-10-19T{hour}:0{n}:00;{n}" for n in range(3) for device in devices]
    return "\n".join(["meter;time;kwh", *lines]) + "\n"


@pytest.fixture
def taken(tmp_path):
    """Deliveries of three devices: mixed, packed, of the one alone, broken, and again."""
    lake = new_lake(tmp_path)
    contract = lake.source()
    lake.deliver("mixed.csv", rows_of(GONE, NEAR, OTHER))
    lake.deliver("packed.csv.gz", gzip.compress(rows_of(GONE, OTHER, hour=11).encode()))
    lake.deliver(f"{GONE}.csv", rows_of(GONE, hour=12))
    lake.ingest(contract)
    broken = f"{GONE};2026-10-19T10:09:00;x\n{OTHER};never;1\n{NEAR};2026-10-19T10:08:00;7\n"
    lake.deliver("broken.csv", rows_of(GONE, OTHER, hour=10) + broken)  # and duplicates of mixed
    lake.deliver("others.csv", rows_of(NEAR, OTHER, hour=13))
    lake.ingest(contract)
    shutil.rmtree(lake.inbox)  # a supplier's folder is a place of its own: see the test of it
    return lake


def kept(rows):
    """Rows of everybody else, without what says when and in which line they were taken."""
    return sorted(
        [str(row["device"]), str(row["phenomenon_time"]), row["value"], row["_delivery"]]
        for row in rows
        if row["device"] != GONE
    )


def erase(lake, device: str = GONE, **more):
    contract = lake.source()
    return erase_device(
        lake.settings, contract, device, sources=[contract.id], decision=DECISION, **more
    )


def traces(lake, value: str = GONE, *known: str):
    return find_traces(lake.settings, value, known)


def test_nothing_names_it_and_everything_else_stays(taken):
    before, held = kept(taken.bronze()), taken.quarantine()
    assert {trace.path.parts[-4] for trace in traces(taken)} >= {"landing", "bronze"}
    done = erase(taken)
    assert done.left == ()
    assert traces(taken) == []
    assert (done.deliveries, done.rewritten) == (4, 3)
    assert (done.bronze_rows, done.held_rows) == (9, 1)
    assert kept(taken.bronze()) == before
    assert [row["raw"] for row in taken.quarantine()] == [
        row["raw"] for row in held if GONE not in row["raw"].split(";")
    ]
    assert balance(taken.settings, "meters").is_kept
    lines = {line["name"]: line for line in taken.ledger()}
    assert "erased.csv" in {name.split("/")[-1] for name in lines}
    for line in lines.values():
        out = line["landed"] + line["quarantined"] + line["duplicates"] + line["filtered"]
        assert line["rows_in"] == out
    assert "without the lines of a subject" in lines["meters/mixed.csv"]["findings"]
    assert "bytes erased" in lines["meters/erased.csv"]["findings"]
    assert lines["meters/others.csv"]["findings"] == "[]"


def test_a_second_time_there_is_nothing_to_do(taken):
    erase(taken)
    before = taken.versions()
    done = erase(taken)
    assert (done.deliveries, done.bronze_rows, done.held_rows, done.ledger_lines) == (0, 0, 0, 0)
    assert (done.tables, done.left) == ((), ())
    assert taken.versions() == before


def test_what_is_left_is_read_again_and_built_anew(taken):
    contract = taken.source()
    before = kept(taken.bronze())
    erase(taken)
    replay(taken.settings, contract, everything=True)
    assert kept(taken.bronze()) == before
    outcome = build_anew(taken.settings, contract)
    assert (outcome.gone, outcome.new) == (0, 0)
    assert kept(taken.bronze()) == before
    assert balance(taken.settings, "meters").is_kept
    assert traces(taken) == []


def test_the_same_bytes_are_not_taken_in_again(taken):
    contract = taken.source()
    erase(taken)
    before = taken.versions()
    taken.deliver("other name.csv", rows_of(GONE, NEAR, OTHER))
    outcome = taken.ingest(contract)
    assert (outcome.receipts, outcome.passed_over) == ((), 1)
    assert taken.versions() == before
    left = erase(taken).left
    assert {trace.path.name for trace in left} == {"other name.csv"}  # the supplier's own file


@pytest.mark.parametrize("step", ["_quarantine", "_bronze", "_models", "_history", "_search"])
def test_stopped_between_steps_it_ends_the_same(taken, step, monkeypatch):
    before = kept(taken.bronze())

    def stopping(_self):
        raise KeyboardInterrupt

    monkeypatch.setattr(device._Erasing, step, stopping)
    with pytest.raises(KeyboardInterrupt):
        erase(taken)
    monkeypatch.undo()
    files = {path.name for path in (taken.settings.landing / "meters").rglob("*")}
    erase(taken)
    assert {path.name for path in (taken.settings.landing / "meters").rglob("*")} == files
    assert (traces(taken), kept(taken.bronze())) == ([], before)
    assert balance(taken.settings, "meters").is_kept
    assert build_anew(taken.settings, taken.source()).gone == 0


def test_a_file_that_is_only_called_so_keeps_its_bytes(taken):
    contract = taken.source()
    taken.deliver(f"not by {GONE}.csv", rows_of(OTHER, hour=16))
    taken.ingest(contract)
    before = kept(taken.bronze())
    shutil.rmtree(taken.inbox)
    assert erase(taken).left == ()
    assert kept(taken.bronze()) == before
    assert build_anew(taken.settings, contract).gone == 0
    assert "meters/not by erased.csv" in {line["name"] for line in taken.ledger()}


def test_another_device_of_the_same_deliveries_can_go_later(taken):
    erase(taken)
    done = erase(taken, OTHER)
    assert (done.left, done.rewritten) == ((), 3)
    assert {row["device"] for row in taken.bronze()} == {NEAR}
    assert balance(taken.settings, "meters").is_kept
    assert build_anew(taken.settings, taken.source()).gone == 0
    assert (traces(taken), traces(taken, OTHER)) == ([], [])


def test_new_deliveries_are_taken_as_ever(taken):
    contract = taken.source()
    erase(taken)
    taken.deliver("new.csv", rows_of(OTHER, hour=15))
    assert taken.ingest(contract).ledger.landed == 3
    assert balance(taken.settings, "meters").is_kept
    assert taken.ledger()[-1]["name"] == "meters/new.csv"


def test_looking_writes_nothing(taken):
    before = digest(taken.settings.home)
    steps: list[str] = []
    done = erase(taken, dry_run=True, tell=steps.append)
    assert (done.deliveries, done.bronze_rows, done.held_rows) == (4, 9, 1)
    assert done.left
    assert steps[0].startswith("landing: 4 deliveries held it; 3 are kept")
    assert digest(taken.settings.home) == before


def digest(home) -> dict[str, str]:
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.parent.name != "locks"
    }


def test_a_plain_delete_leaves_it_in_the_log(taken):
    """The control: if the search found nothing here, it would find nothing anywhere."""
    address = tables.bronze(taken.settings, "meters")
    table = delta.open_table(address)
    table.delete(f"device = '{GONE}'")
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert GONE not in {row["device"] for row in taken.bronze()}
    left = [trace.path for trace in traces(taken) if trace.path.is_relative_to(address)]
    assert "_delta_log" in {path.parent.name for path in left}


def test_a_plain_delete_alone_leaves_it_in_old_files(taken):
    address = tables.bronze(taken.settings, "meters")
    delta.open_table(address).delete(f"device = '{GONE}'")
    left = [trace for trace in traces(taken) if trace.path.is_relative_to(address)]
    assert "column device" in {trace.place for trace in left}


def test_what_cannot_be_rewritten_by_lines_is_deleted_and_said_so(tmp_path):
    lake = new_lake(tmp_path)
    contract = lake.source()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", rows_of(GONE, OTHER))
        archive.writestr("b.csv", rows_of(OTHER, hour=11))
    lake.deliver("both.zip", packed.getvalue())
    lake.ingest(contract)
    before = kept(lake.bronze())
    shutil.rmtree(lake.inbox)
    done = erase(lake)
    assert (done.deliveries, done.rewritten, done.left) == (1, 0, ())
    assert kept(lake.bronze()) == before
    assert len(lake.bronze()) == 6
    assert balance(lake.settings, "meters").is_kept
    again = replay(lake.settings, contract, everything=True)
    assert again.receipts == ()
    assert "its bytes were erased on request" in again.refused[0]
    with pytest.raises(LakeError, match="6 rows that others have of it are kept"):
        build_anew(lake.settings, contract)
    assert kept(lake.bronze()) == before


def test_what_a_reader_writes_another_way_is_found_all_the_same(tmp_path):
    """ChirpStack v3 tells the EUI in base64: no search of bytes can find it, its reader does."""
    lake = new_lake(tmp_path)
    contract = lake.source(
        delivery=CHIRPSTACK | {"format": "chirpstack_v3"},
        columns=(column("temperature", "air_temperature", "Cel"),),
    )
    events = [
        json.dumps({
            "applicationID": "1", "devEUI": eui, "fCnt": 7, "fPort": 2, "data": "AQID",
            "rxInfo": [{"gatewayID": "g1", "time": "2026-10-19T10:00:00Z", "rssi": -95}],
            "objectJSON": json.dumps({"temperature": 21.5}),
        })
        for eui in ("qEBBAAGBwAE=", "qEBBAAGBwAI=")
    ]  # fmt: skip
    lake.deliver("both.json", "\n".join(events) + "\n")
    lake.ingest(contract)
    devices = [row["device"] for row in lake.bronze()]
    assert devices == ["a84041000181c001", "a84041000181c002"]
    shutil.rmtree(lake.inbox)
    done = erase_device(lake.settings, contract, devices[0], sources=["meters"], decision=DECISION)
    assert (done.deliveries, done.rewritten, done.left) == (1, 0, ())
    assert [row["device"] for row in lake.bronze()] == devices[1:]
    assert b"qEBBAAGBwAE" not in b"".join(
        path.read_bytes() for path in lake.settings.landing.rglob("*") if path.is_file()
    )


def test_a_device_that_the_contract_names_comes_back(tmp_path):
    lake = new_lake(tmp_path)
    contract = lake.source(delivery=CSV | {"device": {"constant": GONE}})
    lake.deliver("one.csv", rows_of("m1"))
    lake.ingest(contract)
    with pytest.raises(LakeError, match="the contract names the device"):
        erase_device(lake.settings, contract, GONE, sources=["meters"], decision=DECISION)


def test_the_command_says_what_it_did_and_what_is_left(taken):
    asked = ["erase", "meters", "--device", GONE, "--by", "Dataskyddsombud", "--why", "2026/1041"]
    taken.deliver("kept by the supplier.csv", rows_of(GONE))
    planned = sjostad(taken, *asked, "--dry-run")
    assert (planned.returncode, "Nothing was written." in planned.stdout) == (0, True)
    failed = sjostad(taken, *asked)
    assert failed.returncode == 1
    said = " ".join(failed.stderr.split())
    assert "kept by the supplier.csv" in said
    assert "Ask the supplier to take it out" in said
    shutil.rmtree(taken.inbox)
    done = sjostad(taken, *asked, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["left"] == []
    noted = [entry for entry in audit_log.entries(taken.settings) if entry.action == "erased"]
    assert [(one.object, one.outcome) for one in noted] == [
        ("source/meters", "failed"), ("source/meters", "done"),
    ]  # fmt: skip
    assert noted[0].details["deliveries"] == 4
    assert "Was it erased before" in sjostad(taken, *asked).stdout
    assert sjostad(taken, "erase", "meters", "--device", " ", *asked[4:]).returncode == 1
    assert traces(taken) == []


CUT = """
import os, signal, sys
from pathlib import Path
from lakehouse import (flushing)
from lakehouse.contracts import load_source
from lakehouse.settings import Settings
from ingestion.erasing import device, erase_device

count, at = 0, int(sys.argv[3])

def stop(name):
    def stopping(*given, **more):
        global count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real[name](*given, **more)
    return stopping

real = {name: getattr(os, name) for name in ("replace", "unlink", "fsync")}
for name in real:
    setattr(os, name, stop(name))
settings = Settings.from_environment(home=Path(sys.argv[1]), contracts=Path(sys.argv[2]))
contract = load_source(settings.contracts / "sources" / "meters.yaml")
erase_device(settings, contract, "LAS-1", sources=["meters"],
             decision={"erased_by": "Dataskyddsombud", "erased_because": "2026/1041"})
"""


CUTS = (1, 3, 8, 13, 21, 30, 40, 52, 66, 85, 10_000)
"""Before which rename, removal or flush the process is killed; the last time before none."""


@pytest.mark.slow
def test_killed_anywhere_and_run_again_it_ends_the_same(taken, tmp_path):
    """It is killed before a rename, a removal or a flush, at ten places of all its steps."""
    want = None
    before, script = kept(taken.bronze()), tmp_path / "cut.py"
    script.write_text(CUT, encoding="utf-8")
    killed = 0
    for at in CUTS:
        home = tmp_path / f"home{at}"
        shutil.copytree(taken.settings.home, home)
        done = subprocess.run(
            [sys.executable, str(script), str(home), str(taken.settings.contracts), str(at)],
            cwd=PROJECT, check=False, capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": str(PROJECT), "SJOSTAD_PATIENCE_S": "5"},
        )  # fmt: skip
        killed += done.returncode == -signal.SIGKILL
        lake = type(taken)(type(taken.settings)(**vars_of(taken.settings) | {"home": home}))
        erase(lake)
        assert traces(lake) == [], at
        assert kept(lake.bronze()) == before, at
        assert balance(lake.settings, "meters").is_kept, at
        state = sorted(
            (line["name"], line["rows_in"], line["landed"], line["quarantined"], line["findings"])
            for line in lake.ledger()
        )
        want = want or state
        assert state == want, at
        shutil.rmtree(home)
    assert killed == len(CUTS) - 1


def vars_of(settings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in type(settings).__slots__}
