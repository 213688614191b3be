"""Text as numbered lines: every byte is kept, or its row is marked."""

from __future__ import annotations

import errno
import re
from dataclasses import replace
from pathlib import Path
from unicodedata import category
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.deliveries import Member
from ingestion.reading import lines
from lakehouse.duck import connect
from lakehouse.errors import DeliveryRefused, SourceUnavailable
from tests.unit.ingestion.lake import CSV, new_lake

ENCODINGS = (
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "mac-roman",
    "cp850", "shift_jis", "gb18030", "utf-7",
)  # fmt: skip


@pytest.fixture
def load(lake):
    def loaded(content: bytes, encoding: str = "utf-8", **options) -> list[tuple[int, str]]:
        landed = lake.land(lake.deliver("a.txt", content))
        with connect() as connection:
            lines.load(connection, [Member(3, landed, None, landed.path)], encoding, **options)
            rows = connection.execute("select _file, _row, _raw from lines order by 2").fetchall()
        assert {number for number, _, _ in rows} <= {3}
        assert landed.path.read_bytes() == content
        assert list(landed.path.parent.iterdir()) == [landed.path]
        return [row[1:] for row in rows]

    return loaded


def test_lines_keep_their_numbers(load):
    assert load(b"head\n\none\n   \ntwo") == [(1, "head"), (3, "one"), (5, "two")]
    assert load(b"head\none\n", skip=1) == [(2, "one")]


def test_names_that_look_like_patterns(lake, tmp_path):
    landed = lake.land(lake.deliver("a.txt", "x"))
    names = ("a*.txt", "ab.txt", "a[b].txt", "a?.txt")
    for name in names:
        (tmp_path / name).write_text(f"{name}\n\n\u00a0\nsecond")
    members = [Member(n, landed, None, tmp_path / name) for n, name in enumerate(names)]
    with connect() as connection:
        lines.load(connection, [*members, Member(9, landed, None, members[1].path)], "utf-8")
        found = connection.execute("from lines order by _file, _row").fetchall()
    expected = [
        (n, row, text) for n, name in enumerate(names) for row, text in ((1, name), (4, "second"))
    ]
    assert found == [*expected, (9, 1, "ab.txt"), (9, 4, "second")]


def test_line_ends_of_every_kind(load):
    assert load(b"a\r\nb\nc\rd\r\n") == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


def test_byte_order_mark_is_no_text(load):
    assert load("å;1\nä;2".encode("utf-8-sig")) == [(1, "å;1"), (2, "ä;2")]


@pytest.mark.parametrize("encoding", [*ENCODINGS, "ISO-8859-1"])
def test_swedish_letters(load, encoding):
    text = "Mätstation;åäö ÅÄÖ é" if encoding != "shift_jis" else "温度;1"
    assert load(f"{text}\n".encode(encoding), encoding) == [(1, text)]


def test_latin_1_read_as_utf_8_would_be_marked(load):
    """The control for the test above."""
    ((_, line),) = load("åäö\n".encode("latin-1"))
    assert line == lines.UNREADABLE * 3


def test_bytes_that_are_no_text_mark_only_their_line(load):
    assert load(b"good;1\nb\xffd;2\ngood;3\n") == [
        (1, "good;1"),
        (2, f"b{lines.UNREADABLE}d;2"),
        (3, "good;3"),
    ]


def test_nul_and_separators_mark_their_line(load):
    found = load(b"a\x00b\nc\x1fd\ne\n")
    assert found == [(1, "a�b"), (2, "c�d"), (3, "e")]


def test_letter_on_the_border_of_two_chunks(load):
    content = b"x" * ((1 << 20) - 1) + "ö\nå\n".encode()
    assert [line[-1] for _, line in load(content)] == ["ö", "å"]


def plainly(content: bytes, encoding: str) -> list[tuple[int, str]]:
    """The lines of a text, read whole by Python alone."""
    text = content.decode(encoding, errors="replace").replace("\ufeff", "")
    for sign in "\x00\x1f":
        text = text.replace(sign, lines.UNREADABLE)
    found = enumerate(re.split(r"\r\n|\r|\n", text), start=1)
    return [(number, line) for number, line in found if any(category(s)[0] != "Z" for s in line)]


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    """Read a text in pieces of a few bytes; a block holds 64, so that borders fall everywhere."""
    lake = new_lake(tmp_path_factory.mktemp("pieces"))
    path = lake.deliver("a.txt", "x")
    landed = lake.land(path)
    with connect(extensions=()) as connection:

        def read(content: bytes, encoding: str, size: int) -> list[tuple[int, str]]:
            path.write_bytes(content)
            sizes = {"_CHUNK": size, "_LONGEST_LINE": 64, "_SMALL": -1}
            with patch.multiple(lines, **sizes):
                lines.load(connection, [Member(0, landed, None, path)], encoding)
            rows = connection.execute("select _row, _raw from lines order by 1").fetchall()
            connection.execute("drop table lines")
            return rows

        yield read


TEXTS = st.lists(
    st.text('aö€温😀;\x00\x1f\ufeff"', max_size=9).flatmap(
        lambda line: st.sampled_from([f"{line}{end}" for end in ("\n", "\r", "\r\n", "\n\r")])
    ),
    max_size=30,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, encoding=st.sampled_from(ENCODINGS), size=st.integers(1, 70))
def test_borders_of_pieces_change_nothing(pieces, text, encoding, size):
    content = text.encode(encoding, errors="ignore")
    assert pieces(content, encoding, size) == plainly(content, encoding)


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(st.one_of(st.binary(max_size=6), st.sampled_from([b"\r", b"\n"])), max_size=40),
    encoding=st.sampled_from(["utf-8", "latin-1", "cp1252", "mac-roman"]),
    size=st.integers(1, 70),
)
def test_any_bytes_in_pieces(pieces, parts, encoding, size):
    content = b"\n".join(parts)
    assert pieces(content, encoding, size) == plainly(content, encoding)


def test_line_end_on_the_border_of_two_blocks(load):
    full = b"x" * ((1 << 20) - 1)
    content = (full + b"\n") * 15 + full + b"\r" + "\nå\r\n\r".encode("latin-1") + b"last"
    found = load(content, "latin-1")
    assert [number for number, _ in found] == [*range(1, 18), 19]
    assert [line for _, line in found[15:]] == [full.decode(), "å", "last"]


def test_byte_order_marks_before_text(load):
    assert load(b"\xef\xbb\xbf" * 5000 + b"a\n") == [(1, "a")]
    assert load(b"\xef\xbb\xbf" * 5000) == []


def test_landing_zone_holds_the_delivered_bytes_alone(lake):
    csv = {"delimiter": ";", "encoding": "latin-1"}
    contract = lake.source(delivery=CSV | {"csv": csv})
    content = "meter;time;kwh\nMätare å;2026-10-19T10:00:00Z;1.5\n".encode("latin-1")
    lake.deliver("a.csv", content)
    lake.ingest(contract)
    assert [row["device"] for row in lake.bronze()] == ["Mätare å"]
    landed = [path for path in (lake.settings.home / "landing").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in landed] == [content]
    assert [path.name for path in lake.inbox.rglob("*") if path.is_file()] == ["a.csv"]


def test_quotes_are_text(load):
    assert load(b'"a\n"b"";c\n') == [(1, '"a'), (2, '"b"";c')]


def test_no_lines(load):
    assert load(b"\xef\xbb\xbf") == []
    assert load(b"\n\n") == []


def test_unknown_encoding(load):
    with pytest.raises(DeliveryRefused, match=r"'latin-99' is no known encoding.*csv\.encoding"):
        load(b"a", "latin-99")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_line_that_is_nearly_too_long(load, encoding):
    content = b"a\n" + b"x" * (15 << 20) + b"\ny\n"
    assert [(row, len(line)) for row, line in load(content, encoding)] == [
        (1, 1), (2, 15 << 20), (3, 1)
    ]  # fmt: skip


def test_line_without_end(load):
    with pytest.raises(DeliveryRefused, match="the text cannot be read"):
        load(b"x" * (33 << 20) + b"\ny\n")


NEVER_READ = Path("/proc/self/mem")
"""A file whose every read is an input/output error."""


def test_a_disk_that_fails_is_no_fault_of_the_delivery(lake, monkeypatch):
    """At the first byte, and in the middle: nothing is refused, and the next run takes it."""
    landed = replace(lake.land(lake.deliver("a.txt", b"a")), path=NEVER_READ)
    with connect() as connection, pytest.raises(SourceUnavailable, match=r"Errno 5.*next run"):
        lines.load(connection, [Member(0, landed, None, NEVER_READ)], "utf-8")
    contract = lake.source(delivery=CSV | {"csv": {"delimiter": ";", "encoding": "latin-1"}})
    (lake.inbox / "meters" / "a.txt").unlink()
    rows = "".join(f"m{n};2026-10-19T10:00:00;1\n" for n in range(3))
    lake.deliver("a.csv", f"meter;time;kwh\n{rows}")
    real = lines._marked

    def failing(text: str) -> bytes:
        if text:
            return real(text)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as fault:
        fault.setattr(lines, "_marked", failing)
        with pytest.raises(SourceUnavailable, match="Errno 5"):
            lake.ingest(contract)
    assert (lake.quarantine(), lake.ledger()) == ([], [])
    assert lake.ingest(contract).ledger.landed == 3


def test_head(lake):
    landed = lake.land(lake.deliver("a.txt", "\ufeffNamn\r\nÅr\nx".encode()))
    member = Member(0, landed, None, landed.path)
    assert lines.head(member, "utf-8", 2) == ["Namn", "År"]
    assert lines.head(member, "utf-8", 9) == ["Namn", "År", "x"]
