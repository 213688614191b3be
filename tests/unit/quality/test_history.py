"""What audits keep, what becomes history, and how one says that a day was out of the ordinary."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import yaml

from lakehouse import tables
from lakehouse.contracts.product import load_product
from lakehouse.duck import connect, delta_scan
from lakehouse.errors import ContractError
from quality import audit_product
from quality.audit.days import FRESHNESS, VALUES
from quality.audit.periods import GAP
from tests.unit.publishing.lake import PRODUCT
from tests.unit.quality.dated import air_days, at, days, put

DATES = days(44)


@pytest.fixture
def product(contracts):
    return contracts.product(PRODUCT)


def excepting(product, folder, first: date, last: date):
    """The product's contract, which says that some days were out of the ordinary."""
    told = yaml.safe_load(product.path.read_text("utf-8"))
    occasion = {"first": first, "last": last, "why": {"sv": "Avbrott.", "en": "An outage."}}
    value = {"occasions": [occasion]}
    told["customProperties"].append({"property": "exceptions", "value": value})
    path = folder / product.path.name
    path.write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")
    return load_product(path)


def failed(verdict):
    return {(one.expectation, one.severity) for one in verdict.checks if not one.passed}


@pytest.mark.slow
def test_what_failed_is_no_history_until_the_contract_says_what_happened(
    settings, product, tmp_path
):
    frames = air_days(DATES)
    wrong = {day: frames[day].assign(no2_ug_m3=frames[day]["no2_ug_m3"] * 30 % 999)
             for day in DATES[40:43]}  # fmt: skip
    put(settings, {day: frames[day] for day in DATES[:40]})
    assert audit_product(settings, product, at(DATES[39])).passed
    for day in DATES[40:43]:
        put(settings, {day: wrong[day], day + timedelta(days=1): frames[day + timedelta(days=1)]})
        verdict = audit_product(settings, product, at(day + timedelta(days=1)))
        assert (VALUES, "critical") in failed(verdict)
    with connect() as connection:
        kept = connection.execute(
            f"""select max(day) from {delta_scan(tables.quality_days(settings))} where passed"""
        ).fetchall()
    assert kept == [(DATES[39],)]
    told = excepting(product, tmp_path, DATES[40], DATES[42])
    assert audit_product(settings, told, at(DATES[43], 8)).passed


def test_an_outage_stops_releases_until_the_contract_tells_of_it(settings, product, tmp_path):
    frames = air_days(DATES)
    put(settings, {day: frames[day] for day in DATES[:40]})
    assert audit_product(settings, product, at(DATES[39])).passed
    put(settings, {day: frames[day] for day in DATES[41:43]})
    assert failed(audit_product(settings, product, at(DATES[42]))) == {(GAP, "critical")}
    told = excepting(product, tmp_path, DATES[40], DATES[40])
    assert audit_product(settings, told, at(DATES[42], 8)).passed


@pytest.mark.slow
def test_a_product_that_is_late_by_its_own_measure_is_told_of(settings, product):
    frames = air_days(DATES)
    put(settings, {day: frames[day] for day in DATES[:20]})
    audit_product(settings, product, at(DATES[19]))
    for day in DATES[20:31]:
        put(settings, {day: frames[day]})
        assert failed(audit_product(settings, product, at(day))) == set()
    put(settings, {DATES[31]: frames[DATES[31]]})
    verdict = audit_product(settings, product, at(DATES[31]) + timedelta(days=2))
    assert failed(verdict) == {(FRESHNESS, "warning")}
    assert verdict.passed


def test_an_exception_has_its_days_in_order(product, tmp_path):
    told = excepting(product, tmp_path, DATES[3], DATES[5])
    assert told.exceptional_days == set(DATES[3:6])
    assert told.digest != product.digest
    with pytest.raises(ContractError, match="is before"):
        excepting(product, tmp_path, DATES[5], DATES[3])


@pytest.mark.slow
def test_a_column_that_varies_is_held_against_no_other_day(settings, product, tmp_path):
    """The same values, without and with the word; its range is checked all the same."""
    frames = air_days(DATES)
    put(settings, {day: frames[day] for day in DATES[:40]})
    varying = contract_that_varies(product, tmp_path, "no2_ug_m3")
    for contract in (product, varying):
        assert audit_product(settings, contract, at(DATES[39])).passed
    other = frames[DATES[40]].assign(no2_ug_m3=frames[DATES[40]]["no2_ug_m3"] * 30 % 999)
    put(settings, {DATES[40]: other, DATES[41]: frames[DATES[41]]})
    assert failed(audit_product(settings, product, at(DATES[41]))) == {(VALUES, "critical")}
    assert audit_product(settings, varying, at(DATES[41])).passed
    put(settings, {DATES[41]: frames[DATES[41]].assign(no2_ug_m3=-1.0)})
    verdict = audit_product(settings, varying, at(DATES[41]))
    assert ("expect_column_values_to_be_between", "critical") in failed(verdict)


def contract_that_varies(product, folder, name: str):
    told = yaml.safe_load(product.path.read_text("utf-8"))
    (column,) = (one for one in told["schema"][0]["properties"] if one["name"] == name)
    column["customProperties"].append({"property": "varies", "value": True})
    path = folder / product.path.name
    path.write_text(yaml.safe_dump(told, allow_unicode=True), encoding="utf-8")
    return load_product(path)
