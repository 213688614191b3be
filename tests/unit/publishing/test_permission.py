"""Nothing is released whose audit or decision is missing, of something else, empty, or says no."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lakehouse.decisions import Outcome
from lakehouse.errors import ReleaseRefused
from publishing.making.release import release
from publishing.releases.manifest import newest_release
from tests.unit.publishing.lake import (
    OTHER,
    PRODUCT,
    air_rows,
    keep_decision,
    keep_verdict,
    replace_gold,
)

NO = (Outcome("secrecy", "OSL", False, "Sekretess.", "It is secret."),)
UNASKED = (Outcome("secrecy", "OSL", None, "Gäller inte produkten.", "Does not concern it."),)


@pytest.fixture
def version(settings):
    """The second version of the product's table, with 48 rows."""
    replace_gold(settings, air_rows(46))
    return replace_gold(settings, air_rows())


def good(settings, contracts, version):
    keep_verdict(settings, contracts, version, 48)


def no_audit(settings, contracts, version):
    keep_decision(settings, contracts, version)


def audit_of_the_version_before(settings, contracts, version):
    keep_verdict(settings, contracts, version - 1, 46)
    keep_decision(settings, contracts, version)


def audit_of_another_contract(settings, contracts, version):
    keep_verdict(settings, contracts, version, 48, contract_digest="0" * 64)


def audit_of_another_product(settings, contracts, version):
    keep_verdict(settings, contracts, version, 48, OTHER)
    keep_decision(settings, contracts, version)


def audit_without_checks(settings, contracts, version):
    keep_verdict(settings, contracts, version, 48, checks=())


def audit_that_failed(settings, contracts, version):
    keep_verdict(settings, contracts, version, 48, reasons=("a check raised",))


def audit_of_other_rows(settings, contracts, version):
    keep_verdict(settings, contracts, version, 47)


def audit_of_another_model(settings, contracts, version):
    keep_verdict(settings, contracts, version, 48, model="observations_hourly")


def no_decision(settings, contracts, version):
    good(settings, contracts, version)
    for path in settings.decisions.rglob("*.json"):
        path.unlink()


def decision_on_the_version_before(settings, contracts, version):
    no_decision(settings, contracts, version)
    keep_decision(settings, contracts, version - 1)


def decision_on_other_contracts(settings, contracts, version):
    no_decision(settings, contracts, version)
    keep_decision(settings, contracts, version, inputs="0" * 64)


def decision_for_another_audience(settings, contracts, version):
    good(settings, contracts, version)
    keep_decision(settings, contracts, version, audience="internal")


def decision_that_asked_nothing(settings, contracts, version):
    good(settings, contracts, version)
    keep_decision(settings, contracts, version, outcomes=())


def decision_that_nothing_concerned(settings, contracts, version):
    good(settings, contracts, version)
    keep_decision(settings, contracts, version, outcomes=UNASKED)


def decision_that_says_no(settings, contracts, version):
    good(settings, contracts, version)
    keep_decision(settings, contracts, version, outcomes=NO)


def decision_that_has_run_out(settings, contracts, version):
    good(settings, contracts, version)
    keep_decision(settings, contracts, version, valid_until="2026-01-02")


def decision_of_a_later_day(settings, contracts, version):
    good(settings, contracts, version)
    keep_decision(settings, contracts, version, decided_on="2199-01-01")


WAYS = {
    no_audit: "has not been audited",
    audit_of_the_version_before: "has not been audited",
    audit_of_another_contract: "has not been audited",
    audit_of_another_product: "has not been audited",
    audit_without_checks: "no check was made",
    audit_that_failed: "a check raised",
    audit_of_other_rows: "47 rows were audited but there are 48",
    audit_of_another_model: "the verdict is of",
    no_decision: "nobody has decided",
    decision_on_the_version_before: "nobody has decided",
    decision_on_other_contracts: "nobody has decided",
    decision_for_another_audience: "nobody has decided",
    decision_that_asked_nothing: "No rule was asked",
    decision_that_nothing_concerned: "No rule was asked",
    decision_that_says_no: "it may not be shared: It is secret",
    decision_that_has_run_out: "holds from 2026-01-01 until 2026-01-02",
    decision_of_a_later_day: "holds from 2199-01-01",
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_it_is_refused(settings, contracts, version, way):
    way(settings, contracts, version)
    with pytest.raises(ReleaseRefused, match=WAYS[way]):
        release(settings, contracts, PRODUCT)
    assert newest_release(settings, PRODUCT) is None


def test_with_both_it_is_released_and_carries_why(settings, contracts, version):
    good(settings, contracts, version)
    made = release(settings, contracts, PRODUCT)
    assert made.verdict.passed
    assert made.decision.allowed
    assert made.decision.delta_version == made.delta_version == version


def test_a_source_that_is_classified_higher_makes_the_decision_void(settings, contracts, version):
    good(settings, contracts, version)
    source = contracts.source("miljo_luft")
    higher = {"miljo_luft": replace(source, digest="f" * 64)}
    others = replace(contracts, sources=dict(contracts.sources) | higher)
    with pytest.raises(ReleaseRefused, match="nobody has decided"):
        release(settings, others, PRODUCT)


def test_an_approval_that_is_taken_back_makes_the_decision_void(settings, contracts, version):
    good(settings, contracts, version)
    with pytest.raises(ReleaseRefused, match="nobody has decided"):
        release(settings, replace(contracts, approvals={}), PRODUCT)


def test_what_nobody_has_classified_is_refused(settings, contracts, version):
    unclassified = replace(contracts.product(PRODUCT), classification=None)
    others = replace(contracts, products=dict(contracts.products) | {PRODUCT: unclassified})
    keep_verdict(settings, others, version, 48)
    with pytest.raises(ReleaseRefused, match="nobody has classified it"):
        release(settings, others, PRODUCT)
