"""Small mistakes in the SQL of models: that they are made as meant, and that tests fail for them.

`python -m benchmarks.sql_mutants` makes many, and asks builds and audits as well.
"""

from __future__ import annotations

import os
from unittest import mock

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager

from benchmarks.sql_mutants.__main__ import sampled
from benchmarks.sql_mutants.equivalents import Equivalent, accepted, reasons
from benchmarks.sql_mutants.project import DbtProject
from benchmarks.sql_mutants.rules import Mutant, mutants_of
from benchmarks.sql_mutants.trials import UnitTests

MISTAKES = [
    ("luftkvalitet_dygn", "constant: 0.75 → 0.76"),
    ("luftkvalitet_dygn", "time zone: stockholm_date → utc_date"),
    ("energianvandning_timme", "comparison: > → >="),
    ("trafikflode_kvart", "order reversed: nothing → desc"),
    ("lejonens_plats", "aggregate: max_by → min_by"),
    ("gatubelysning_dygn", "coalesce dropped: coalesce(f.fault_h, 0) → f.fault_h"),
    ("macros/registers", "constant: 0.9 → 0.8"),
    ("macros/uplinks", "partition column dropped: session → 1"),
]
SQL = """{{ config(follows='silver.observation') }}
{% set least = 5 %}
-- a >= 1 in a comment
select
    a.low,
    a.high, {# a >= 2 in another #}
    coalesce(sum(a.x), 0) * 3 as total
from {{ ref('a') }} a
left join b on b.id = a.id
where {{ in_partitions(plan) }} and a.y >= 20 and a.z between 1 and 2
    and {{ stockholm_date('a.t') }} > b.day
"""


@pytest.fixture(scope="module")
def units(built, tmp_path_factory):
    """The unit tests of the project, on a lake in which every model has been built."""
    with mock.patch.dict(os.environ):
        yield UnitTests(DbtProject(built.settings, tmp_path_factory.mktemp("target")))
        DuckDBConnectionManager.close_all_connections()


def mutant_of(units: UnitTests, file: str, change: str) -> Mutant:
    return next(one for one in units.project.mutants if (one.file, one.change) == (file, change))


def test_a_mutant_is_one_changed_place_of_the_raw_file():
    made = mutants_of("m", SQL, {"low": "double", "high": "double"})
    assert len({one.name for one in made}) == len(made)
    names = {one.name.removeprefix("m:") for one in made}
    assert names == {
        "2 constant: 5 → 4",
        "2 constant: 5 → 6",
        "5 columns swapped: a.low, a.high → a.high as low, a.low as high",
        "7 aggregate: sum → max",
        "7 calculation: * → /",
        "7 coalesce dropped: coalesce(sum(a.x), 0) → sum(a.x)",
        "7 constant: 0 → 1",
        "7 constant: 3 → 2",
        "7 constant: 3 → 4",
        "9 comparison: = → <>",
        "9 condition dropped: b.id = a.id → true",
        "9 join: left join → join",
        "10 comparison: >= → >",
        "10 condition dropped: a.y >= 20 → true",
        "10 condition dropped: a.z between 1 and 2 → true",
        "10 constant: 1 → 0",
        "10 constant: 1 → 2",
        "10 constant: 2 → 1",
        "10 constant: 2 → 3",
        "10 constant: 20 → 19",
        "10 constant: 20 → 21",
        "10 logic: and → or",
        "10 logic: and → or (2)",
        "11 comparison: > → >=",
        "11 condition dropped: {{ stockholm_date('a.t') }} > b.day → true",
        "11 hour shifted: stockholm_date('a.t') → stockholm_date(\"(a.t + interval '1' hour)\")",
        "11 logic: and → or",
        "11 time zone: stockholm_date → utc_date",
    }
    for one in made:
        after = one.applied(SQL)
        assert after != SQL
        assert after[: one.start] == SQL[: one.start]
        assert after.endswith(SQL[one.end :])


def test_a_sample_has_mutants_of_every_file_and_is_the_same_for_a_seed():
    mutants = [
        one for name in ("a", "b", "c") for one in mutants_of(name, SQL * (1 + (name == "c")), {})
    ]
    chosen = sampled(mutants, 12, seed=1)
    assert {one.file for one in chosen} == {"a", "b", "c"}
    assert sum(one.file == "c" for one in chosen) > sum(one.file == "a" for one in chosen)
    assert chosen == sampled(mutants, 12, seed=1)
    assert chosen != sampled(mutants, 12, seed=2)


def test_a_reason_excuses_one_survivor_and_no_other():
    twice = mutants_of("m", "select a.x * a.y * a.z from a", {})
    assert [one.change for one in twice] == ["calculation: * → /"] * 2
    one = Equivalent("m", "select a.x", ("calculation: * → /",), "it is 1")
    assert list(reasons(twice, [one])) == twice[:1]
    assert reasons(twice, [Equivalent("m", "select b", one.changes, "")]) == {}


@pytest.mark.slow
def test_mistakes_in_the_sql_are_caught_by_the_unit_tests(units):
    survived = []
    for file, change in MISTAKES:
        mutant = mutant_of(units, file, change)
        if units.trial(mutant).catcher != "unit test":
            survived.append(mutant.name)
    assert survived == []


@pytest.mark.slow
def test_without_its_unit_tests_a_mistake_survives_and_without_a_mistake_they_pass(units):
    file, change = MISTAKES[0]
    assert units.trial(mutant_of(units, file, change), without={file}).catcher is None
    assert units.control([file]) == []


@pytest.mark.slow
def test_sql_that_is_none_is_told_from_a_test_that_fails(units):
    mutant = mutant_of(units, *MISTAKES[0])
    wrong = Mutant(mutant.file, mutant.line, "none", mutant.start, mutant.end, "0.75", "0..75", "")
    assert units.trial(wrong).catcher == "error in a unit test"


@pytest.mark.slow
def test_each_reason_is_of_a_mutant_that_there_is(units):
    stale = [
        (one.file, one.code, change)
        for one in accepted()
        for change in one.changes
        if not any(change in one.matches(mutant) for mutant in units.project.mutants)
    ]
    assert stale == []
    assert all(one.why for one in accepted())
