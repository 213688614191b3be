"""A contract's version says how much it has changed since the last release, or it is refused."""

from dataclasses import replace

import pytest

from lakehouse.contracts import Contracts
from lakehouse.errors import ReleaseRefused
from publishing.making.release import release
from tests.unit.publishing.lake import PRODUCT, air_rows, keep_verdict, replace_gold


def changed(contracts: Contracts, version: str, **changes: object) -> Contracts:
    """The contracts with one product changed, and a digest that says so."""
    product = replace(contracts.product(PRODUCT), version=version, digest="1" * 64, **changes)
    return replace(contracts, products=dict(contracts.products) | {PRODUCT: product})


@pytest.fixture
def again(settings, contracts, gold):
    """Releases 1.0.0, then makes the next release of changed contracts."""
    release(settings, contracts, PRODUCT)
    version = replace_gold(settings, air_rows(50))

    def make(version_said: str, **changes: object):
        others = changed(contracts, version_said, **changes)
        keep_verdict(settings, others, version, 50)
        return release(settings, others, PRODUCT)

    return make


def column(contracts, name, **changes):
    """The product's columns, one of them changed."""
    found = contracts.product(PRODUCT).columns
    return tuple(replace(one, **changes) if one.name == name else one for one in found)


def without(contracts, name):
    return tuple(one for one in contracts.product(PRODUCT).columns if one.name != name)


def publication(contracts, **changes):
    return contracts.product(PRODUCT).publication.model_copy(update=changes)


BREAKING = {
    "column_gone": (
        lambda c: {"columns": without(c, "no2_ug_m3")},
        "the column 'no2_ug_m3' is gone",
    ),
    "other_unit": (
        lambda c: {"columns": column(c, "pm10_ug_m3", unit="mg/m3")},
        "the unit of 'pm10_ug_m3' is mg/m3, it was ug/m3",
    ),
    "other_type": (
        lambda c: {"columns": column(c, "readings", logical_type="number")},
        "the type of 'readings' is number, it was integer",
    ),
    "other_key": (
        lambda c: {"columns": column(c, "station_name", is_key=True)},
        "'station_name' belongs to the key: yes, before: no",
    ),
    "other_grain": (
        lambda _: {"grain": "one row for each station and day"},
        "a row is 'one row for each station and day'",
    ),
    "other_licence": (
        lambda c: {"publication": publication(c, licence="CC-BY-4.0", attribution="Staden")},
        "the licence is CC-BY-4.0, it was CC0-1.0",
    ),
}


@pytest.mark.parametrize("name", BREAKING)
@pytest.mark.parametrize("version", ["1.0.0", "1.0.1", "1.9.9", "0.9.0"])
def test_what_breaks_needs_a_major_version(contracts, again, name, version):
    change, words = BREAKING[name]
    with pytest.raises(ReleaseRefused) as refused:
        again(version, **change(contracts))
    assert words in str(refused.value)
    assert "Write version 2.0.0 or higher" in str(refused.value)


def test_a_major_version_may_take_a_column_away(contracts, again):
    made = again("2.0.0", columns=without(contracts, "no2_ug_m3"))
    assert (made.number, made.contract_version) == (2, "2.0.0")
    assert [change.event for change in made.changes.columns] == ["removed"]


@pytest.mark.parametrize(("version", "is_refused"), [("1.0.9", True), ("1.1.0", False)])
def test_a_new_column_needs_a_minor_version(contracts, again, version, is_refused):
    known = contracts.product(PRODUCT).columns
    more = replace(known[-1], name="secret_note", logical_type="string", minimum=None)
    if is_refused:
        with pytest.raises(ReleaseRefused, match=r"more columns than release 1: secret_note"):
            again(version, columns=(*known, more))
    else:
        assert again(version, columns=(*known, more)).number == 2


@pytest.mark.parametrize(("version", "is_refused"), [("1.0.0", True), ("1.0.1", False)])
def test_any_other_change_needs_a_new_version(contracts, again, version, is_refused):
    words = contracts.product(PRODUCT).publication.limitations
    other = publication(contracts, limitations=words.model_copy(update={"en": "Mind the fog."}))
    if is_refused:
        with pytest.raises(ReleaseRefused, match=r"says something else than it did at release 1"):
            again(version, publication=other)
    else:
        assert again(version, publication=other).number == 2
