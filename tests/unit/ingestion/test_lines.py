"""Text as numbered lines: every byte is kept, or its row is marked."""

from __future__ import annotations

import pytest

from ingestion.deliveries import Member
from ingestion.reading import lines
from lakehouse.duck import connect
from lakehouse.errors import DeliveryRefused


@pytest.fixture
def load(lake):
    def loaded(content: bytes, encoding: str = "utf-8", **options) -> list[tuple[int, str]]:
        landed = lake.land(lake.deliver("a.txt", content))
        with connect() as connection:
            lines.load(connection, [Member(3, landed, None, landed.path)], encoding, **options)
            rows = connection.execute("select _file, _row, _raw from lines order by 2").fetchall()
        assert {number for number, _, _ in rows} <= {3}
        assert landed.path.read_bytes() == content
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


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "utf-16", "ISO-8859-1"])
def test_swedish_letters(load, encoding):
    assert load("Mätstation;åäö ÅÄÖ é\n".encode(encoding), encoding) == [
        (1, "Mätstation;åäö ÅÄÖ é")
    ]


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


def test_quotes_are_text(load):
    assert load(b'"a\n"b"";c\n') == [(1, '"a'), (2, '"b"";c')]


def test_no_lines(load):
    assert load(b"\xef\xbb\xbf") == []
    assert load(b"\n\n") == []


def test_unknown_encoding(load):
    with pytest.raises(DeliveryRefused, match=r"'latin-99' is no known encoding.*csv\.encoding"):
        load(b"a", "latin-99")


def test_line_without_end(load):
    with pytest.raises(DeliveryRefused, match="the text cannot be read"):
        load(b"x" * (33 << 20) + b"\ny\n")


def test_head(lake):
    landed = lake.land(lake.deliver("a.txt", "\ufeffNamn\r\nÅr\nx".encode()))
    member = Member(0, landed, None, landed.path)
    assert lines.head(member, "utf-8", 2) == ["Namn", "År"]
    assert lines.head(member, "utf-8", 9) == ["Namn", "År", "x"]
