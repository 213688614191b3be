"""The closed vocabulary: keys, units and their conversion."""

from __future__ import annotations

import csv
from functools import cache

import pytest
import ucumvert
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.contracts.vocabulary import AGGREGATIONS, COLUMNS, KEYS, load_vocabulary
from lakehouse.errors import ContractError
from lakehouse.settings import PROJECT

FOLDERS = (PROJECT / "contracts", PROJECT / "examples" / "open_data")
UNITS = load_vocabulary(PROJECT / "contracts").units
NUMBERS = st.floats(min_value=-1e6, max_value=1e6)


def canonical(code: str, value: float) -> float:
    """What the lake makes of a value."""
    return value * float(UNITS[code]["factor"]) + float(UNITS[code]["offset"])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
@pytest.mark.parametrize("name", KEYS)
def test_every_row_has_a_key_of_its_own(folder, name):
    path = folder / "vocabulary" / f"{name}.csv"
    if not path.is_file():
        path = PROJECT / "contracts" / "vocabulary" / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {len(row) for row in rows} == {len(COLUMNS[name])}
    assert list(load_vocabulary(folder).rows(name)) == rows


@pytest.mark.parametrize("code", UNITS)
def test_canonical_unit_of_every_unit(code):
    canonical_unit = UNITS[UNITS[code]["canonical_unit"]]
    assert canonical_unit["canonical_unit"] == canonical_unit["ucum_code"]
    assert float(canonical_unit["factor"]) == 1
    assert float(canonical_unit["offset"]) == 0
    assert canonical_unit["quantity"] == UNITS[code]["quantity"]


def test_properties_are_in_canonical_units():
    for row in load_vocabulary(PROJECT / "contracts").observed_properties.values():
        assert UNITS[row["canonical_unit"]]["canonical_unit"] == row["canonical_unit"]
        assert row["aggregation"] in AGGREGATIONS


def test_initiatives_belong_to_organisations():
    for folder in FOLDERS:
        vocabulary = load_vocabulary(folder)
        for row in vocabulary.initiatives.values():
            assert row["organisation_id"] in vocabulary.organisations


@given(value=NUMBERS, code=st.sampled_from(sorted(UNITS)))
def test_conversion_round_trip(value, code):
    there = canonical(code, value)
    back = (there - float(UNITS[code]["offset"])) / float(UNITS[code]["factor"])
    assert back == pytest.approx(value, rel=1e-9, abs=1e-6)


PREFIXES = {"k": 1e3, "M": 1e6, "m": 1e-3, "u": 1e-6, "": 1.0}
SCALED = [
    ("[degF]", lambda f: (f - 32) * 5 / 9),
    ("K", lambda k: k - 273.15),
    ("mg/m3", lambda x: x * PREFIXES["m"] / PREFIXES["u"]),
    ("mV", lambda x: x * PREFIXES["m"]),
    ("W.h", lambda x: x / PREFIXES["k"]),
    ("MW.h", lambda x: x * PREFIXES["M"] / PREFIXES["k"]),
    ("W", lambda x: x / PREFIXES["k"]),
    ("km/h", lambda x: x * PREFIXES["k"] / 3600),
    ("[mi_i]/h", lambda x: x * 5280 * 12 * 0.0254 / 3600),
    ("Pa", lambda x: x / 100),
    ("kPa", lambda x: x * PREFIXES["k"] / 100),
    ("bar", lambda x: x * 1e5 / 100),
    ("cm", lambda x: x / 100),
    ("km", lambda x: x * PREFIXES["k"]),
    ("L", lambda x: x / 1e3),
    ("L/s", lambda x: x / 1e3 * 3600),
    ("min", lambda x: x * 60),
    ("h", lambda x: x * 60 * 60),
    ("d", lambda x: x * 24 * 60 * 60),
    ("g", lambda x: x / PREFIXES["k"]),
]


@pytest.mark.parametrize(("code", "expected"), SCALED, ids=[code for code, _ in SCALED])
@given(value=NUMBERS)
def test_factors_agree_with_another_computation(code, expected, value):
    assert canonical(code, value) == pytest.approx(expected(value), rel=1e-9, abs=1e-6)


def test_every_converted_unit_is_held_against_another_computation():
    converted = {code for code, row in UNITS.items() if row["canonical_unit"] != code}
    assert converted == {code for code, _ in SCALED}


@cache
def ucum() -> ucumvert.PintUcumRegistry:
    return ucumvert.PintUcumRegistry()


NO_UCUM = {"dB[A]", "[pH]", "{SEK}"}
"""A-weighting is none of UCUM's units; pint knows no pH, and no unit that is only an annotation."""


@pytest.mark.parametrize("code", sorted(UNITS.keys() - NO_UCUM))
@pytest.mark.parametrize("value", [-40.0, 0.0, 1.0, 37.5])
def test_units_are_what_ucum_says(code, value):
    """UCUM by ucumvert's grammar, and pint's definitions: nothing that this project has made."""
    unit, into = (ucum().from_ucum(text) for text in (code, UNITS[code]["canonical_unit"]))
    told = ucum().Quantity(value * unit.magnitude, unit.units).to(into.units)
    assert canonical(code, value) == pytest.approx(told.magnitude / into.magnitude, rel=1e-12)


@pytest.mark.parametrize("code", sorted(NO_UCUM))
def test_units_of_our_own_stand_for_themselves(code):
    with pytest.raises(Exception, match=r"(?s)."):
        ucum().from_ucum(code).units  # noqa: B018
    assert UNITS[code]["canonical_unit"] == code


def test_ucum_would_find_a_wrong_factor():
    """The control: a factor that is off in the sixth digit."""
    told = ucum().Quantity(1.0, ucum().from_ucum("[mi_i]/h").units).to("m/s")
    assert told.magnitude != pytest.approx(0.447041, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("organisation_id,name_sv\na,b\n", "columns are missing: name_en, kind"),
        (f"{','.join(COLUMNS['organisations'])}\na,,,,\na,,,,\n", "line 3: .*'a' is empty or"),
        (f"{','.join(COLUMNS['organisations'])}\n,,,,\n", "line 2: .*'' is empty or stands twice"),
    ],
)
def test_broken_vocabulary(tmp_path, text, what):
    path = tmp_path / "vocabulary" / "organisations.csv"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ContractError, match=f"organisations.csv.*{what}"):
        load_vocabulary(tmp_path)


@pytest.mark.parametrize(
    "steps",
    [",,,", "2026-01-02,2026-01-01,,", "2026-13-01,,,", "soon,,,", "2026-01-01,,2025-01-01,"],
)
def test_steps_rise_day_by_day(tmp_path, steps):
    path = tmp_path / "vocabulary" / "initiatives.csv"
    path.parent.mkdir()
    path.write_text(f"{','.join(COLUMNS['initiatives'])}\na,smhi,A,A,luft,{steps}\n")
    with pytest.raises(ContractError, match=r"initiatives\.csv: a: its steps began on"):
        load_vocabulary(tmp_path)


def test_unknown_aggregation(tmp_path):
    path = tmp_path / "vocabulary" / "observed_properties.csv"
    path.parent.mkdir()
    path.write_text(f"{','.join(COLUMNS['observed_properties'])}\nx,X,X,,1,average,,\n")
    with pytest.raises(ContractError, match=r"x: 'average' is no way to aggregate.*Write one of"):
        load_vocabulary(tmp_path)


def test_a_folder_brings_its_own_file_or_takes_the_projects(tmp_path):
    path = tmp_path / "vocabulary" / "organisations.csv"
    path.parent.mkdir()
    path.write_text(f"{','.join(COLUMNS['organisations'])}\nmin,Min,Mine,extern,\n")
    vocabulary = load_vocabulary(tmp_path)
    assert set(vocabulary.organisations) == {"min"}
    assert vocabulary.units == UNITS


@pytest.mark.parametrize(
    ("column", "word"),
    [
        ("averaging", "month"),
        ("limit_value", "fifty"),
        ("limit_value", "0"),
        ("unit", "mg/m3"),
        ("allowed_exceedances", "1.5"),
        ("in_force_from", ""),
        ("in_force_from", "2030"),
    ],
)
def test_a_limit_that_means_nothing_is_refused(tmp_path, column, word):
    """Daily means are compared with it: it must be a number in the property's own unit."""
    path = tmp_path / "vocabulary" / "limit_values.csv"
    path.parent.mkdir()
    with (PROJECT / "contracts" / "vocabulary" / path.name).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows[3][column] = word
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(ContractError, match=rf"{rows[3]['limit_id']}.*no limit value"):
        load_vocabulary(tmp_path)
