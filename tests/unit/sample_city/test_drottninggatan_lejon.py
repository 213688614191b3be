"""The uplinks of the lions, read back and held against the summary."""

from __future__ import annotations

import json
import math
from base64 import b64decode
from collections import defaultdict
from datetime import datetime

import pytest

from sample_city.drottninggatan_lejon import LIONS, MOVED_M
from sample_city.things_stack import payload


@pytest.fixture(scope="module")
def summary(city):
    return city.summary["drottninggatan_lejon"]


@pytest.fixture(scope="module")
def files(city) -> dict[str, list[dict]]:
    folder = city.inbox / "drottninggatan_lejon"
    return {
        path.name: [json.loads(line)["result"] for line in path.read_text("utf-8").splitlines()]
        for path in sorted(folder.iterdir())
    }


@pytest.fixture(scope="module")
def by_lion(files) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for uplinks in files.values():
        for uplink in uplinks:
            found[uplink["end_device_ids"]["dev_eui"]].append(uplink["uplink_message"])
    return found


def distance_m(message: dict, eui: str) -> float | None:
    reading = message["decoded_payload"]
    if "latitude" not in reading:
        return None
    (place,) = (lion[2:] for lion in LIONS if lion[1] == eui)
    north = (reading["latitude"] - place[1]) * 111_320
    east = (reading["longitude"] - place[0]) * 111_320 * math.cos(math.radians(place[1]))
    return math.hypot(north, east)


def test_summary_is_what_an_ingest_finds(files, summary):
    for delivery in summary.deliveries:
        readings = [uplink["uplink_message"]["decoded_payload"] for uplink in files[delivery.name]]
        rows = sum(map(len, readings))
        assert delivery.ledger.records == len(readings)
        assert delivery.ledger.rows_in == delivery.ledger.landed == rows
        lacking = sum("latitude" not in reading for reading in readings)
        assert delivery.faults.get("no_fix", 0) == lacking


def test_lions_are_the_contracts_own(contracts, by_lion):
    things = contracts["drottninggatan_lejon"].things
    told = [(thing.device, thing.longitude, thing.latitude) for thing in things]
    assert told == [lion[1:] for lion in LIONS]
    assert {*by_lion} == {eui for _, eui, *_ in LIONS}
    for thing in things:
        assert {*thing.attributes} == {"geofence_radius_m", "alarm_fixes", "silent_after_h"}
        assert thing.public_precision_m


def test_one_lion_is_moved_one_is_silent_and_one_sees_no_sky(by_lion):
    last = {
        eui: [distance_m(message, eui) for message in messages[-5:]]
        for eui, messages in by_lion.items()
    }
    moved, covered, silent = (LIONS[number][1] for number in (2, 3, 4))
    assert all(abs(one - MOVED_M) < 15 for one in last[moved] if one is not None)
    assert last[covered] == [None] * 5
    ends = {eui: messages[-1]["settings"]["time"] for eui, messages in by_lion.items()}
    gap = datetime.fromisoformat(ends[moved]) - datetime.fromisoformat(ends[silent])
    assert gap.days >= 3
    steady = LIONS[0][1]
    assert max(one for one in last[steady] if one is not None) < 15


def test_a_stray_fix_is_alone(by_lion, summary):
    """No lion that stands still has three fixes in a row outside of the radius."""
    strays = 0
    for eui, messages in by_lion.items():
        if eui == LIONS[2][1]:
            continue
        outside = [one > 15 for one in (distance_m(m, eui) for m in messages) if one is not None]
        strays += sum(outside)
        assert not any(all(outside[n : n + 3]) for n in range(len(outside) - 2))
    assert 0 < strays <= summary.faults["stray_fix"]


def test_payload_says_what_was_decoded(by_lion):
    for messages in by_lion.values():
        for message in messages:
            assert b64decode(message["frm_payload"]) == payload(message["decoded_payload"])
    fix = {"battery": 3.6, "latitude": 59.33, "longitude": -0.000001, "accuracy": 4}
    assert payload(fix).hex() == "0e10" + "03894dd0" + "ffffffff" + "04"
