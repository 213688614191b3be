"""What holds two engines' tables against each other sees a difference."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.spark.tables import differences

SOUND = {"id": ["a", "b"], "value": [1.0, None], "steps": [[3.0, 1.0], None]}


def test_the_last_bit_and_the_last_decimal_may_differ():
    other = SOUND | {"value": [1.0 + 1e-6, None]}
    assert not list(differences(pa.table(SOUND), pa.table(other)))
    assert not list(differences(pa.table({"v": [5e6]}), pa.table({"v": [5e6 * (1 + 1e-15)]})))


@pytest.mark.parametrize(
    "mistake",
    [
        {"id": ["a", "c"]},
        {"value": [1.00001, None]},
        {"value": [1.0, 0.0]},
        {"value": [None, 1.0]},
        {"steps": [[3.0, 1.00001], None]},
        {"steps": [[3.0, 1.0], []]},
        {"steps": [[3.0], [1.0]]},
        {"more": [1, 2]},
    ],
    ids=str,
)
def test_anything_else_is_a_difference(mistake):
    assert list(differences(pa.table(SOUND), pa.table(SOUND | mistake)))


def test_a_missing_row_is_a_difference():
    assert list(differences(pa.table(SOUND), pa.table(SOUND).slice(1)))
