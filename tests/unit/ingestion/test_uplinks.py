"""One uplink is one observation, however many gateways deliver it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from tests.unit.ingestion.lake import CHIRPSTACK, column, uplink, utc

CHANNELS = [column("temperature", "air_temperature", "Cel")]
LORIOT = {"protocol": "folder", "format": "loriot", "framing": "lines"}
THINGPARK = {"protocol": "folder", "format": "thingpark", "framing": "lines"}
AT = 1_760_000_000_000


def heard(ms: int = 0, **changes) -> str:
    """A LORIOT uplink, `ms` after the first gateway heard it."""
    event = {
        "cmd": "rx",
        "EUI": "0102030405060708",
        "ts": AT + ms,
        "fcnt": 7,
        "port": 1,
        "rssi": -90,
        "snr": 5,
        "data": "0a0b",
    }
    return json.dumps(event | changes)


def at_lrr(seconds: int, lrr: str, **changes) -> str:
    """A ThingPark uplink as one base station heard it."""
    moment = datetime(2026, 10, 1) + timedelta(seconds=seconds)
    event = {
        "Time": f"{moment.isoformat()}.000+00:00",
        "DevEUI": "70B3D57BA000156B",
        "DevAddr": "00FDA112",
        "FPort": 1,
        "FCntUp": 26,
        "payload_hex": "02023b",
        "Lrrid": lrr,
        "LrrRSSI": -114.0 + seconds,
    }
    return json.dumps({"DevEUI_uplink": event | changes})


@pytest.fixture
def taken(lake):
    """Landed and duplicate rows of deliveries, each taken on its own."""

    def ingest(delivery, *deliveries):
        contract = lake.source(columns=CHANNELS, delivery=delivery)
        found = []
        for number, lines in enumerate(deliveries):
            lake.deliver(f"{number}.json", "\n".join(lines))
            ledger = lake.ingest(contract).ledger
            found.append((ledger.landed, ledger.duplicates))
        return found

    return ingest


def test_one_uplink_of_several_gateways_in_one_delivery(taken, lake):
    many = heard(40, cmd="gw", gws=[{"rssi": -80, "snr": 7, "time": "2025-10-09T08:53:20.040Z"}])
    assert taken(LORIOT, [heard(), many, heard(900)]) == [(1, 2)]
    (row,) = lake.bronze()
    assert row["phenomenon_time"] == utc("2025-10-09 08:53:20")


def test_one_uplink_of_several_gateways_in_several_deliveries(taken):
    deliveries = [[at_lrr(0, "A")], [at_lrr(3, "B"), at_lrr(-2, "C")], [at_lrr(3, "B")]]
    assert taken(THINGPARK, *deliveries) == [(1, 0), (0, 2), (0, 1)]


def test_deduplication_id_decides(taken):
    again = uplink(time="2026-10-19T10:00:05Z", rxInfo=[{"gatewayId": "g3", "rssi": -70}])
    other = uplink(time="2026-10-19T10:00:05Z", deduplicationId="another")
    assert taken(CHIRPSTACK, [uplink()], [again], [other]) == [(1, 0), (0, 1), (1, 0)]


@pytest.mark.parametrize(
    "changes",
    [
        {"fcnt": 8, "ts": AT + 1000},
        {"port": 2, "ts": AT + 1000},
        {"data": "0a0c"},
        {"EUI": "0102030405060709"},
        {"devaddr": "30A68BC2", "ts": AT + 1000},
        {"ts": AT + 601_000},
    ],
)
def test_other_uplinks_are_not_taken_for_it(taken, changes):
    assert taken(LORIOT, [heard(), heard(**changes)]) == [(2, 0)]


def test_other_uplinks_of_a_later_delivery(taken):
    deliveries = [[heard()], [heard(1000, data="0a0c")], [heard(601_000)], [heard(601_500)]]
    assert taken(LORIOT, *deliveries) == [(1, 0), (1, 0), (1, 0), (0, 1)]


def test_lost_uplinks_are_a_finding(lake):
    contract = lake.source(columns=CHANNELS, delivery=LORIOT)
    lake.deliver("a.json", "\n".join(heard(n * 60_000, fcnt=n) for n in (1, 2, 5)))
    lake.ingest(contract)
    findings = [finding for row in lake.ledger() for finding in json.loads(row["findings"])]
    assert "2 of 5 uplinks of 1 devices are missing by frame counter" in findings
