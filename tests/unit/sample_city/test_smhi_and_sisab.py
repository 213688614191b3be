"""Weather as SMHI answers and buildings as a gateway tells, held against the summary."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from sample_city.sisab_inomhus import KEYS, SCHOOLS
from sample_city.smhi_vader import STATIONS


def documents(folder: Path) -> dict[str, list[dict]]:
    return {
        path.name: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in sorted(folder.iterdir())
    }


@pytest.fixture(scope="module")
def answers(city) -> dict[str, list[dict]]:
    return documents(city.inbox / "smhi_vader")


@pytest.fixture(scope="module")
def messages(city) -> dict[str, list[dict]]:
    return documents(city.inbox / "sisab_inomhus")


def test_every_file_has_the_answers_that_the_summary_counts(city, answers):
    for delivery in city.summary["smhi_vader"].deliveries:
        found = answers[delivery.name]
        assert delivery.ledger.records == delivery.ledger.landed == len(found)
        assert all(len(answer["value"]) == 1 for answer in found)


def test_stations_and_parameters_are_the_contracts_own(contracts, answers):
    contract = contracts["smhi_vader"]
    told = [answer for found in answers.values() for answer in found]
    stations = {answer["station"]["key"] for answer in told}
    assert stations == {thing.device for thing in contract.things} == {key for key, _ in STATIONS}
    parameters = {answer["parameter"]["name"] for answer in told}
    assert parameters == {channel.delivered_as for channel in contract.channels}


def test_every_hour_is_told_once_but_for_a_correction(city, answers):
    told = [answer for found in answers.values() for answer in found]
    counts = Counter(
        (answer["station"]["key"], answer["parameter"]["key"], answer["value"][0]["date"])
        for answer in told
    )
    assert len(counts) == 4 * (14 * 24 + 1)
    assert sorted(counts.values())[-2:] == [1, 2]
    assert city.summary["smhi_vader"].faults["correction"] == 1


def test_nothing_is_published_before_it_is_measured_and_some_hours_after(city, answers):
    told = [answer for found in answers.values() for answer in found]
    delays = [(one["updated"] - one["value"][0]["date"]) / 3_600_000 for one in told]
    assert min(delays) > 0
    late = [one for one, delay in zip(told, delays, strict=True) if delay > 1]
    faults = city.summary["smhi_vader"].faults
    # The newest of the silent hours came within the hour, as all do.
    assert len(late) + 2 >= faults["late_record"] == 14
    assert {one["station"]["key"] for one in late} == {"98230"}


def test_every_message_has_its_buildings_and_keys(city, messages, contracts):
    contract = contracts["sisab_inomhus"]
    assert [thing.device for thing in contract.things] == list(SCHOOLS)
    assert [channel.delivered_as for channel in contract.channels] == list(KEYS)
    for delivery in city.summary["sisab_inomhus"].deliveries:
        found = messages[delivery.name]
        rows = sum(
            len(pack["values"]) for told in found for packs in told.values() for pack in packs
        )
        again = sum(
            len(pack["values"])
            for index, told in enumerate(found)
            if told in found[:index]
            for packs in told.values()
            for pack in packs
        )
        assert (delivery.ledger.records, delivery.ledger.rows_in) == (len(found), rows)
        assert delivery.ledger.duplicates == again == delivery.faults.get("repeated_row", 0)
    assert city.summary["sisab_inomhus"].faults == {"repeated_row": 9}


def test_air_is_staler_when_pupils_are_in(messages):
    """Monday at noon beside Sunday at noon (11:00 UTC, or 10:00 in summer time)."""
    means = []
    for day, hour in (("2026-10-26", 11), ("2026-10-25", 11)):
        noon = [
            told
            for told in messages[f"telemetri_{day}.ndjson"]
            if (next(iter(told.values()))[0]["ts"] // 3_600_000) % 24 == hour
        ]
        values = [pack["values"]["co2"] for told in noon for (pack,) in told.values()]
        means.append(sum(values) / len(values))
    assert means[0] > means[1] + 150
