"""The landing zone: the same bytes once, plain files only, never half a file."""

from __future__ import annotations

import hashlib
import os

import pytest
from deltalake import DeltaTable

from ingestion import landing
from ingestion.deliveries import Offer
from ingestion.landing import digest, discard, land
from lakehouse import landing_zone
from lakehouse.errors import DeliveryRefused
from lakehouse.landing_zone import address
from tests.unit.ingestion.lake import RECEIVED

HEAD = "meter;time;kwh\n"


def test_bytes_lie_under_their_digest(lake):
    path = lake.deliver("a.csv", b"hej")
    landed = lake.land(path)
    assert landed.sha256 == hashlib.sha256(b"hej").hexdigest()
    assert landed.path == address(lake.settings, "meters", landed.sha256)
    assert (landed.path.read_bytes(), landed.size) == (b"hej", 3)
    assert path.read_bytes() == b"hej"


def test_same_bytes_land_once(lake):
    first = lake.land(lake.deliver("a.csv", b"hej"))
    written = first.path.stat().st_mtime_ns
    second = lake.land(lake.deliver("b.csv", b"hej"))
    assert second.path == first.path
    assert second.path.stat().st_mtime_ns == written
    assert len([p for p in lake.settings.landing.rglob("*") if p.is_file()]) == 1


def test_sources_do_not_share_bytes(lake):
    path = lake.deliver("a.csv", b"hej")
    assert lake.land(path, "one").path != lake.land(path, "two").path


def test_file_and_folder_are_flushed_before_bronze_has_its_rows(lake, monkeypatch):
    """Reading them meanwhile costs nothing if the power fails: no row has landed then."""
    contract = lake.source()
    done: list[str] = []
    real, commit = os.fsync, DeltaTable.create_write_transaction
    monkeypatch.setattr(
        os, "fsync", lambda fd: (done.append(os.readlink(f"/proc/self/fd/{fd}")), real(fd))
    )
    monkeypatch.setattr(
        DeltaTable,
        "create_write_transaction",
        lambda *given, **named: (done.append("commit"), commit(*given, **named)),
    )
    lake.deliver("a.csv", f"{HEAD}m1;2026-10-19T10:00:00;1\n")
    assert lake.ingest(contract).ledger.landed == 1
    (landed,) = [path for path in lake.settings.landing.rglob("*") if path.is_file()]
    before = done[: done.index("commit")]
    assert str(landed) in before
    assert str(landed.parent) in before


def test_what_a_power_cut_has_left_is_not_trusted(lake):
    path = lake.deliver("a.csv", b"hej")
    landed = lake.land(path)
    landed.path.write_bytes(b"\0\0\0")
    assert lake.land(path).path.read_bytes() == b"hej"


def test_link_is_refused(lake):
    secret = lake.settings.home / "secret"
    secret.write_bytes(b"secret")
    link = lake.inbox / "meters" / "a.csv"
    link.parent.mkdir()
    link.symlink_to(secret)
    with pytest.raises(DeliveryRefused, match=r"cannot be opened.*Deliver a plain file"):
        digest(link)


def test_file_behind_a_linked_folder_is_refused(lake):
    elsewhere = lake.settings.home / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.csv").write_bytes(b"secret")
    (lake.inbox / "meters").symlink_to(elsewhere)
    with pytest.raises(DeliveryRefused, match="reached through a link"):
        digest(lake.inbox / "meters" / "a.csv")


def test_file_that_changes_while_it_is_copied(lake, monkeypatch):
    path = lake.deliver("a.csv", b"half")
    real = landing._copied

    def grow_after(file, target):
        sha256 = real(file, target)
        path.write_bytes(b"half and the rest")
        return sha256

    monkeypatch.setattr(landing, "_copied", grow_after)
    with pytest.raises(DeliveryRefused, match="changed while it was read"):
        land(lake.settings, "meters", Offer("a.csv", path, RECEIVED))
    assert [p for p in lake.settings.landing.rglob("*") if p.is_file()] == []


def test_discard(lake):
    landed = lake.land(lake.deliver("a.csv", b"hej"))
    discard(landed)
    discard(landed)
    assert not landed.path.exists()


def test_what_was_erased_leads_to_what_is_left_of_it(lake):
    """Twice over: first a line of it goes, then another, then all."""
    landed = lake.land(lake.deliver("a.csv", "1\n2\n3\n"))
    for left in ("\n2\n3\n", "\n\n3\n"):
        rest = lake.settings.home / "rest"
        rest.write_text(left)
        before = landing_zone.at_hand(lake.settings, "meters", landed.sha256)
        landing.erase(lake.settings, "meters", before.name, rest)
        now = landing_zone.at_hand(lake.settings, "meters", landed.sha256)
        assert (now.read_text(), landing.digest(now), before.exists()) == (left, now.name, False)
        assert landing_zone.is_erased(lake.settings, "meters", landed.sha256)
        assert landing.files(lake.settings, "meters") == [now]
    landing.erase(lake.settings, "meters", now.name, None)
    assert landing_zone.at_hand(lake.settings, "meters", landed.sha256) is None
    assert landing.files(lake.settings, "meters") == []
    with pytest.raises(landing.WasErased):
        lake.land(lake.deliver("again.csv", "1\n2\n3\n"))
    assert landing.files(lake.settings, "meters") == []


def test_bytes_are_not_erased_in_favour_of_themselves(lake):
    landed = lake.land(lake.deliver("a.csv", "1\n"))
    rest = lake.settings.home / "rest"
    rest.write_text("1\n")
    with pytest.raises(AssertionError):
        landing.erase(lake.settings, "meters", landed.sha256, rest)
    assert landed.path.read_text() == "1\n"
