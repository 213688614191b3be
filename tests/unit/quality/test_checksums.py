"""Numbers of persons are found in every way of writing, and none with another check digit."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.disclosure.checksums import check_digit, dated_as, has_luhn, is_imei, person
from quality.disclosure.scanning import _MAYBE
from quality.disclosure.texts import finds
from tests.unit.quality.identities import DAYS, IMEI, person_digits, written

NUMBERS = st.integers(980, 999)
BEFORE = st.sampled_from(["", "pnr ", "Född (", "nr:", "id_", "Kund, "])
AFTER = st.sampled_from(["", ".", ")", " ringde", ", lgh", ";"])


def kinds(text):
    return {find.kind for find in finds(text) if find.is_right}


@given(DAYS, NUMBERS, st.booleans(), BEFORE, AFTER)
def test_every_number_is_found_in_all_ways_of_writing(born, number, coordination, before, after):
    digits = person_digits(born, number, coordination=coordination)
    kind = "samordningsnummer" if coordination else "personnummer"
    assert person(digits) == person(digits[2:]) == kind
    for way in written(digits):
        assert kind in kinds(before + way + after), way


@given(DAYS, NUMBERS, st.booleans(), st.integers(1, 9), BEFORE)
def test_another_check_digit_is_no_number(born, number, coordination, added, before):
    digits = person_digits(born, number, coordination=coordination)
    wrong = digits[:-1] + str((int(digits[-1]) + added) % 10)
    assert person(wrong) is None
    for way in written(wrong):
        assert not kinds(before + way) & {"personnummer", "samordningsnummer"}, way


@given(st.text("0123456789", min_size=1, max_size=20), st.integers(1, 9))
def test_one_digit_is_the_check_digit_and_no_other(digits, added):
    last = check_digit(digits)
    assert has_luhn(digits + last)
    assert not has_luhn(digits + str((int(last) + added) % 10))


@given(st.integers(20, 99), st.text("0123456789", min_size=6, max_size=6), st.integers(1, 9))
def test_an_organisation_is_nobody(middle, rest, first):
    digits = f"{first}{0}{middle}{rest[:5]}"
    digits += check_digit(digits)
    assert has_luhn(digits)
    assert dated_as(digits) is None
    assert not kinds(f"{digits[:6]}-{digits[6:]}") & {"personnummer", "samordningsnummer"}


@pytest.mark.parametrize(
    ("digits", "is_date"),
    [
        ("0002290017", True),  # 2000 was a leap year
        ("19000229" + "0017", False),
        ("9902290017", False),
        ("9901320017", False),
        ("9901910017", True),  # a samordningsnummer of the 31st
        ("9901920017", False),
        ("9901600017", False),  # of no day
        ("9900010017", False),
        ("990101" + "0003", False),  # numbers of a day are 001 to 999
        ("17990101" + "0017", False),
        ("21000101" + "0017", False),
        ("99010100", False),
    ],
)
def test_only_dates_begin_a_number(digits, is_date):
    assert (dated_as(digits) is not None) is is_date


def test_the_luhn_example_of_skatteverket():
    """SKV 707: a man born on 3 October 1970 with the number 239."""
    assert check_digit("701063239") == "1"


def test_a_device_has_its_check_digit_and_a_known_beginning():
    assert is_imei(IMEI)
    assert not is_imei(IMEI[:-1] + str((int(IMEI[-1]) + 1) % 10))
    unknown = "77" + IMEI[2:-1]
    assert not is_imei(unknown + check_digit(unknown))


TEXTS = st.one_of(
    st.builds(
        lambda born, way, before, after: before + written(person_digits(born))[way] + after,
        DAYS, st.integers(0, 7), BEFORE, AFTER,
    ),
    st.from_regex(
        r"(?:(?:\+46|0046) ?7[02369]|\(?0(?:8|70|31|520)\)?[ -])[0-9]{2,3} ?[0-9]{2,3} [0-9]{2}",
        fullmatch=True, alphabet=st.characters(codec="ascii"),
    ),
    st.from_regex(r"(?:Bil |)[A-Za-z]{3}[ -]?[0-9]{2}[0-9A-Z]", fullmatch=True,
                  alphabet=st.characters(codec="ascii")),
    st.from_regex(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}|[0-9a-f]{4}(?:[.:][0-9a-f]{0,4}){2,7}",
                  fullmatch=True, alphabet=st.characters(codec="ascii")),
    st.from_regex(r"[A-Z][a-z]{2,9}(?:gatan|vägen|gata) [0-9]{1,3}(?:, lgh [0-9]{4}|)",
                  fullmatch=True),
    st.from_regex(r"[A-Z][a-z]{2,5} [A-Z][a-z]{2,5} [0-9]{1,3}:[0-9]{1,4}", fullmatch=True),
    st.from_regex(r"[a-z.]{1,9}@[a-z]{1,9}\.(?:se|example)", fullmatch=True),
    st.text(max_size=60),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_what_is_found_in_a_text_is_let_through_by_the_query(text):
    if kinds(text):
        asked = "select regexp_matches(?, ?)"
        assert duckdb.execute(asked, [text.replace("\0", " "), _MAYBE]).fetchone() == (True,)


def test_dates_are_dates():
    assert person_digits(date(1970, 10, 3), 239, coordination=True)[2:] == "7010632391"
