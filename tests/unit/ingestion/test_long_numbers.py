"""Decimal numbers with more digits than a double: found in bytes, and kept as text in JSON."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.reading import long_numbers


def is_long(number: str) -> bool:
    """The rule in other words: over 17 digits from the first that is no zero, and no integer."""
    digits = re.split("[eE]", number)[0]
    whole = digits.replace(".", "").lstrip("0")
    return ("." in digits or digits != number) and len(whole) > 17


numbers = st.builds(
    lambda whole, part, power: whole + part + power,
    st.text("0123456789", min_size=1, max_size=24),
    st.one_of(st.just(""), st.text("0123456789", min_size=1, max_size=24).map(".".__add__)),
    st.sampled_from(["", "", "e5", "E-12"]),
)


@given(before=st.text('abc:" ,', max_size=20), number=numbers, chunk=st.integers(64, 100))
def test_any_long_number_is_found_wherever_it_stands(tmp_path_factory, before, number, chunk):
    path = tmp_path_factory.getbasetemp() / "number.json"
    path.write_text(f"{before}x{number}, {number}", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_numbers, "_CHUNK", chunk)
        found = long_numbers.are_in(path)
    if is_long(number):
        assert found
    elif "." in number and len(number) < 24:
        assert not found


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_that_a_double_was_written_as_are_none(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "floats.json"
    path.write_text(json.dumps({"at": "2026-10-19T10:00:00.123456789Z", "v": values}))
    assert not long_numbers.are_in(path)
    path.write_text(json.dumps([f"{value:.17g}" for value in values]).replace('"', ""))
    assert not long_numbers.are_in(path)


@pytest.mark.parametrize(
    ("json_text", "expected"),
    [
        ('{"a": 0.30000000000000004, "b": [1.5e300]}', None),
        ('{"a": 12345678901234567890123, "t": "1.23456789012345678901"}', None),
        ('{"1.23456789012345678901": 0.0000000000000000000001}', None),
        ('{"a": -1.23456789012345678901e-5}', '{"a": "-1.23456789012345678901e-5"}'),
        ('["\\\\", 1.23456789012345678901]', '["\\\\", "1.23456789012345678901"]'),
        ('["å\\"", 123456789012345678E2]', '["å\\"", "123456789012345678E2"]'),
    ],
)
def test_only_they_are_put_in_quotes(json_text, expected):
    assert long_numbers.quoted(json_text) == (expected or json_text)
