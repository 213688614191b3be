"""Documents of nested JSON formats, by their specifications, and the plain loops that read them.

Sources: OGC SensorThings API 1.1; ETSI GS CIM 009 (NGSI-LD temporal); RFC 8428 (SenML); the uplink
event of ChirpStack v4. Each generator is deterministic; what is told by a number (things, streams,
packs, uplinks) is another one under another number, so that no two rows are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_INSTANT = datetime.fromisoformat
CHANNELS = {"temperature": "Cel", "humidity": "%", "battery": "V"}
CODES = {"temperature": "CEL", "humidity": "P1", "battery": "VLT"}

Row: TypeAlias = tuple[str, str, datetime, float]
"""Device, channel, time, value."""
Json: TypeAlias = Any
"""What orjson makes of a document."""


def _value(number: int) -> float:
    return round(10 + (number * 7919 % 2000) / 100, 2)


def _time(number: int) -> str:
    return f"{_BEGAN + timedelta(minutes=number):%Y-%m-%dT%H:%M:%S}.000Z"


def _observation(stream: int, number: int) -> dict[str, object]:
    return {
        "@iot.id": stream * 1000 + number,
        "phenomenonTime": _time(number),
        "resultTime": _time(number),
        "result": _value(stream + number),
    }


def _datastream(number: int, **more: object) -> dict[str, object]:
    channel = list(CHANNELS)[number % 3]
    unit = {"name": channel, "symbol": CHANNELS[channel], "definition": None}
    return {
        "@iot.id": number,
        "name": channel,
        "description": f"{channel} of a mast",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": unit,
    } | more


def expanded(things: Sequence[int], minutes: int) -> Iterator[object]:
    """A page of Things with two Datastreams each and a row for each minute (18-088, 9.3.3.1)."""

    def streams(thing: int) -> list[dict[str, object]]:
        return [
            _datastream(
                number, Observations=[_observation(number, minute) for minute in range(minutes)]
            )
            for number in (2 * thing, 2 * thing + 1)
        ]

    yield {
        "value": [
            {"@iot.id": thing, "name": f"mast-{thing}", "Datastreams": streams(thing)}
            for thing in things
        ]
    }


def expanded_loop(page: Json) -> Iterator[Row]:
    """The rows of a page of expanded Things."""
    for thing in page["value"]:
        device = thing["name"]
        for stream in thing["Datastreams"]:
            channel = stream["name"]
            for one in stream["Observations"]:
                yield device, channel, _INSTANT(one["phenomenonTime"]), one["result"]


def data_array(streams: Sequence[int], minutes: int) -> Iterator[object]:
    """Observations of Datastreams as `resultFormat=dataArray` (18-088, 12.2)."""
    yield {
        "value": [
            {
                "Datastream": _datastream(number, Thing={"@iot.id": number, "name": f"m-{number}"}),
                "components": ["@iot.id", "phenomenonTime", "resultTime", "result"],
                "dataArray@iot.count": minutes,
                "dataArray": [
                    [number * 1000 + minute, _time(minute), _time(minute), _value(number + minute)]
                    for minute in range(minutes)
                ],
            }
            for number in streams
        ]
    }


def data_array_loop(page: Json) -> Iterator[Row]:
    """The rows of data arrays."""
    for group in page["value"]:
        stream = group["Datastream"]
        device, channel = stream["Thing"]["name"], stream["name"]
        names = group["components"]
        time, result = names.index("phenomenonTime"), names.index("result")
        for cells in group["dataArray"]:
            yield device, channel, _INSTANT(cells[time]), cells[result]


def temporal(entities: Sequence[int], minutes: int) -> Iterator[object]:
    """The temporal evolution of entities with two attributes (CIM 009, 4.5.6 and 4.5.7)."""
    yield [
        {
            "id": f"urn:ngsi-ld:WeatherObserved:{number}",
            "type": "WeatherObserved",
            "@context": "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
            "location": {
                "type": "GeoProperty",
                "value": {"type": "Point", "coordinates": [18.07, 59.33]},
            },
        }
        | {
            channel: [
                {
                    "type": "Property",
                    "value": _value(number + place + minute),
                    "observedAt": _time(minute),
                    "unitCode": code,
                    "instanceId": f"urn:ngsi-ld:instance:{number}-{place}-{minute}",
                }
                for minute in range(minutes)
            ]
            for place, (channel, code) in enumerate(list(CODES.items())[:2])
        }
        for number in entities
    ]


def temporal_loop(entities: Json) -> Iterator[Row]:
    """The rows of temporal entities."""
    for entity in entities:
        device = entity["id"]
        for channel, instances in entity.items():
            if isinstance(instances, list):
                for one in instances:
                    yield device, channel, _INSTANT(one["observedAt"]), one["value"]


def packs(numbers: Sequence[int], minutes: int) -> Iterator[object]:
    """SenML packs with two records for each minute (RFC 8428, 5.1.2 and 5.1.3)."""
    began = int(_BEGAN.timestamp())
    for pack in numbers:
        records: list[dict[str, object]] = [
            {
                "n": channel,
                "u": "%RH" if unit == "%" else unit,
                "t": number * 60,
                "v": _value(pack + number),
            }
            for number in range(minutes)
            for channel, unit in list(CHANNELS.items())[:2]
        ]
        base = {"bn": f"urn:dev:ow:{pack % 500:016x}:", "bt": began + pack // 500 * minutes * 60}
        records[0] = base | records[0]
        yield records


def packs_loop(pack: Json) -> Iterator[Row]:
    """The rows of a pack."""
    name, base = "", 0
    for record in pack:
        name, base = record.get("bn", name), record.get("bt", base)
        device, _, channel = (name + record.get("n", "")).rpartition(":")
        time = datetime.fromtimestamp(base + record.get("t", 0), UTC)
        yield device, channel, time, record["v"]


def uplinks(numbers: Sequence[int]) -> Iterator[object]:
    """Uplinks of ChirpStack v4 with three decoded values each."""
    for number in numbers:
        yield {
            "deduplicationId": f"{number:08x}-0000-4000-8000-{number:012x}",
            "time": f"{_BEGAN + timedelta(seconds=number):%Y-%m-%dT%H:%M:%S.123456}+00:00",
            "deviceInfo": {
                "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242",
                "tenantName": "ChirpStack",
                "applicationId": "ca739e26-7b67-4f14-b69e-d568c22a5a75",
                "applicationName": "climate",
                "deviceProfileName": "climate",
                "deviceName": f"sensor-{number % 1000}",
                "devEui": f"a8404100018{number % 1000:05x}",
                "tags": {},
            },
            "devAddr": f"2{number % 1000:07x}",
            "adr": True,
            "dr": 5,
            "fCnt": number // 1000,
            "fPort": 85,
            "confirmed": False,
            "data": "AQDiAikEACcFBgYDCAcNYg==",
            "object": {name: _value(number + n) for n, name in enumerate(CHANNELS)},
            "rxInfo": [
                {
                    "gatewayId": "6a7e111a10000000",
                    "uplinkId": number,
                    "rssi": -35 - number % 60,
                    "snr": 11.5,
                    "channel": 2,
                    "location": {},
                    "context": "EFwMtA==",
                    "crcStatus": "CRC_OK",
                }
            ],
            "txInfo": {
                "frequency": 868500000,
                "modulation": {
                    "lora": {"bandwidth": 125000, "spreadingFactor": 7, "codeRate": "CR_4_5"}
                },
            },
        }


def uplinks_loop(event: Json) -> Iterator[Row]:
    """The rows of an uplink."""
    device, time = event["deviceInfo"]["devEui"], _INSTANT(event["time"])
    for channel, value in event["object"].items():
        yield device, channel, time, value
