"""Approvals: one decision in each file, named for it, and read with errors that help."""

from __future__ import annotations

import shutil
from datetime import date

import pytest
import yaml

from lakehouse.contracts import load_contracts
from lakehouse.contracts.approvals import write_approval
from lakehouse.decisions import inputs_of
from lakehouse.errors import ContractError
from lakehouse.settings import PROJECT
from tests.approval import MADE

PRODUCT = "luftkvalitet_timme"


@pytest.fixture
def folder(tmp_path):
    """The project's contracts without a decision."""
    copy = tmp_path / "contracts"
    shutil.copytree(
        PROJECT / "contracts", copy, ignore=shutil.ignore_patterns("approvals"), dirs_exist_ok=True
    )
    return copy


def test_a_decision_is_read_as_it_was_written(folder):
    assert load_contracts(folder).approval(PRODUCT) is None
    path = write_approval(folder, MADE)
    assert path == folder / "approvals" / PRODUCT / "2026-09-15-open.yaml"
    assert "Miljö- och hälsoskyddsnämnden" in path.read_text("utf-8")
    assert load_contracts(folder).approval(PRODUCT) == MADE


def test_the_newest_decision_on_the_audience_counts(folder):
    later = MADE.model_copy(update={"decided_on": "2026-10-01", "decision": "MF-2026-0500"})
    internal = MADE.model_copy(update={"decided_on": "2026-11-01", "audience": "internal"})
    for made in (later, internal, MADE):
        write_approval(folder, made)
    assert load_contracts(folder).approval(PRODUCT) == later


def test_a_decision_is_never_written_over(folder):
    write_approval(folder, MADE)
    with pytest.raises(ContractError, match="already a decision of that day"):
        write_approval(folder, MADE.model_copy(update={"decision": "MF-2026-0999"}))
    assert load_contracts(folder).approval(PRODUCT) == MADE


def test_what_a_decision_hangs_on_is_told_apart(folder):
    def inputs():
        contracts = load_contracts(folder)
        return inputs_of(contracts, contracts.product(PRODUCT))

    before = inputs()
    path = write_approval(folder, MADE)
    approved = inputs()
    path.unlink()
    assert inputs() == before != approved
    source = next(folder.rglob("miljo_luft.yaml"))
    source.write_text(source.read_text("utf-8").replace("{k: 0, ", "{k: 1, "), "utf-8")
    assert inputs() not in {before, approved}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"product": "luft"}, ["there is no product 'luft'", "Known: delningskostnad_dygn"]),
        ({"decidedOn": "2026-09-31"}, ["decidedOn", "expected a date", "not '2026-09-31'"]),
        ({"decidedOn": "2026-09-14"}, ["it holds the decision", "one decision in each"]),
        ({"validUntil": "2026-09-01"}, ["validUntil", "is before 2026-09-15", "Correct"]),
        ({"audience": "everybody"}, ["audience", "'open', 'internal' or 'restricted'"]),
        ({"contractVersion": "1"}, ["contractVersion", "expected a version such as 1.2.0"]),
        ({"classification": "K0"}, ["classification", "expected K-R-T such as 0-2-1"]),
        ({"decision": ""}, ["decision", "at least 1 character"]),
        ({"columns": []}, ["columns", "at least 1 item"]),
        ({"decidedby": "me"}, ["decidedby", "this key is unknown", "decidedBy"]),
        ({"audited": None}, ["audited", "Correct the value"]),
    ],
)
def test_a_broken_decision_is_refused_by_place_and_remedy(folder, change, words):
    path = write_approval(folder, MADE)
    data = yaml.safe_load(path.read_text("utf-8")) | change
    path.write_text(yaml.safe_dump(data), "utf-8")
    with pytest.raises(ContractError) as caught:
        load_contracts(folder)
    assert str(path) in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_the_decisions_of_the_city_are_on_what_its_contracts_say():
    contracts = load_contracts(PROJECT / "contracts")
    for product, made in contracts.approvals.items():
        contract = contracts.product(product)
        newest = made[-1]
        assert newest.columns == tuple(column.name for column in contract.columns)
        assert newest.classification == str(contract.classification.levels)
        assert date.fromisoformat(newest.valid_until) > date.fromisoformat(newest.decided_on)
