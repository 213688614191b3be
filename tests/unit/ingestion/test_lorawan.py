"""LoRaWAN uplinks of the other network servers, and what all of them have in common."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest

from lakehouse.errors import ContractError
from tests.unit.ingestion.lake import column

CHANNELS = [column("temperature", "air_temperature", "Cel")]
FOLDERS = {
    "chirpstack_v4": "lorawan-chirpstack",
    "chirpstack_v3": "lorawan-chirpstack",
    "things_stack_v3": "lorawan-tts",
    "loriot": "lorawan-loriot",
    "thingpark": "lorawan-thingpark",
}


def delivery(server: str, framing: str = "lines", **more):
    return {"protocol": "folder", "format": server, "framing": framing} | more


@pytest.fixture
def read(lake):
    """Judged rows of documents, each on a line of its own."""

    def judged(server: str, *documents, **more):
        contract = lake.source(columns=CHANNELS, delivery=delivery(server, **more))
        texts = [one if isinstance(one, str) else json.dumps(one) for one in documents]
        return lake.judged(contract, lake.deliver("a.json", "\n".join(texts)))

    return judged


def merged(document, **changes):
    """A copy of a document with some keys changed, or taken away by None."""
    found = document | changes
    return {key: value for key, value in found.items() if value is not None}


def v3(**changes):
    return merged(
        {
            "applicationID": "123",
            "devEUI": "AgICAgICAgI=",
            "rxInfo": [
                {"time": "2019-11-08T13:59:25.048445Z", "rssi": -48, "loRaSNR": 9},
                {"time": None, "rssi": -50, "loRaSNR": 10.5},
            ],
            "dr": 1,
            "fCnt": 10,
            "fPort": 5,
            "data": "AgI7",
            "objectJSON": '{"temperatureSensor":25,"deep":{"x":[1,true]}}',
        },
        **changes,
    )


def things_stack(message=None, **changes):
    return merged(
        {
            "end_device_ids": {"dev_eui": "70B3D57BA0000BCE", "dev_addr": "27000020"},
            "received_at": "2026-02-06T09:46:05.447941836Z",
            "uplink_message": merged(
                {
                    "session_key_id": "AXAWYbtx",
                    "f_port": 1,
                    "f_cnt": 101,
                    "frm_payload": "AgI7",
                    "decoded_payload": {"temperature": 0, "state": "ok"},
                    "rx_metadata": [
                        {"rssi": -16, "snr": 8.5, "gps_time": "2026-02-06T09:46:05.2Z"},
                        {"rssi": -90, "snr": 9.5, "gps_time": "2026-02-06T09:46:05.1Z"},
                    ],
                    "settings": {
                        "time": "2026-02-06T09:46:05Z",
                        "data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 11}},
                    },
                    "received_at": "2026-02-06T09:46:05.234Z",
                    "locations": {"user": {"latitude": 59.3, "longitude": 18.1}},
                },
                **(message or {}),
            ),
        },
        **changes,
    )


def loriot(**changes):
    return merged(
        {
            "cmd": "gw",
            "EUI": "0102030405060708",
            "ts": 1690901260493,
            "fcnt": 3,
            "port": 1,
            "dr": "SF12 BW125 4/5",
            "gws": [
                {"rssi": -38, "snr": 8.5, "time": "2023-08-01T14:47:40.493Z"},
                {"rssi": -42, "snr": 8.8, "time": "2023-08-01T14:47:40.495Z"},
            ],
            "data": "02023b",
        },
        **changes,
    )


def told(row):
    return json.loads(row["attributes"])


def test_chirpstack_v3(read):
    rows = read("chirpstack_v3", v3())
    assert {row["channel"]: (row["cell"], row["value"]) for row in rows} == {
        "temperatureSensor": ("25", 25.0),
        "deep.x.0": ("1", 1.0),
        "deep.x.1": ("true", 1.0),
    }
    assert {row["device"] for row in rows} == {"0202020202020202"}
    assert {str(row["t"]) for row in rows} == {"2019-11-08 13:59:25.048445"}
    assert told(rows[0]) == {
        "uplink": "/10/5",
        "deduplication_id": None,
        "session": None,
        "f_cnt": 10,
        "f_port": 5,
        "data_rate": 1,
        "gateways": 2,
        "rssi": -48.0,
        "snr": 10.5,
        "time_source": "rxInfo.time",
    }


@pytest.mark.parametrize(
    ("changes", "rule", "reason"),
    [
        ({"objectJSON": "{oops"}, "layout", "the decoded payload is no JSON object"),
        ({"objectJSON": "[1]"}, "layout", "the decoded payload is no JSON object"),
        ({"objectJSON": '{"a":1,"a":2}'}, "layout", "names a key twice"),
        ({"objectJSON": '{"b":{"a":1,"a":2}}'}, "layout", "b names a key twice"),
        ({"devEUI": "no base64"}, "format", "devEUI is missing"),
        ({"rxInfo": []}, "time_missing", "the event has no time"),
        ({"objectJSON": None, "data": None}, "no_measurement", "neither decoded values"),
    ],
)
def test_broken_chirpstack_v3(read, changes, rule, reason):
    (row,) = read("chirpstack_v3", v3(**changes))
    assert (row["verdict"], row["rule"]) == ("broken", rule)
    assert reason in row["reason"]


def test_chirpstack_v3_without_a_gateway_that_knows_the_time(read):
    (row, *_) = read("chirpstack_v3", v3(rxInfo=[], publishedAt="2019-11-08T14:00:00+01:00"))
    assert str(row["t"]) == "2019-11-08 13:00:00"
    assert told(row)["time_source"] == "publishedAt"


def test_a_tracker_sends_its_position_and_the_typed_in_one_is_no_fix(read):
    position = {"longitude": "longitude", "latitude": "latitude"}
    fix = {"temperature": 1, "longitude": 18.0651, "latitude": 59.3319}
    for decoded, expected in (
        (fix, (18.0651, 59.3319)),
        ({"temperature": 1}, (None, None)),
        (fix | {"latitude": "no fix"}, (18.0651, None)),
    ):
        rows = read(
            "things_stack_v3", things_stack({"decoded_payload": decoded}), position=position
        )
        assert len(rows) == len(decoded)
        assert {(row["longitude"], row["latitude"]) for row in rows} == {expected}


def test_a_tracker_tells_no_metres(read):
    position = {"easting": "x", "northing": "y", "crs": "EPSG:3011"}
    with pytest.raises(ContractError, match="trackers tell degrees, not metres"):
        read("things_stack_v3", things_stack(), position=position)


def test_things_stack(read):
    rows = read("things_stack_v3", things_stack())
    assert {row["channel"]: (row["value"], row["text"]) for row in rows} == {
        "temperature": (0.0, None),
        "state": (None, "ok"),
    }
    assert {(row["device"], row["longitude"], row["latitude"]) for row in rows} == {
        ("70B3D57BA0000BCE", 18.1, 59.3)
    }
    attributes = told(rows[0])
    assert attributes["uplink"] == "AXAWYbtx/101/1"
    assert (attributes["data_rate"], attributes["rssi"]) == ("SF11BW125", -16.0)


@pytest.mark.parametrize(
    ("message", "seconds", "time_source"),
    [
        ({}, "05.100000", "rx_metadata.gps_time"),
        ({"rx_metadata": None}, "05", "settings.time"),
        ({"rx_metadata": [], "settings": None}, "05.234000", "uplink_message.received_at"),
        (
            {"rx_metadata": None, "settings": None, "received_at": None},
            "05.447941",
            "received_at",
        ),
    ],
)
def test_best_clock_that_there_is(read, message, seconds, time_source):
    (row, _) = read("things_stack_v3", things_stack(message))
    assert str(row["t"]) == f"2026-02-06 09:46:{seconds}"
    assert told(row)["time_source"] == time_source


def test_earliest_of_the_gateways_that_know_the_time(read):
    times = ["2026-02-06T09:46:05.9Z", "", None, "2026-02-06T09:46:05Z", "2026-02-06T09:46:06Z"]
    gateways = [{"gps_time": time} for time in times]
    (row, _) = read("things_stack_v3", things_stack({"rx_metadata": gateways}))
    assert str(row["t"]) == "2026-02-06 09:46:05"


def test_time_that_the_device_tells(read):
    rule = {"columns": ["when"], "format": "%Y-%m-%d %H:%M:%S", "zone": "Europe/Stockholm"}
    told_by_device = things_stack(
        {"decoded_payload": {"temperature": 1, "when": "2026-02-06 10:40:00"}}
    )
    rows = read("things_stack_v3", told_by_device, things_stack(), time=rule)
    by_device = {row["channel"]: row for row in rows if row["_row"] == 1}
    assert str(by_device["temperature"]["t"]) == "2026-02-06 09:40:00"
    assert told(by_device["temperature"])["time_source"] == "object.when"
    assert {told(row)["time_source"] for row in rows if row["_row"] == 2} == {
        "rx_metadata.gps_time"
    }
    (row,) = read(
        "things_stack_v3",
        things_stack({"decoded_payload": {"when": "2026-03-29 02:30:00"}}),
        time=rule,
    )
    assert row["rule"] == "time_nonexistent"


def test_storage_api_answers_with_one_result_after_the_other(read):
    results = [json.dumps({"result": things_stack({"f_cnt": n})}) for n in (1, 2)]
    rows = read("things_stack_v3", results[0], "", results[1].replace('{"result"', '{ "result" '))
    assert [(row["_row"], told(row)["f_cnt"]) for row in rows] == [(1, 1), (1, 1), (3, 2), (3, 2)]
    (row,) = read("things_stack_v3", {"error": {"code": 5}})
    assert (row["rule"], "end_device_ids is missing" in row["reason"]) == ("format", True)


def test_simulated_uplinks_are_left_out_and_counted(lake):
    contract = lake.source(columns=CHANNELS, delivery=delivery("things_stack_v3"))
    texts = [json.dumps(things_stack(simulated=True)), json.dumps(things_stack())]
    lake.deliver("a.json", "\n".join(texts))
    ledger = lake.ingest(contract).ledger
    assert (ledger.records, ledger.rows_in, ledger.landed) == (2, 3, 2)
    assert dict(ledger.filtered) == {"simulated": 1}
    assert lake.quarantine() == []


def test_loriot_of_one_gateway_and_of_many(read):
    one = loriot(cmd="rx", gws=None, rssi=-21, snr=10, devaddr="30A68BC2")
    (many, single) = read("loriot", loriot(), one)
    assert (many["channel"], many["text"]) == ("data", "02023b")
    assert str(many["t"]) == str(single["t"]) == "2023-08-01 14:47:40.493000"
    assert [told(row)["time_source"] for row in (many, single)] == ["gws.time", "ts"]
    assert [told(row)["rssi"] for row in (many, single)] == [-38.0, -21.0]
    assert [told(row)["uplink"] for row in (many, single)] == ["/3/1", "30A68BC2/3/1"]
    (row,) = read("loriot", loriot(cmd="tx"))
    assert (row["rule"], "cmd 'rx' or 'gw' is missing" in row["reason"]) == ("format", True)


@pytest.mark.parametrize("number", ["x", {"a": 1}, [1], True, None, 1e400, 2**70])
def test_counter_that_is_no_number_is_unknown(read, number):
    (row,) = read("loriot", merged(loriot(), fcnt=number))
    assert (row["verdict"], told(row)["f_cnt"], told(row)["uplink"]) == ("sound", None, None)


def test_network_servers_are_not_taken_for_one_another(read):
    documents = {"chirpstack_v3": v3(), "things_stack_v3": things_stack(), "loriot": loriot()}
    for server in FOLDERS:
        for other, document in documents.items():
            rows = read(server, document)
            is_same = other == server
            assert ({row["verdict"] for row in rows} == {"sound"}) == is_same
            assert is_same or "it looks like" in rows[0]["reason"]


def plain_reading(server: str, path):
    """Device, payload, counter, port and candidate times of a real payload, read plainly."""
    event = json.loads(path.read_text(encoding="utf-8"))
    if server == "chirpstack_v4":
        return (
            event["deviceInfo"]["devEui"], event["data"], event.get("fCnt", 0),
            event["fPort"], event["time"],
        )  # fmt: skip
    if server == "chirpstack_v3":
        device = base64.b64decode(event["devEUI"]).hex()
        values = json.loads(event["objectJSON"])
        return device, values, event["fCnt"], event["fPort"], event["rxInfo"][0]["time"]
    if server == "things_stack_v3":
        message = event["uplink_message"]
        return (
            event["end_device_ids"]["dev_eui"], message["frm_payload"], message.get("f_cnt", 0),
            message["f_port"], message["settings"]["time"],
        )  # fmt: skip
    if server == "loriot":
        moment = datetime.fromtimestamp(event["ts"] / 1000, UTC).isoformat()
        return event["EUI"], event["data"], event["fcnt"], event["port"], moment
    event = event["DevEUI_uplink"]
    return event["DevEUI"], event["payload_hex"], event["FCntUp"], event["FPort"], event["Time"]


@pytest.mark.parametrize(
    ("server", "count"),
    [
        ("chirpstack_v4", 32),
        ("chirpstack_v3", 11),
        ("things_stack_v3", 38),
        ("loriot", 46),
        ("thingpark", 11),
    ],
)
def test_all_real_payloads_read_as_a_plain_reading_does(lake, real_data, server, count):
    folder = real_data / "iot" / FOLDERS[server]
    paths = sorted(folder.glob("**/uplink/payload*.json"))
    if server.startswith("chirpstack"):
        is_v3 = {path: '"devEUI"' in path.read_text() for path in paths}
        paths = [path for path in paths if is_v3[path] == (server == "chirpstack_v3")]
    assert len(paths) == count
    contract = lake.source(columns=CHANNELS, delivery=delivery(server, "document"))
    inbox = [lake.deliver(f"{n}.json", path.read_bytes()) for n, path in enumerate(paths)]
    rows = lake.judged(contract, *inbox)
    assert {row["verdict"] for row in rows} == {"sound"}
    for number, path in enumerate(paths):
        device, values, f_cnt, f_port, time = plain_reading(server, path)
        mine = [row for row in rows if row["_file"] == number]
        if not isinstance(values, dict):
            assert [(row["channel"], row["text"]) for row in mine] == [("data", values)]
        else:
            assert {row["channel"]: row["value"] for row in mine} == values
        for row in mine:
            assert row["device"] == device
            assert (told(row)["f_cnt"], told(row)["f_port"]) == (f_cnt, f_port)
            moment = datetime.fromisoformat(time)
            assert abs((row["t"].replace(tzinfo=UTC) - moment).total_seconds()) < 2e-6
        decoded = json.loads(path.with_name(path.name.replace("payload", "result")).read_text())
        stamps = times_of(decoded)
        assert (
            not stamps
            or min(abs(mine[0]["t"].replace(tzinfo=UTC).timestamp() - s) for s in stamps) < 1
        )


def times_of(decoded) -> list[float]:
    """Times, seconds since 1970, that another platform gave to the values of a payload."""
    found = []
    for one in decoded if isinstance(decoded, list) else [decoded]:
        telemetry = one.get("telemetry") or []
        for item in telemetry if isinstance(telemetry, list) else [telemetry]:
            stamp = item.get("ts")
            if isinstance(stamp, str):
                found.append(datetime.fromisoformat(stamp).timestamp())
            elif stamp is not None:
                found.append(stamp / 1000)
    return found
