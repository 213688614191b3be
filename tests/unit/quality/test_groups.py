"""Numbers about people are held against what their contract promises: in the rows themselves."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from lakehouse import tables
from lakehouse.duck import connect
from quality import audit_product
from quality.audit import small_groups
from quality.audit.scope import whole
from quality.audit.small_groups import withheld
from quality.audit.small_groups.changed import EXPECTATION, check_changes
from quality.audit.small_groups.sums import gather, read
from quality.disclosure.recovering import recover
from tests.unit.publishing.lake import keep_verdict
from tests.unit.quality.locks import (
    CITY,
    FIRST,
    PRODUCT,
    Counts,
    by_rule,
    changed,
    for_,
    put,
    saying,
    with_totals,
    without,
    world,
)

COLUMNS = ("locks_used", "openings", "openings_refused", "locks_low_battery")
NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
OURS = {small_groups.EXPECTATION, withheld.RECOVERED, withheld.DIFFERENCE, withheld.SUMS,
        withheld.LEFT, EXPECTATION}  # fmt: skip


def even(**districts):
    """Counts that are all told, but for some of the first day."""
    told = {place: Counts(9, 20, 5, 6, 5) for place in world()}
    return told | {(district, FIRST): one for district, one in districts.items()}


@pytest.fixture
def product(contracts):
    return contracts.product(PRODUCT)


@pytest.fixture
def summed(product):
    return saying(product, totals={"care_area": CITY})


@pytest.fixture
def audit(settings):
    """Audits rows as the next version of the product."""
    later = iter(range(100))

    def run(product, rows, beside=()):
        put(settings, rows, product.model)
        return audit_product(settings, product, NOW + timedelta(hours=next(later)), beside)

    return run


@pytest.fixture
def look(settings):
    """The checks of numbers about people alone, which take a tenth of the time of an audit."""

    def run(product, rows, beside=()):
        scope = whole(tables.model(settings, "gold", product.model), put(settings, rows))
        with connect() as connection:
            return small_groups.check_groups(connection, product, scope, settings, beside)

    return run


def found(checks, expectation):
    """What was found by checks, or by those of a verdict, by column."""
    return {
        check.column: check.unexpected
        for check in getattr(checks, "checks", checks)
        if check.expectation == expectation and not check.passed
    }


def test_what_the_model_withholds_is_enough(product, audit):
    counts = world()
    assert min(one.used for one in counts.values()) < 5
    verdict = audit(product, by_rule(counts))
    assert verdict.reasons == ()
    ours = [check for check in verdict.checks if check.expectation in OURS]
    assert {check.expectation for check in ours} == OURS
    assert all(check.passed and check.column is None for check in ours)


@pytest.mark.parametrize(
    ("numbers", "columns"),
    [
        ({"locks_used": 3}, {"locks_used": 1, "openings": 1}),
        ({"locks_used": None}, {"openings": 1}),
        ({"locks_low_battery": 1}, {"locks_low_battery": 1}),
        ({"openings_refused": 4}, {"openings_refused": 1}),
    ],
)
def test_a_number_of_fewer_than_five_stops_the_release(product, audit, numbers, columns):
    counts = even()
    verdict = audit(product, changed(by_rule(counts), "Kista", FIRST, **numbers))
    assert found(verdict, small_groups.EXPECTATION) == columns
    assert not verdict.passed
    assert f"{next(iter(columns))}: expected no number of fewer than 5 locks" in str(
        verdict.reasons
    )


def test_a_zero_of_enough_is_told(product, look):
    counts = {place: Counts(9, 20, 0, 0, 0) for place in world()}
    checks = look(product, by_rule(counts))
    assert found(checks, small_groups.EXPECTATION) == {}


def test_one_withheld_district_follows_from_the_total_of_the_city(summed, audit):
    counts = even(Kista=Counts(3, 41, 0, 0, 0))
    rows = by_rule(with_totals(counts))
    verdict = audit(summed, rows)
    assert found(verdict, withheld.RECOVERED) == {
        "locks_used": 1, "openings": 1, "openings_refused": 1, "locks_low_battery": 1
    }  # fmt: skip
    assert not verdict.passed
    ours = [asdict(check) for check in verdict.checks if check.expectation in OURS]
    told = json.dumps([ours, verdict.reasons], ensure_ascii=False)
    assert not [word for word in ("Kista", FIRST.isoformat(), "41") if word in told]


def test_a_difference_of_totals_is_a_number_too(summed, audit):
    """Two districts with two locks each: neither is known, but that they have four is."""
    counts = even(Kista=Counts(2, 30, 5, 6, 5), Norrmalm=Counts(2, 30, 5, 6, 5))
    verdict = audit(summed, by_rule(with_totals(counts)))
    assert found(verdict, withheld.RECOVERED) == {}
    assert found(verdict, withheld.DIFFERENCE) == {"locks_used": 1}
    assert not verdict.passed


def test_a_number_that_is_drawn_in_is_told_and_stops_nothing(summed, audit):
    """Of seven locks in two districts with four at most each has three or four."""
    counts = even(Kista=Counts(3, 30, 5, 6, 5), Norrmalm=Counts(4, 30, 5, 6, 5))
    verdict = audit(summed, by_rule(with_totals(counts)))
    assert found(verdict, withheld.LEFT) == {"locks_used": 2}
    assert verdict.passed


def test_totals_that_are_none_stop_the_release(summed, audit):
    counts = even()
    rows = changed(by_rule(with_totals(counts)), CITY, FIRST, locks_used=60)
    verdict = audit(summed, rows)
    assert found(verdict, withheld.SUMS) == {"locks_used": 1}
    assert not verdict.passed


def test_a_row_that_is_left_out_is_a_sum_that_does_not_hold(summed, look):
    counts = even(Kista=Counts(3, 6, 0, 0, 0))
    rows = [row for row in by_rule(with_totals(counts)) if row["locks_used"]]
    assert found(look(summed, rows), withheld.SUMS)["locks_used"] == 1


def test_must_fail_where_single_numbers_are_withheld_beside_totals(product, summed, audit):
    """The control: the same counts told with totals, without them, and with others withheld too."""
    counts = world(days=9, mean=9, seed=3)
    beside_totals = audit(summed, by_rule(with_totals(counts)))
    assert found(beside_totals, withheld.RECOVERED) == {"locks_used": 5, "openings": 3}
    assert not beside_totals.passed
    without_totals = audit(product, by_rule(counts))
    assert found(without_totals, withheld.RECOVERED) == {}
    assert without_totals.passed
    protected = audit(saying(summed, larger_withheld=True), protecting(counts))
    assert found(protected, withheld.RECOVERED) == {}
    assert found(protected, withheld.DIFFERENCE) == {}
    assert protected.passed


def test_what_is_worked_out_is_what_is_so(settings, summed):
    """A reader who does the same as the audit knows what was counted."""
    counts = with_totals(world(days=9, mean=9, seed=3))
    version = put(settings, by_rule(counts))
    with connect() as connection:
        scope = whole(tables.model(settings, "gold", PRODUCT), version)
        gathered = gather([read(connection, summed, summed.statistics, scope.relation)])
    cells = [*gathered.cells()]
    known = {
        (column, *key): one.least
        for (_, column, key), one in ((cells[at], one) for at, one in
                                      recover(gathered.table).ranges.items())
        if one.has_fewer_than(2)
    }  # fmt: skip
    assert len(known) == 5 + 3
    for (column, district, day), value in known.items():
        so = counts[district, date.fromisoformat(day)]
        assert value == {"locks_used": so.used, "openings": so.openings}[column]


def protecting(counts):
    """Rows with totals, in which the largest district is withheld wherever another one is."""
    rows = by_rule(with_totals(counts))
    for day in {day for _, day in counts}:
        of_day = [row for row in rows if row["local_date"] == day and row["care_area"] != CITY]
        for number, *others in (
            ["locks_used", "openings"],
            ["openings_refused"],
            ["locks_low_battery"],
        ):
            told = [row for row in of_day if row[number] is not None]
            if told and len(told) < len(of_day):
                max(told, key=lambda row: row[number]).update(dict.fromkeys([number, *others]))
    return rows


def test_the_same_numbers_by_day_alone_are_totals(settings, product, look):
    """Another product tells of the whole city what this one tells of its districts."""
    counts = even(Kista=Counts(3, 41, 5, 6, 5))
    city = without(product, "las_i_staden_dygn", "care_area")
    put(settings, of_city(counts), city.model)
    assert found(look(product, by_rule(counts)), withheld.RECOVERED) == {}
    beside = look(product, by_rule(counts), [city])
    assert found(beside, withheld.RECOVERED) == {"locks_used": 1, "openings": 1}
    # The other one is not let out beside this one, either.
    other = audit_product(settings, city, NOW, [product])
    assert found(other, withheld.RECOVERED) == {
        f"{PRODUCT}.locks_used": 1, f"{PRODUCT}.openings": 1
    }  # fmt: skip
    assert not other.passed


def test_another_division_of_the_city_is_a_total_of_this_one(settings, product, look):
    """Ten locks a day by provider: no number of it is withheld, and it knows them all."""
    counts = even(Kista=Counts(3, 41, 5, 6, 5))
    columns = tuple(
        replace(column, name="provider") if column.name == "care_area" else column
        for column in product.columns
    )
    numbers = {
        name: number.model_copy(update={"additive_over": ("provider", "local_date")})
        for name, number in product.statistics.numbers.items()
    }
    other = saying(
        replace(product, id="las_utforare", model="las_utforare", columns=columns), numbers=numbers
    )
    totals = [row for row in by_rule(with_totals(counts)) if is_total(row)]
    put(settings, [row | {"provider": "the only one"} for row in totals], other.model)
    checks = look(product, by_rule(counts), beside=[other])
    assert found(checks, withheld.RECOVERED) == {"locks_used": 1, "openings": 1}


def test_products_of_other_sources_and_without_people_are_no_totals(settings, product, look):
    counts = even(Kista=Counts(3, 41, 5, 6, 5))
    city = without(product, "las_i_staden_dygn", "care_area")
    put(settings, of_city(counts), city.model)
    elsewhere = product.publication.model_copy(update={"sources": ("another",)})
    others = [
        replace(city, publication=elsewhere),
        replace(city, statistics=None),
        replace(city, id="never_built", model="never_built"),
    ]
    checks = look(product, by_rule(counts), others)
    assert [check for check in checks if not check.passed] == []


def is_total(row):
    return row["care_area"] == CITY


def of_city(counts):
    """What is told of the whole city, in rows without a district."""
    rows = [row for row in by_rule(with_totals(counts)) if is_total(row)]
    return [{name: value for name, value in row.items() if name != "care_area"} for row in rows]


LATE = [
    # One more lock, and its openings; one event more of locks that were counted already.
    (Counts(10, 22, 5, 6, 5), {"locks_used": 1, "openings": 1}),
    (Counts(9, 21, 5, 6, 5), {"openings": 1}),
    (Counts(9, 45, 5, 6, 5), {"openings": 1}),
    # Five more locks, and as many with a low battery.
    (Counts(14, 30, 5, 6, 5), {}),
    (Counts(9, 20, 5, 6, 10), {}),
    # How many locks refused is told nowhere: nothing says that five more did.
    (Counts(9, 20, 10, 16, 5), {"openings_refused": 1}),
    # It was told and is withheld; of nine locks at least five are gone.
    (Counts(4, 20, 5, 6, 5), {}),
    (Counts(9, 20, 5, 6, 2), {"locks_low_battery": 1}),
    (Counts(9, 20, 0, 0, 5), {"openings_refused": 1}),
]


@pytest.mark.parametrize(("late", "columns"), LATE)
def test_what_a_change_tells_of_fewer_than_five_is_told(changes_of, late, columns):
    before, after = by_rule(even()), by_rule(even(Kista=late))
    assert changes_of(before, after) == changes_of(after, before) == columns


@pytest.fixture
def changes_of(settings, contracts, product):
    """The columns of which a change from some rows to others tells of few."""

    def run(before, after):
        version = put(settings, before)
        scope = whole(tables.model(settings, "gold", PRODUCT), version)
        keep_verdict(settings, contracts, version, 24, PRODUCT, table_id=scope.table_id)
        scope = whole(scope.address, put(settings, after))
        with connect() as connection:
            checks = check_changes(connection, product, product.statistics, scope, settings)
        assert all(check.expected.endswith(f"since version {version}") for check in checks)
        return {check.column: check.unexpected for check in checks if not check.passed}

    return run


def test_named_receivers_are_meant_to_see_late_data_arrive(product, audit):
    assert audit(product, by_rule(even())).passed
    verdict = audit(product, by_rule(even(Kista=Counts(10, 22, 5, 6, 5))))
    assert found(verdict, EXPECTATION) == {"locks_used": 1, "openings": 1}
    assert verdict.passed


def test_a_late_event_of_one_home_stops_what_everybody_may_read(product, audit):
    internal = for_(product, "internal")
    first = audit(internal, by_rule(even()))
    assert first.passed
    verdict = audit(internal, by_rule(even(Kista=Counts(10, 22, 5, 6, 5))))
    assert not verdict.passed
    assert found(verdict, EXPECTATION) == {"locks_used": 1, "openings": 1}
    # What did not pass was told to nobody: the next is held against the one before it.
    assert audit(internal, by_rule(even(Kista=Counts(14, 29, 5, 6, 5)))).passed


def test_new_days_and_days_that_are_gone_are_no_change(changes_of):
    few, many = by_rule(world(days=3)), by_rule(world(days=6))
    assert changes_of(few, many) == changes_of(many, few) == {}


def test_what_was_told_under_another_contract_was_told(product, audit):
    assert audit(product, by_rule(even())).passed
    worded = replace(product, digest="0" * 64, version="1.1.0")
    verdict = audit(worded, by_rule(even(Kista=Counts(10, 22, 5, 6, 5))))
    assert found(verdict, EXPECTATION) == {"locks_used": 1, "openings": 1}


def test_larger_numbers_that_are_withheld_may_have_changed_by_one(product, audit):
    hiding = saying(product, larger_withheld=True)
    assert audit(hiding, by_rule(even())).passed
    hidden = changed(by_rule(even()), "Kista", FIRST, locks_used=None, openings=None)
    verdict = audit(hiding, hidden)
    assert found(verdict, EXPECTATION) == {"locks_used": 1, "openings": 1}


@pytest.mark.parametrize("lost", [f"partition_date={FIRST}", "."])
def test_what_can_no_longer_be_read_is_not_taken_for_the_same(settings, product, audit, lost):
    """Files that upkeep has cleared away; and a table that was made again in its place."""
    assert audit(product, by_rule(even())).passed
    shutil.rmtree(tables.model(settings, "gold", PRODUCT) / lost)
    verdict = audit(product, by_rule(even(Kista=Counts(10, 22, 5, 6, 5))))
    (check,) = (one for one in verdict.checks if one.expectation == EXPECTATION)
    assert (check.passed, check.severity) == (False, "warning")
    assert check.observed == "it can no longer be read"
    # Who looks again has the last one to compare with.
    again = audit(product, by_rule(even(Kista=Counts(11, 23, 5, 6, 5))))
    assert found(again, EXPECTATION) == {"locks_used": 1, "openings": 1}
