"""What a contract says of its numbers about people is said of each of them, or it is none."""

from __future__ import annotations

import pytest
import yaml

from lakehouse.contracts.product import load_product
from lakehouse.errors import ContractError
from lakehouse.settings import PROJECT

SHIPPED = PROJECT / "contracts" / "products" / "smarta_las_dygn.yaml"


@pytest.fixture
def saying(tmp_path):
    """Loads the contract of the locks, saying something else of its statistics."""

    def load(**words):
        document = yaml.safe_load(SHIPPED.read_text("utf-8"))
        (said,) = (one["value"] for one in document["customProperties"]
                   if one["property"] == "statistics")  # fmt: skip
        said |= words
        path = tmp_path / SHIPPED.name
        path.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
        return load_product(path).statistics

    return load


NUMBERS = yaml.safe_load(SHIPPED.read_text("utf-8"))["customProperties"][-1]["value"]["numbers"]


def test_the_locks_say_what_stands_behind_each_number():
    statistics = load_product(SHIPPED).statistics
    assert {name: one.units for name, one in statistics.numbers.items()} == {
        "locks_used": "locks_used", "openings": "locks_used", "openings_refused": None,
        "locks_low_battery": "locks_low_battery",
    }  # fmt: skip
    assert statistics.numbers["openings_refused"].units_untold


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"numbers": {"locks_used": {"units": "locks_used"}}}, "nothing is said of the number"),
        ({"numbers": NUMBERS | {"is_suppressed": {"unitsUntold": True}}}, "no column of numbers"),
        ({"numbers": NUMBERS | {"openings": {}}}, "does not say which column counts"),
        (
            {"numbers": NUMBERS | {"openings": {"units": "locks_used", "unitsUntold": True}}},
            "names the column that counts the units, and says that there is none",
        ),
        (
            {"numbers": NUMBERS | {"openings": {"units": "openings_refused"}}},
            "'openings_refused' is not said to count units",
        ),
        (
            {"numbers": NUMBERS | {"openings": {"units": "locks_used", "additiveOver": ["week"]}}},
            "'week' is no column of the key",
        ),
        ({"totals": {"district": "Hela staden"}}, "this is no column of the key"),
        ({"largerWithold": True}, "this key is unknown"),
    ],
)
def test_what_is_wrong_is_named(saying, words, problem):
    with pytest.raises(ContractError, match=problem):
        saying(**words)


def test_only_whole_numbers_add_up(tmp_path):
    text = SHIPPED.read_text("utf-8").replace(
        "- name: openings\n        logicalType: integer",
        "- name: openings\n        logicalType: number",
    )
    path = tmp_path / SHIPPED.name
    path.write_text(text, "utf-8")
    with pytest.raises(ContractError, match="only whole numbers count units or add up exactly"):
        load_product(path)


def test_totals_and_larger_numbers_that_are_withheld_may_be_told(saying):
    said = saying(totals={"care_area": "Hela staden"}, largerWithheld=True)
    assert said.totals == {"care_area": "Hela staden"}
    assert said.larger_withheld
