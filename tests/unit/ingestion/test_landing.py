"""The landing zone: the same bytes once, plain files only, never half a file."""

from __future__ import annotations

import hashlib
import os
import shutil

import pytest

from ingestion import landing
from ingestion.deliveries import Offer
from ingestion.landing import address, digest, discard, land
from lakehouse.errors import DeliveryRefused
from tests.unit.ingestion.lake import RECEIVED


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


def test_file_and_folder_are_flushed_before_anything_reads_them(lake, monkeypatch):
    flushed: list[str] = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (flushed.append(os.readlink(f"/proc/self/fd/{fd}")), real(fd))
    )
    landed = lake.land(lake.deliver("a.csv", b"hej"))
    assert len(flushed) == 2
    assert flushed[0].startswith(str(landed.path))
    assert flushed[1] == str(landed.path.parent)


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
    sha256 = digest(path)
    real = shutil.copyfile

    def grow_first(source, target):
        source.write_bytes(b"half and the rest")
        return real(source, target)

    monkeypatch.setattr(landing.shutil, "copyfile", grow_first)
    with pytest.raises(DeliveryRefused, match="changed while it was read"):
        land(lake.settings, "meters", Offer("a.csv", path, RECEIVED), sha256)
    assert [p for p in lake.settings.landing.rglob("*") if p.is_file()] == []


def test_discard(lake):
    landed = lake.land(lake.deliver("a.csv", b"hej"))
    discard(landed)
    discard(landed)
    assert not landed.path.exists()
