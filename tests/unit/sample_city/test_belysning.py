"""The notifications of the lamps, read back and held against the summary."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise

import pytest

from lakehouse.ledger import Ledger
from sample_city.street_lamps import IMPOSSIBLE_W, LAMPS

ATTRIBUTES = ("powerState", "status", "powerConsumption")


@pytest.fixture(scope="module")
def summary(city):
    return city.summary["belysning"]


@pytest.fixture(scope="module")
def files(city) -> dict[str, list[dict]]:
    folder = city.inbox / "belysning"
    return {
        path.name: [json.loads(line)["data"][0] for line in path.read_text("utf-8").splitlines()]
        for path in sorted(folder.iterdir())
    }


@pytest.fixture(scope="module")
def by_lamp(files) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for entities in files.values():
        for entity in entities:
            found[entity["id"].rsplit(":", 1)[1]].append(entity)
    return found


def test_summary_is_what_an_ingest_finds(files, summary):
    for delivery in summary.deliveries:
        entities = files[delivery.name]
        rows = sum(name in entity for entity in entities for name in ATTRIBUTES)
        bad = sum(
            entity.get("powerConsumption", {}).get("value") == IMPOSSIBLE_W for entity in entities
        )
        assert delivery.ledger == Ledger(
            records=len(entities), rows_in=rows, landed=rows - bad, quarantined=bad
        )
    assert summary.faults["out_of_range"] == 1
    assert summary.faults["defective_lamp"] > 10


def test_lamps_and_attributes_are_the_contracts_own(contracts, by_lamp):
    contract = contracts["belysning"]
    assert [thing.device.rsplit(":", 1)[1] for thing in contract.things] == [*LAMPS]
    assert {*by_lamp} == {*LAMPS}
    assert [channel.delivered_as for channel in contract.channels] == [*ATTRIBUTES]


def test_lamps_are_switched_twice_a_day_but_for_those_that_are_ill(by_lamp):
    def changes(lamp: str) -> int:
        states = [entity["powerState"]["value"] for entity in by_lamp[lamp]]
        return sum(one != other for one, other in pairwise(states))

    well = {changes(LAMPS[number]) for number in (0, 2, 4, 6, 7)}
    assert well == {28}
    assert all(changes(LAMPS[number]) < 28 for number in (1, 3, 5))


def test_every_report_says_when_it_was_so_and_what_it_draws(by_lamp):
    for entities in by_lamp.values():
        for entity in entities:
            (time,) = {
                entity[name]["metadata"]["TimeInstant"]["value"]
                for name in ATTRIBUTES
                if name in entity
            }
            assert time.endswith("Z")
            drawn = entity.get("powerConsumption", {}).get("value")
            if drawn not in (None, IMPOSSIBLE_W):
                assert (drawn > 0) == (entity["powerState"]["value"] == "on")
