"""Archives are verified to their last byte; what cannot be trusted is refused whole."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
from itertools import count
from pathlib import Path

import duckdb
import pytest

from ingestion.archives import unpack
from lakehouse.errors import DeliveryRefused

ROWS = 200_000
PLAIN = b"n;value\n" + b"".join(b"%d;%d\n" % (n, (n * 7919) % 100_003) for n in range(ROWS))


@pytest.fixture(scope="session")
def packed() -> bytes:
    return gzip.compress(PLAIN, 6, mtime=0)


@pytest.fixture
def refuse(lake):
    """Unpack a delivery that must be refused, and see that nothing was written elsewhere."""

    numbers = count()

    def unpacked(name: str, content: bytes) -> str:
        landed = lake.land(lake.deliver(name, content))
        scratch = lake.settings.home / "scratch" / str(next(numbers))
        before = everything(lake.settings.home.parent) - {scratch.parent}
        with pytest.raises(DeliveryRefused) as caught:
            unpack(landed, scratch)
        after = everything(lake.settings.home.parent) - {scratch.parent}
        assert {path for path in after if not path.is_relative_to(scratch)} == before
        assert name in str(caught.value)
        assert "Ask the supplier to deliver it again" in str(caught.value)
        return str(caught.value)

    return unpacked


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def unpack_new(lake, name: str, content: bytes) -> dict[str | None, bytes]:
    landed = lake.land(lake.deliver(name, content))
    return {n: p.read_bytes() for n, p in unpack(landed, lake.settings.home / "scratch")}


def duckdb_rows(lake, content: bytes) -> int:
    path = lake.deliver("alone.csv.gz", content)
    query = "select count(*) from read_csv(?, delim=';', header=true, columns={n: 'int', v: 'int'})"
    return duckdb.connect().execute(query, [str(path)]).fetchall()[0][0]


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def test_sound_gzip(lake, packed):
    assert unpack_new(lake, "a.csv.gz", packed) == {None: PLAIN}


def test_two_members_are_one_file(lake):
    both = gzip.compress(b"a\n") + gzip.compress(b"b\n")
    assert unpack_new(lake, "a.csv.gz", both) == {None: b"a\nb\n"}


def test_truncated_gzip(refuse, packed):
    assert "the archive is damaged" in refuse("a.csv.gz", packed[: len(packed) // 2])


def test_cut_trailer(refuse, packed):
    assert "the archive is damaged" in refuse("a.csv.gz", packed[:-8])


def test_wrong_crc(refuse, packed):
    assert "CRC" in refuse("a.csv.gz", packed[:-8] + b"\0\0\0\0" + packed[-4:])


def test_duckdb_alone_reads_them_all_the_same(lake, packed):
    """The control: this is what would land if DuckDB saw the archives."""
    assert 0 < duckdb_rows(lake, packed[: len(packed) // 2]) < ROWS
    assert duckdb_rows(lake, packed[:-8]) == ROWS
    assert duckdb_rows(lake, packed[:-8] + b"\0\0\0\0" + packed[-4:]) == ROWS


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bit(refuse, packed, seed):
    rng = random.Random(seed)  # noqa: S311
    broken = bytearray(packed)
    broken[rng.randrange(10, len(packed))] ^= 1 << rng.randrange(8)
    assert "the archive is damaged" in refuse("a.csv.gz", bytes(broken))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.zip", "a.tar", "a.tar.gz"])
def test_no_bytes(refuse, name):
    assert "the delivery is empty (0 bytes)" in refuse(name, b"")


def test_gzip_of_nothing(refuse):
    assert "holds nothing" in refuse("a.csv.gz", gzip.compress(b""))


def test_page_of_errors_under_the_name_of_an_archive(refuse):
    for name in ("a.csv.gz", "a.zip", "a.tar.gz", "a.tar"):
        assert "the archive is damaged" in refuse(name, b"<html>503 Service Unavailable</html>")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.zip", "a.tar.gz"])
def test_bomb_is_stopped_while_it_unpacks(lake, refuse, name):
    zeros = bytes(64 << 20)
    bomb = {
        "a.csv.gz": lambda: gzip.compress(zeros, 9),
        "a.zip": lambda: zip_of({"a.csv": zeros}),
        "a.tar.gz": lambda: gzip.compress(tar_of({"a.csv": zeros}), 9),
    }[name]()
    assert len(bomb) * 200 < len(zeros)
    assert "a bomb" in refuse(name, bomb)
    written = sum(
        p.stat().st_size for p in (lake.settings.home / "scratch").rglob("*") if p.is_file()
    )
    assert written < len(zeros) / 2


def test_bomb_of_many_files(refuse):
    files = {f"{number}.csv": bytes(4 << 20) for number in range(16)}
    assert "a bomb" in refuse("a.zip", zip_of(files))


def test_sound_zip_keeps_names_and_order(lake):
    files = {"b/2.csv": b"two", "a.csv": b"one"}
    assert list(unpack_new(lake, "a.zip", zip_of(files)).items()) == list(files.items())


def test_zip_with_a_bad_crc(refuse):
    content = bytearray(zip_of({"a.csv": b"12345"}, zipfile.ZIP_STORED))
    content[content.index(b"12345")] ^= 1
    assert "Bad CRC-32" in refuse("a.zip", bytes(content))


def test_cut_zip(refuse):
    assert "the archive is damaged" in refuse("a.zip", zip_of({"a.csv": PLAIN[:9000]})[:-30])


def test_encrypted_zip(refuse):
    content = bytearray(zip_of({"a.csv": b"12345"}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    assert "encrypted" in refuse("a.zip", bytes(content))


def test_zip_without_files(refuse):
    assert "holds no files" in refuse("a.zip", zip_of({}))


def test_link_in_a_zip(refuse):
    entry = zipfile.ZipInfo("a.csv")
    entry.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert "'a.csv' in the archive is a link" in refuse("a.zip", buffer.getvalue())


@pytest.mark.parametrize("inside", ["../x.csv", "a/../../x.csv", "/tmp/x.csv"])  # noqa: S108
def test_paths_that_lead_out(refuse, inside):
    files = {"good.csv": b"1", inside: b"2"}
    assert "leads out of it" in refuse("a.zip", zip_of(files))
    assert "leads out of it" in refuse("a.tar", tar_of(files))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar(refuse, kind):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("a.csv")
        entry.type, entry.linkname = kind, "/etc/passwd"
        tar.addfile(entry)
    assert "is a link or a device" in refuse("a.tar", buffer.getvalue())


def test_sound_tars(lake):
    files = {"å.csv": b"x" * 700, "b.csv": b"", "c.csv": b"3"}
    assert unpack_new(lake, "a.tar", tar_of(files)) == files


@pytest.mark.parametrize("suffix", ["tar.gz", "tgz"])
def test_sound_packed_tars(lake, suffix):
    assert unpack_new(lake, f"A.{suffix.upper()}", tar_of({"a.csv": b"1"}, "w:gz")) == {
        "a.csv": b"1"
    }


def test_tar_cut_between_two_files(refuse):
    """tarfile itself takes the cut for the end of the archive."""
    whole = tar_of({"a.csv": b"1" * 512, "b.csv": b"2" * 512})
    cut = whole[:1024]
    with tarfile.open(fileobj=io.BytesIO(cut)) as tar:
        assert tar.getnames() == ["a.csv"]  # the control
    assert "the archive is cut" in refuse("a.tar", cut)


def test_tar_cut_inside_a_file(refuse):
    assert "the archive is damaged" in refuse("a.tar", tar_of({"a.csv": b"1" * 5000})[:2000])


def test_tar_with_a_broken_entry(refuse):
    broken = bytearray(tar_of({"a.csv": b"1" * 512, "b.csv": b"2" * 512}))
    broken[1024] ^= 1
    with tarfile.open(fileobj=io.BytesIO(bytes(broken))) as tar:
        assert tar.getnames() == ["a.csv"]  # the control
    assert "an entry in it cannot be read" in refuse("a.tar", bytes(broken))


def test_real_year_of_day_files(lake, real_data):
    path = real_data / "iot" / "sensor-community-year" / "15092.tar.gz"
    files = unpack_new(lake, path.name, path.read_bytes())
    assert len(files) == 321
    assert sum(content.count(b"\n") for content in files.values()) >= 178_326
