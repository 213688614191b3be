"""Tampering with whole, signed logs of any shape: the first broken line is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.audit_log import entries, sign_heads, verify
from lakehouse.audit_log.lines import Entry, read, written
from lakehouse.settings import Settings
from tests.unit.lakehouse.days_of_log import PRODUCT, START, files_of, found, lake_at, write


@pytest.fixture
def settings(tmp_path) -> Settings:
    return lake_at(tmp_path / "home")


@contextmanager
def logs(sizes: list[int]) -> Iterator[Settings]:
    """A log with so many lines on each of its days, all of them signed."""
    with TemporaryDirectory() as folder:
        settings = lake_at(Path(folder))
        for day, size in enumerate(sizes):
            for number in range(size):
                write(settings, day, number, rows=number * 7, text=f"å{day}")
        sign_heads(settings, START + timedelta(days=len(sizes)))
        assert verify(settings).is_whole
        yield settings


shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3)
Book = dict[Path, list[bytes]]


def opened(settings: Settings) -> tuple[Book, list[tuple[Path, int]]]:
    """The lines of each file, and where each line of the log stands (from 0)."""
    book = {path: path.read_bytes().splitlines(keepends=True) for path in files_of(settings)}
    return book, [(path, at) for path, lines in book.items() for at in range(len(lines))]


def closed(book: Book) -> None:
    for path, lines in book.items():
        path.write_bytes(b"".join(lines))


@given(sizes=shapes, data=st.data())
def test_deleted_lines_are_found(sizes, data):
    with logs(sizes) as settings:
        book, places = opened(settings)
        path, at = data.draw(st.sampled_from(places))
        many = data.draw(st.integers(1, len(book[path]) - at))
        is_end = at + many == len(book[path])
        del book[path][at : at + many]
        closed(book)
        assert found(settings) == (path.name, at + 1, "truncated" if is_end else "deleted")


@given(sizes=shapes, data=st.data())
def test_deleted_files_are_found(sizes, data):
    with logs(sizes) as settings:
        path = data.draw(st.sampled_from(files_of(settings)))
        path.unlink()
        assert found(settings) == (path.name, 1, "deleted")


@given(sizes=shapes, data=st.data())
def test_altered_bytes_are_found(sizes, data):
    with logs(sizes) as settings:
        path = data.draw(st.sampled_from(files_of(settings)))
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        line = content.count(b"\n", 0, at) + 1
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        assert found(settings) == (path.name, line, "altered")


@given(sizes=shapes, data=st.data())
def test_altered_fields_are_found(sizes, data):
    """Lines that are still well written, by somebody who knows how."""
    with logs(sizes) as settings:
        book, places = opened(settings)
        path, at = data.draw(st.sampled_from(places))
        value = json.loads(book[path][at])
        field, other = data.draw(
            st.sampled_from(
                [("number", 99), ("actor", "else"), ("previous", "f" * 64), ("outcome", "failed"),
                 ("at", "2026-03-01T00:00:00.000000+00:00"), ("details", {"rows": -1})]
            )
        )  # fmt: skip
        book[path][at] = written(Entry(**{**value, field: other}))
        closed(book)
        assert found(settings) == (path.name, at + 1, "altered")


@given(sizes=shapes.filter(lambda sizes: sum(sizes) > 1), data=st.data())
def test_swapped_lines_are_found(sizes, data):
    with logs(sizes) as settings:
        book, places = opened(settings)
        picked = st.lists(st.integers(0, len(places) - 1), min_size=2, max_size=2, unique=True)
        one, other = (places[number] for number in sorted(data.draw(picked)))
        book[one[0]][one[1]], book[other[0]][other[1]] = (
            book[other[0]][other[1]],
            book[one[0]][one[1]],
        )
        closed(book)
        assert found(settings) == (one[0].name, one[1] + 1, "reordered")


@given(sizes=shapes, data=st.data())
def test_inserted_lines_are_found(sizes, data):
    with logs(sizes) as settings:
        book, places = opened(settings)
        path = data.draw(st.sampled_from(files_of(settings)))
        at = data.draw(st.integers(0, len(book[path])))
        kind = data.draw(st.sampled_from(["copy", "forged", "noise"]))
        line = at + 1
        if kind == "copy":
            origin = data.draw(st.sampled_from(places))
            new = book[origin[0]][origin[1]]
            line += origin == (path, at)  # two equal lines: the second is one too many
        elif kind == "noise":
            new = b"noise\n"
        else:
            new = forged(book, path, at)
        book[path].insert(at, new)
        closed(book)
        assert found(settings) == (path.name, line, "inserted")


def forged(book: Book, path: Path, at: int) -> bytes:
    """A line that fits after the one before, which anyone can write."""
    before = [line for one, lines in book.items() if one < path for line in lines]
    before += book[path][:at]
    last = read(before[-1].removesuffix(b"\n")) if before else None
    number = last.number + 1 if last else 1
    digest = hashlib.sha256(before[-1][:-1]).hexdigest() if before else "0" * 64
    now = "2026-03-01T22:00:00.000000+00:00"
    return written(Entry(number, now, "nightly", "read", PRODUCT, "done", {}, digest))


@given(sizes=shapes, data=st.data())
def test_a_signed_day_that_is_cut_is_found(sizes, data):
    with logs(sizes) as settings:
        path = data.draw(st.sampled_from(files_of(settings)))
        content = path.read_bytes()
        cut = data.draw(st.integers(0, len(content) - 1))
        path.write_bytes(content[:cut])
        assert found(settings) == (path.name, content.count(b"\n", 0, cut) + 1, "truncated")


def test_a_line_that_lost_its_end_and_all_that_followed_is_named_itself(settings):
    write(settings, 0)
    write(settings, 0)
    sign_heads(settings, START + timedelta(days=1))
    (path,) = files_of(settings)
    path.write_bytes(path.read_bytes().split(b"\n")[0])
    assert found(settings) == (path.name, 1, "truncated")


def test_the_first_of_several_is_named(settings):
    for number in range(6):
        write(settings, number // 3, number)
    book, places = opened(settings)
    (first, _), (last, _) = places[0], places[-1]
    book[first][1] = book[first][1].replace(b"nightly", b"daily")
    del book[last][0]
    closed(book)
    assert found(settings) == (first.name, 2, "altered")


def test_an_empty_log_is_whole(settings):
    assert verify(settings).is_whole
    assert list(entries(settings)) == []
    assert not settings.home.exists()
