"""The uplinks, read back line by line and held against the summary and ChirpStack's rules."""

from __future__ import annotations

import gzip
import json
import statistics
import uuid
from base64 import b64decode
from collections import Counter
from datetime import datetime
from itertools import pairwise

import pytest

from lakehouse.ledger import Ledger
from sample_city import generate
from sample_city.chirpstack import payload, without_zeros
from sample_city.lamp_posts import CHANNELS, POSTS


def lines(path) -> list[str]:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    text = content.decode("utf-8")
    assert text.endswith("\n")
    return text.splitlines()


def parse(line: str) -> dict | None:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


@pytest.fixture(scope="module")
def files(city) -> dict[str, list[dict | None]]:
    folder = city.inbox / "kista_multisensor"
    return {path.name: [parse(line) for line in lines(path)] for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def events(files) -> list[dict]:
    return [event for found in files.values() for event in found if event is not None]


@pytest.fixture(scope="module")
def summary(city):
    return city.summary["kista_multisensor"]


def test_summary_is_what_an_ingest_finds(files, summary):
    for delivery in summary.deliveries:
        found = files[delivery.name]
        readings = [event["object"] for event in found if event is not None]
        cut = found.count(None)
        impossible = sum(reading["humidity"] > 100 for reading in readings)
        rows = sum(map(len, readings))
        assert delivery.ledger == Ledger(
            records=len(found),
            rows_in=rows + cut,
            landed=rows - impossible,
            quarantined=cut + impossible,
        )
        assert delivery.faults.get("cut_line", 0) == cut
        assert delivery.faults.get("out_of_range", 0) == impossible
    assert summary.faults["cut_line"] == summary.faults["out_of_range"] == 1
    assert summary.faults["rejoin"] == 1


def test_one_file_a_utc_day_one_of_them_gzipped(files):
    assert len(files) == 15
    assert [name for name in files if name.endswith(".gz")] == ["uplinks_2026-10-21.ndjson.gz"]
    for name, found in files.items():
        times = [event["time"] for event in found if event is not None]
        assert times == sorted(times)
        assert {time[:10] for time in times} == {name[8:18]}


def test_lost_uplinks_leave_gaps_in_the_counter(events, summary):
    sessions: dict[tuple[str, str], list[int]] = {}
    for event in events:
        key = (event["deviceInfo"]["devEui"], event["devAddr"])
        sessions.setdefault(key, []).append(event.get("fCnt", 0))
    assert len(sessions) == len(POSTS) + summary.faults["rejoin"]
    gaps = 0
    for frames in sessions.values():
        assert frames == sorted(set(frames))
        gaps += sum(after - before - 1 for before, after in pairwise(frames))
    slots = 14 * 96 + 4
    # A device that fell silent for good leaves no gap behind.
    missing = len(POSTS) * slots - summary.ledger.records - summary.faults["silent_device"]
    assert missing == summary.faults["lost_uplink"]
    # The cut line is a gap too; uplinks lost at the very ends of a session are none.
    assert 0.9 * missing < gaps <= missing + 1


def test_rejoin_restarts_the_counter(events):
    (first,) = (event for event in events if "fCnt" not in event)
    eui = first["deviceInfo"]["devEui"]
    before = [
        event
        for event in events
        if event["deviceInfo"]["devEui"] == eui and event["time"] < first["time"]
    ]
    assert before
    assert all(event["devAddr"] != first["devAddr"] for event in before)


def test_zero_fields_are_omitted_but_not_inside_the_object(events):
    for event in events:
        envelope = {key: value for key, value in event.items() if key != "object"}
        assert without_zeros(envelope) == envelope
        assert tuple(event["object"]) == (*CHANNELS,)
    assert any("dr" not in event for event in events)
    assert all("confirmed" not in event for event in events)
    assert any(event["object"]["light"] == 0 for event in events)
    assert any(event["object"]["temperature"] == 0 for event in events)


def test_without_zeros_keeps_what_is_said():
    message = {"a": 0, "b": False, "c": "", "d": [], "e": {"f": 0, "g": 1}, "h": [{"i": 0}], "j": 2}
    assert without_zeros(message) == {"e": {"g": 1}, "h": [{}], "j": 2}


def test_radio_is_eu868(events):
    for event in events[:2000]:
        lora = event["txInfo"]["modulation"]["lora"]
        assert lora["spreadingFactor"] == 12 - event.get("dr", 0)
        assert 863_000_000 <= event["txInfo"]["frequency"] <= 870_000_000
        assert 1 <= len({reception["gatewayId"] for reception in event["rxInfo"]}) <= 3
        assert all(-140 < reception["rssi"] < -30 for reception in event["rxInfo"])
        assert uuid.UUID(event["deduplicationId"]).version == 4
        assert datetime.fromisoformat(event["time"]).utcoffset().total_seconds() == 0


def test_receptions_differ_in_number(events):
    counts = Counter(len(event["rxInfo"]) for event in events)
    assert set(counts) == {1, 2, 3}


def test_deduplication_ids_are_unique(events):
    assert len({event["deduplicationId"] for event in events}) == len(events)


def test_payload_says_what_the_object_says(events):
    for event in events[:500]:
        assert b64decode(event["data"]) == payload(event["object"])
    reading = {"temperature": -1.5, "humidity": 41, "light": 39, "co2": 776, "vdd": 3426}
    assert payload(reading).hex() == "01fff10229040027060308070d62"


def test_devices_and_channels_are_the_contracts_own(contracts, events):
    contract = contracts["kista_multisensor"]
    assert [(thing.device, thing.name) for thing in contract.things] == list(POSTS)
    assert [channel.name for channel in contract.channels] == list(CHANNELS)
    assert {event["deviceInfo"]["devEui"] for event in events} == {eui for eui, _ in POSTS}


def test_values_stay_in_the_contracts_range(contracts, events):
    outside = [
        (channel.name, event["object"][channel.name])
        for channel in contracts["kista_multisensor"].channels
        for event in events
        if not channel.minimum <= event["object"][channel.name] <= channel.maximum
    ]
    assert outside == [("humidity", 140)]


def test_what_ails_a_device_stands_in_its_readings(events, summary):
    """Each kind in one device, late in the period; all of them values that may be."""
    of_device: dict[str, list[dict]] = {}
    for event in events:
        of_device.setdefault(event["deviceInfo"]["devEui"], []).append(event)
    last = {eui: found[-1]["object"] for eui, found in of_device.items()}
    stuck, silent, drifting, battery = (POSTS[number][0] for number in (10, 13, 14, 17))
    tail = [event["object"]["temperature"] for event in of_device[stuck][-300:]]
    assert len(set(tail)) == 1
    assert of_device[silent][-1]["time"] < "2026-10-31"
    usual = statistics.median(reading["co2"] for reading in last.values())
    assert last[drifting]["co2"] > usual + 80
    assert min(reading["vdd"] for reading in last.values()) == last[battery]["vdd"] > 2800
    ailments = {"stuck_value", "drifting_value", "spike", "failing_battery", "silent_device"}
    assert ailments < summary.faults.keys()


def test_the_healthy_read_the_same_with_and_without_the_ailing(tmp_path, events):
    """A smaller city has no ailing devices, and the others of it the very same uplinks."""
    generate(tmp_path, scale=0.95)
    smaller = {
        line
        for path in (tmp_path / "kista_multisensor").iterdir()
        for line in lines(path)
        if POSTS[0][0] in line
    }
    own = [event for event in events if event["deviceInfo"]["devEui"] == POSTS[0][0]]
    assert [parse(line) for line in sorted(smaller, key=lambda one: parse(one)["time"])] == own
