"""What tells of a person or a home stops a release, and is told without the value."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from lakehouse.contracts.classification import Classification
from quality import audit_product
from quality.audit.disclosed import EXPECTATION
from tests.unit.publishing.lake import PRODUCT, air_rows
from tests.unit.quality.identities import COORDINATION, PERSON

MAIL = "anna.andersson@example.se"
PLANTED = {
    "personnummer": f"{PERSON[:8]}-{PERSON[8:]}",
    "samordningsnummer": COORDINATION,
    "email": f"Ring eller skriv till {MAIL}",
    "phone": "070-174 06 05",
    "vehicle_plate": "regnr ABC 12D",
    "dwelling": "Hornsgatan 108 lgh 1101",
    "mac_address": "00:1B:44:11:3A:B7",
    "ip_address": "192.0.2.17",
}


@pytest.fixture
def product(contracts):
    return contracts.product(PRODUCT)


def with_column(product, name, **changes):
    columns = tuple(
        replace(column, **changes) if column.name == name else column for column in product.columns
    )
    return replace(product, columns=columns)


def planted(rows, text, count=3):
    return [row | {"district": text} if index < count else row for index, row in enumerate(rows)]


def told(verdict):
    return [check for check in verdict.checks if check.expectation == EXPECTATION and check.column]


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_one_fails_the_audit_and_stands_nowhere(settings, product, write_gold, kind):
    write_gold(planted(air_rows(), PLANTED[kind]))
    verdict = audit_product(settings, product)
    assert not verdict.passed
    found = [check for check in told(verdict) if check.expected == f"no {kind.replace('_', ' ')}"]
    assert [(check.column, check.unexpected) for check in found] == [("district", 3)]
    kept = "".join(path.read_text("utf-8") for path in settings.audits.rglob("*.json"))
    assert PLANTED[kind] not in json.dumps(asdict(verdict), ensure_ascii=False) + kept
    assert any("district" in reason for reason in verdict.reasons)


def test_sound_rows_have_one_check_that_says_so(settings, product, write_gold):
    write_gold(air_rows())
    verdict = audit_product(settings, product)
    assert verdict.passed
    (check,) = [check for check in verdict.checks if check.expectation == EXPECTATION]
    assert (check.passed, check.column, check.observed) == (True, None, "none in 11 columns")


def test_a_column_that_is_not_promised_is_not_looked_through(settings, product, write_gold):
    write_gold([row | {"secret_note": PLANTED["personnummer"]} for row in air_rows()])
    assert audit_product(settings, product).passed


def test_what_the_contract_accepts_is_told_and_stops_nothing(settings, product, write_gold):
    write_gold(planted(air_rows(), MAIL))
    accepting = with_column(product, "district", may_hold=("email",))
    verdict = audit_product(settings, accepting)
    assert verdict.passed
    assert [(check.passed, check.unexpected) for check in told(verdict)] == [(True, 3)]


def test_a_kind_that_nobody_looks_for_is_no_permission(settings, product, write_gold):
    write_gold(air_rows())
    verdict = audit_product(settings, with_column(product, "district", may_hold=("emial",)))
    assert not verdict.passed
    assert "'emial', which is no kind that is looked for" in verdict.reasons[0]


def test_personal_data_for_named_receivers_may_hold_them(settings, product, write_gold):
    write_gold(planted(air_rows(), PLANTED["personnummer"]))
    levels = Classification(k=2, r=2, t=1, personal_data=True, legal_basis="GDPR 6.1 e")
    verdict = audit_product(settings, replace(product, classification=levels))
    assert verdict.passed
    assert [(check.severity, check.passed) for check in told(verdict)] == [("warning", False)]


@pytest.mark.parametrize(("metres", "passes"), [(None, True), (500, False)])
def test_places_finer_than_the_contract_says_fail(settings, product, write_gold, metres, passes):
    rows = [row | {"longitude": 18.068519, "latitude": 59.319434} for row in air_rows()]
    write_gold(rows)
    publication = product.publication.model_copy(update={"place_precision_m": metres})
    verdict = audit_product(settings, replace(product, publication=publication))
    assert verdict.passed is passes
    assert {check.column for check in told(verdict)} == (
        set() if passes else {"longitude", "latitude"}
    )
