"""Nested JSON formats read and judged, beside an orjson loop over the same file.

The loop checks nothing: it parses, walks and keeps device, channel, time and value as one Arrow
table. Ours reads by the format and holds every row against the contract. Both must come to the
same rows and the same sum. The last way is what DuckDB needs only to parse the file into typed
columns, whatever is done with them then.

Run: python -m benchmarks.nested_formats [sensorthings ngsi_ld senml lorawan]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import orjson
import pyarrow as pa

from benchmarks import observations
from benchmarks.rounds import compare
from ingestion.batches import rules
from ingestion.deliveries import Landed, Member, Offer
from ingestion.formats import FORMATS
from ingestion.reading.offered import show
from lakehouse.contracts import SourceContract
from lakehouse.duck import connect
from lakehouse.settings import Settings

ROWS = 200_000
_RECEIVED = datetime(2027, 1, 1, tzinfo=UTC)
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_INSTANT = datetime.fromisoformat
_CHANNELS = {"temperature": "Cel", "humidity": "%", "battery": "V"}
_CODES = {"temperature": "CEL", "humidity": "P1", "battery": "VLT"}

Row: TypeAlias = tuple[str, str, datetime, float]
"""Device, channel, time, value."""
Json: TypeAlias = Any
"""What orjson makes of a document."""


@dataclass(frozen=True)
class Form:
    """A form that a format comes in: what a file holds, and how a loop reads it.

    Attributes:
        format: Name of the format in contracts.
        framing: Whether a file is one document, or has one on each line.
        documents: Makes the documents of the file.
        loop: The rows of a document.
        parse: Typed columns for DuckDB's own parse.
        has_records: Whether a document is one object, not a list of them.
    """

    format: str
    framing: str
    documents: Callable[[], Iterator[object]]
    loop: Callable[[Json], Iterator[Row]]
    parse: str
    has_records: bool = True


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
    channel = list(_CHANNELS)[number % 3]
    unit = {"name": channel, "symbol": _CHANNELS[channel], "definition": None}
    return {
        "@iot.id": number,
        "name": channel,
        "description": f"{channel} of a mast",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": unit,
    } | more


def expanded() -> Iterator[object]:
    """A page of Things with Datastreams and Observations, without links (18-088, 9.3.3.1)."""

    def streams(thing: int) -> list[dict[str, object]]:
        return [
            _datastream(
                number, Observations=[_observation(number, minute) for minute in range(1000)]
            )
            for number in (2 * thing, 2 * thing + 1)
        ]

    yield {
        "value": [
            {"@iot.id": thing, "name": f"mast-{thing}", "Datastreams": streams(thing)}
            for thing in range(ROWS // 2000)
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


def data_array() -> Iterator[object]:
    """Observations as `resultFormat=dataArray` (18-088, 12.2)."""
    yield {
        "value": [
            {
                "Datastream": _datastream(number, Thing={"@iot.id": number, "name": f"m-{number}"}),
                "components": ["@iot.id", "phenomenonTime", "resultTime", "result"],
                "dataArray@iot.count": 1000,
                "dataArray": [
                    [number * 1000 + minute, _time(minute), _time(minute), _value(number + minute)]
                    for minute in range(1000)
                ],
            }
            for number in range(ROWS // 1000)
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


def temporal() -> Iterator[object]:
    """The temporal evolution of entities, normalized (CIM 009, 4.5.6 and 4.5.7)."""
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
                for minute in range(1000)
            ]
            for place, (channel, code) in enumerate(list(_CODES.items())[:2])
        }
        for number in range(ROWS // 2000)
    ]


def temporal_loop(entities: Json) -> Iterator[Row]:
    """The rows of temporal entities."""
    for entity in entities:
        device = entity["id"]
        for channel, instances in entity.items():
            if isinstance(instances, list):
                for one in instances:
                    yield device, channel, _INSTANT(one["observedAt"]), one["value"]


def packs() -> Iterator[object]:
    """SenML packs (RFC 8428, 5.1.2 and 5.1.3), as gateways write them one a line."""
    began = int(_BEGAN.timestamp())
    for pack in range(ROWS // 20):
        records: list[dict[str, object]] = [
            {
                "n": channel,
                "u": "%RH" if unit == "%" else unit,
                "t": number * 60,
                "v": _value(pack + number),
            }
            for number in range(10)
            for channel, unit in list(_CHANNELS.items())[:2]
        ]
        base = {"bn": f"urn:dev:ow:{pack % 500:016x}:", "bt": began + pack // 500 * 600}
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


def uplinks() -> Iterator[object]:
    """Uplinks of ChirpStack v4 with decoded values, one a line."""
    for number in range(ROWS // 3):
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
            "object": {name: _value(number + n) for n, name in enumerate(_CHANNELS)},
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


_OBSERVED = "phenomenonTime varchar, resultTime varchar, result json"
FORMS = {
    "sensorthings": {
        "expanded Things": Form(
            "sensorthings",
            "document",
            expanded,
            expanded_loop,
            f"""{{value: 'struct(name varchar, "Datastreams" struct(name varchar,
                "Observations" struct({_OBSERVED})[])[])[]'}}""",
        ),
        "dataArray": Form(
            "sensorthings",
            "document",
            data_array,
            data_array_loop,
            """{value: 'struct("Datastream" json, components varchar[],
                "dataArray" varchar[][])[]'}""",
        ),
    },
    "ngsi_ld": {
        "temporal entities": Form(
            "ngsi_ld",
            "document",
            temporal,
            temporal_loop,
            "{entities: 'struct(id varchar"
            + "".join(
                f", {name} struct(type varchar, value json, observedAt varchar)[]"
                for name in list(_CODES)[:2]
            )
            + ")[]'}",
            has_records=False,
        )
    },
    "senml": {
        "packs": Form(
            "senml",
            "lines",
            packs,
            packs_loop,
            "{pack: 'struct(bn varchar, bt double, n varchar, u varchar, t double, v double)[]'}",
            has_records=False,
        )
    },
    "lorawan": {
        "uplinks of ChirpStack": Form(
            "chirpstack_v4",
            "lines",
            uplinks,
            uplinks_loop,
            """{time: 'varchar', deviceInfo: 'struct(devEui varchar)',
                object: 'map(varchar, json)'}""",
        )
    },
}


def write(form: Form, path: Path) -> None:
    """Write the documents of a form."""
    with path.open("wb") as file:
        for document in form.documents():
            file.write(orjson.dumps(document) + b"\n")


def loop(form: Form, path: Path) -> pa.Table:
    """The rows of a file by orjson and a Python loop."""
    content = path.read_bytes()
    documents = content.splitlines() if form.framing == "lines" else [content]
    rows = (row for document in documents for row in form.loop(orjson.loads(document)))
    device, channel, time, value = zip(*rows, strict=True)
    return pa.table(
        {
            "device": pa.array(device, pa.string()),
            "channel": pa.array(channel, pa.string()),
            "t": pa.array(time, pa.timestamp("us", "UTC")),
            "value": pa.array(value, pa.float64()),
        }
    )


def ours(settings: Settings, contract: SourceContract, path: Path) -> tuple[int, float]:
    """Rows and sum of a file as the project reads and judges it."""
    landed = Landed(Offer(path.name, path, _RECEIVED), "0" * 64, path, path.stat().st_size)
    with connect(extensions=()) as connection:
        connection.execute(
            "create temp table files as select 0::integer as _file, ?::timestamp as received_at",
            [_RECEIVED.replace(tzinfo=None)],
        )
        members = [Member(0, landed, None, path)]
        reading = FORMATS[contract.delivery.format].read(connection, members, contract)
        given = show(connection, reading)
        rules.judge(connection, settings, contract, given, may_be_silent=reading.may_be_silent)
        found: tuple[int, float] = connection.execute(
            "select count(*), sum(value) from judged where verdict = 'sound'"
        ).fetchall()[0]
        return found


def parse(form: Form, path: Path) -> None:
    """DuckDB parses the file into typed columns."""
    size = 1 << 20 if form.framing == "lines" else path.stat().st_size + 1024
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(
            f"""create temp table parsed as from read_json('{path}', columns = {form.parse},
                format = 'newline_delimited', records = {str(form.has_records).lower()},
                maximum_object_size = {size})"""
        )


def main(kinds: list[str]) -> None:
    """Write the files and compare."""
    with tempfile.TemporaryDirectory() as name:
        for kind in kinds or list(FORMS):
            for title, form in FORMS[kind].items():
                folder = Path(name) / kind / title
                settings, contract = observations.nested(folder, form.format, form.framing)
                path = folder / "file.json"
                write(form, path)
                table = loop(form, path)
                count, total = ours(settings, contract, path)
                assert count == table.num_rows, (count, table.num_rows)
                assert abs(total - sum(table["value"].to_pylist())) < 1e-6 * abs(total), total
                megabytes = path.stat().st_size / 1e6
                print(f"{kind}, {title}: {count:,} observations, {megabytes:,.0f} MB")
                compare(
                    {
                        "orjson loop into Arrow": partial(loop, form, path),
                        "read and judged": partial(ours, settings, contract, path),
                        "DuckDB: parse only": partial(parse, form, path),
                    }
                )


if __name__ == "__main__":
    main(sys.argv[1:])
