"""C5: archives made to fill a disk, a memory or a day are refused before they do.

They are built without ever holding what they unpack to: a gzip may have many members, and the
entries of a zip may share their bytes.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from ingestion import archives
from ingestion.archives import unpack
from ingestion.formats import excel
from lakehouse.errors import DeliveryRefused, SourceUnavailable
from lakehouse.settings import PROJECT
from tests.unit.ingestion.lake import column

GIB = 1 << 30
ZEROS = bytes(64 << 20)
UNPACK = """
import json, sys, time
from datetime import UTC, datetime
from pathlib import Path
from ingestion.archives import unpack
from ingestion.deliveries import Landed, Offer
from lakehouse.errors import DeliveryRefused

path, scratch = map(Path, sys.argv[1:])
landed = Landed(Offer(path.name, path, datetime.now(UTC)), "0" * 64, path, path.stat().st_size)
begun = time.process_time()
try:
    said = f"taken: {len(unpack(landed, scratch))} files"
except DeliveryRefused as refusal:
    said = str(refusal)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps([said, time.process_time() - begun, int(status["VmHWM"].split()[0]) >> 10]))
"""
"""Unpacks in a process of its own; tells what was said, CPU seconds and the peak in MiB."""


@pytest.fixture
def refuse(tmp_path):
    """Unpack apart; what was said, once time, memory and disk have been held to the limits."""

    def unpacked(name: str, *parts: bytes, most_written: int) -> str:
        inbox, scratch = tmp_path / "inbox", tmp_path / "scratch"
        inbox.mkdir()
        with (inbox / name).open("wb") as file:
            file.writelines(parts)
        command = [sys.executable, "-c", UNPACK, str(inbox / name), str(scratch)]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
        said, seconds, peak = json.loads(done.stdout)
        assert seconds < 5
        assert peak < 500
        written = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != inbox]
        assert sum(path.stat().st_size for path in written) <= most_written
        assert all(path.is_relative_to(scratch) for path in written)
        assert {path.name for path in inbox.iterdir()} == {name}
        return said

    return unpacked


def zip_of_many(name: bytes, count: int, packed: bytes, size: int, crc: int) -> list[bytes]:
    """A zip whose entries are all the same bytes, in parts to be written one after the other.

    Source: APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.14 to 4.3.16.
    """
    method = 8 if packed else 0
    sizes = struct.pack("<HHHIIIHH", method, 0, 0, crc, len(packed), size, len(name), 0)
    local = b"PK\3\4" + struct.pack("<HH", 20, 0) + sizes + name + packed
    entry = b"PK\1\2" + struct.pack("<HHH", 20, 20, 0) + sizes + bytes(14) + name
    length = len(entry) * count
    end = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, length, len(local))
    where = struct.pack("<IIQI", 0x07064B50, 0, len(local) + length, 1)
    last = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
    return [local, *[entry * 1000] * (count // 1000), entry * (count % 1000), end, where, last]


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize("name", ["a.csv.gz", "a.tar.gz"])
def test_ten_gigabytes_in_a_gzip(refuse, name):
    member = gzip.compress(ZEROS, 9)
    parts = [member] * (10 * GIB // len(ZEROS))
    assert sum(map(len, parts)) * archives.MAX_RATIO > 1.5 * GIB  # the ratio of all would let it
    assert "a bomb" in refuse(name, *parts, most_written=GIB // 4)


def test_a_gzip_of_small_ratio_at_last_is_stopped_where_it_swells(refuse):
    """Bytes that do not pack at all, in front, do not buy what comes after them much."""
    noise = b"".join(zlib.crc32(b"%d" % n).to_bytes(4) for n in range(1 << 18))
    parts = [gzip.compress(noise), *[gzip.compress(ZEROS, 9)] * 160]
    assert "a bomb" in refuse("a.csv.gz", *parts, most_written=GIB // 2)


def test_ten_gigabytes_in_a_zip(refuse):
    """As entries that overlap, which need no more than one of them takes."""
    parts = zip_of_many(b"a.csv", 160, deflated(ZEROS), len(ZEROS), zlib.crc32(ZEROS))
    with io.BytesIO(b"".join(parts)) as whole, zipfile.ZipFile(whole) as archive:
        assert sum(one.file_size for one in archive.infolist()) >= 10 * GIB  # the control
        with archive.open("a.csv") as entry:
            assert entry.read(1 << 16) == ZEROS[: 1 << 16]
    assert "a bomb" in refuse("a.zip", *parts, most_written=0)


def test_a_zip_that_lies_about_its_sizes(lake):
    """What an entry unpacks to beyond what it says is never read, and its sum is then wrong."""
    packed = deflated(ZEROS)
    parts = zip_of_many(b"a.csv", 1, packed, 5, zlib.crc32(ZEROS))
    landed = lake.land(lake.deliver("a.zip", b"".join(parts)))
    with pytest.raises(DeliveryRefused, match="the archive is damaged: Bad CRC-32"):
        unpack(landed, lake.settings.home / "scratch")
    assert sum(p.stat().st_size for p in (lake.settings.home / "scratch").iterdir()) <= 5


def test_a_million_entries_in_a_zip(refuse):
    parts = zip_of_many(b"a.csv", 1_000_000, b"", 0, 0)
    assert "more than 100,000 files" in refuse("a.zip", *parts, most_written=0)


def test_a_million_parts_in_a_workbook(lake, monkeypatch):
    """They are counted before zipfile or openpyxl makes an object of each."""
    parts = zip_of_many(b"a.xml", 1_000_000, b"", 0, 0)
    path = lake.deliver("a.xlsx", b"".join(parts))
    for opens in (excel.zipfile, "ZipFile"), (openpyxl, "load_workbook"):
        monkeypatch.setattr(*opens, None)
    contract = lake.source(
        columns=[column("v", "active_power", "kW")],
        delivery={"protocol": "folder", "format": "excel", "device": {"constant": "m"},
                  "time": {"columns": ["t"], "zone": "UTC"}},
    )  # fmt: skip
    begun = time.process_time()
    with pytest.raises(DeliveryRefused, match="more than 10,000 parts"):
        lake.judged(contract, path)
    assert time.process_time() - begun < 5


def test_entries_are_counted_across_the_borders_of_chunks(lake, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 20)
    for count in (20, 21):
        parts = zip_of_many(b"a.csv", count, deflated(b"1"), 1, zlib.crc32(b"1"))
        landed = lake.land(lake.deliver(f"{count}.zip", b"".join(parts)))
        for chunk in (1, 2, 3, 7, 1 << 20):
            monkeypatch.setattr(archives, "_CHUNK", chunk)
            scratch = lake.settings.home / f"{count}-{chunk}"
            if count == 20:
                assert len(unpack(landed, scratch)) == 20
            else:
                with pytest.raises(DeliveryRefused, match="more than 20 files"):
                    unpack(landed, scratch)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE])
def test_many_entries_in_a_tar(lake, monkeypatch, kind):
    """Folders count too: reading a million of them takes as long."""
    monkeypatch.setattr(archives, "MAX_FILES", 50)
    entry = tarfile.TarInfo("a")
    entry.type = kind
    content = entry.tobuf() * 1000 + bytes(1024)
    landed = lake.land(lake.deliver("a.tar", content))
    with pytest.raises(DeliveryRefused, match="more than 50 files"):
        unpack(landed, lake.settings.home / "scratch")
    assert len(list((lake.settings.home / "scratch").iterdir())) <= 50


def test_a_sparse_file_in_a_tar(lake):
    """A header of 512 bytes may claim any number of zeros (GNU tar, old sparse format)."""
    entry = tarfile.TarInfo("a.csv")
    entry.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (10 * GIB - 1, 0)
    header[483:495] = b"\x80\0\0\0" + (10 * GIB).to_bytes(8)
    header[148:156] = b"%06o\0 " % tarfile.calc_chksums(header)[0]
    content = bytes(header) + bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert tar.getmembers()[0].size == 10 * GIB  # the control
    landed = lake.land(lake.deliver("a.tar", content))
    with pytest.raises(DeliveryRefused, match="a bomb"):
        unpack(landed, lake.settings.home / "scratch")
    assert sum(p.stat().st_size for p in (lake.settings.home / "scratch").iterdir()) <= 1 << 20


def test_an_archive_in_an_archive_is_a_file_that_is_no_data(lake):
    """It is never unpacked, whatever is in it; the format refuses its bytes."""
    bomb = b"".join(zip_of_many(b"a.csv", 160, deflated(ZEROS), len(ZEROS), zlib.crc32(ZEROS)))
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("inner.zip", bomb)
        archive.writestr("inner.csv.gz", gzip.compress(b"meter;time;kwh\n"))
    path = lake.deliver("a.zip", outer.getvalue())
    scratch = lake.settings.home / "scratch"
    found = {name: plain.read_bytes() for name, plain in unpack(lake.land(path), scratch)}
    assert found["inner.zip"] == bomb
    assert found["inner.csv.gz"][:2] == b"\x1f\x8b"
    outcome = lake.ingest(lake.source())
    assert [receipt.outcome for receipt in outcome.receipts] == ["refused"]
    assert lake.bronze() == []
    assert "columns of the contract are missing" in lake.quarantine()[0]["reason"]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.tar", "a.tgz", "a.zip"])
def test_an_archive_that_the_disk_does_not_give_is_not_called_damaged(lake, name):
    """Refused, it would be remembered; bytes that nobody has seen say nothing about it."""
    landed = lake.land(lake.deliver(name, b"x"))
    with pytest.raises(SourceUnavailable, match=r"Errno 5.*next run"):
        unpack(replace(landed, path=Path("/proc/self/mem")), lake.settings.home / "scratch")
    with pytest.raises(DeliveryRefused, match="damaged"):  # the control
        unpack(landed, lake.settings.home / "scratch")
