"""Every error names the place, the problem and the remedy."""

from __future__ import annotations

import inspect

import pytest

from lakehouse import errors
from lakehouse.errors import ContractError, Problem, SjostadError

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, SjostadError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_text_has_place_problem_and_remedy(kind):
    error = kind(Problem("a.yaml: id", "'B' is no id", "Write 'b'."))
    assert str(error) == "a.yaml: id: 'B' is no id. Write 'b'."
    assert isinstance(error, SjostadError)


def test_problems_of_many_files_are_gathered_in_file_order():
    second, first = Problem("b.yaml", "no", "Do."), Problem("a.yaml", "bad", "Mend.")
    error = ContractError.of([second, first])
    assert error.problems == (first, second)
    assert str(error).splitlines() == ["a.yaml: bad. Mend.", "b.yaml: no. Do."]
