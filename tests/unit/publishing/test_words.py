"""Numbers, sizes and times for people, and texts made safe to show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publishing import words


def test_numbers_and_sizes_follow_the_language():
    assert words.number(1234567, "sv") == "1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567"
    assert words.number(1234567, "en") == "1,234,567"
    assert words.size(999, "sv") == "999\N{NO-BREAK SPACE}byte"
    assert words.size(1500, "sv") == "1,5\N{NO-BREAK SPACE}kB"
    assert words.size(26_500_000, "en") == "26.5\N{NO-BREAK SPACE}MB"
    assert words.size(5 * 10**12, "en") == "5000\N{NO-BREAK SPACE}GB"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T07:00:00Z", "2026-11-23 07:00 UTC"),
        ("2026-11-23T08:00:00+01:00", "2026-11-23 07:00 UTC"),
        ("2026-11-23", "2026-11-23"),
        ("someday, perhaps", "someday, perhaps"),
    ],
)
def test_moments_are_told_in_utc(text, expected):
    assert words.moment(text) == expected


@given(st.text())
def test_plain_texts_are_one_visible_line(text):
    assert len(words.plain(text).splitlines()) <= 1
    assert "\u200b" not in words.plain(text)
    assert words.plain(words.plain(text)) == words.plain(text)
    assert len(words.plain(text, 5)) <= 5


def test_what_hides_or_reorders_text_is_taken_out():
    assert words.plain("a\u200bb\u202ec\x1b[31m\x00\u2028d\ne") == "abc[31m d e"
    assert words.plain("Södermalm, Stockholm – 17 °C µg/m³") == "Södermalm, Stockholm – 17 °C µg/m³"
