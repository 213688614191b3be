"""ChirpStack v4 `up` events as the network server writes them to a file: one JSON a line.

The envelope follows proto3 JSON: a field that is zero, false or empty is left out, so `fCnt`
is missing from the first uplink after a join and `dr` from a device at the edge of the cell.
What the codec decoded (`object`) is no protobuf message: a dark lamp post has `light` 0.

Source: ChirpStack v4 integrations, event "up"; Elsys payload format for `data`.
"""

from __future__ import annotations

import json
import random
import uuid
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

GATEWAYS: Final = (
    ("7276ff002e0601a1", 59.4036, 17.9448, 44),
    ("7276ff002e0601b7", 59.4062, 17.9521, 38),
    ("7276ff002e0601c4", 59.4079, 17.9602, 51),
)
"""Gateways on the roofs of Kista: id, latitude, longitude, height in metres."""

_FREQUENCIES_HZ = tuple(867_100_000 + step * 200_000 for step in range(8))  # EU868, 867.1-868.5
_TENANT = "52f14cd4-0b6e-4f0e-9c7e-5a2b7c1d8e10"
_APPLICATION = "ca739e26-3c1b-4a7d-8f55-91d2e4a6b703"
_PROFILE = "605d08d4-7a90-4e1c-b2d3-6f8e0c9a1b25"


@dataclass(frozen=True, slots=True)
class Device:
    """What the network server knows of a device, besides its session.

    Attributes:
        dev_eui: EUI-64, lower-case hex.
        name: Name given to it.
        data_rate: EU868 data rate, 0 (SF12) to 5 (SF7).
        reach: How many gateways can hear it.
    """

    dev_eui: str
    name: str
    data_rate: int
    reach: int


def up_event(
    device: Device,
    *,
    time: datetime,
    dev_addr: str,
    frame: int,
    reading: Mapping[str, float],
    rng: random.Random,
) -> str:
    """One uplink as a line of JSON, without the line end.

    Args:
        device: The sender.
        time: When the network server received it.
        dev_addr: Address of the device in its current session.
        frame: Frame counter of the session.
        reading: Decoded values by key: temperature, humidity, co2, light, vdd.
        rng: Where radio conditions and ids come from.
    """
    event = without_zeros(
        {
            "deduplicationId": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "time": time.isoformat(timespec="microseconds"),
            "deviceInfo": _device_info(device),
            "devAddr": dev_addr,
            "adr": True,
            "dr": device.data_rate,
            "fCnt": frame,
            "fPort": 5,
            "confirmed": False,
            "data": b64encode(payload(reading)).decode(),
            "rxInfo": _receptions(device, time, rng),
            "txInfo": _transmission(device, rng),
            "regionConfigId": "eu868",
        }
    )
    event["object"] = {key: _number(value) for key, value in reading.items()}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def payload(reading: Mapping[str, float]) -> bytes:
    """The bytes the device sent: type, value, type, value …, as Elsys sensors write them."""
    return b"".join(
        (
            b"\x01" + round(reading["temperature"] * 10).to_bytes(2, "big", signed=True),
            b"\x02" + round(reading["humidity"]).to_bytes(1, "big"),
            b"\x04" + round(reading["light"]).to_bytes(2, "big"),
            b"\x06" + round(reading["co2"]).to_bytes(2, "big"),
            b"\x07" + round(reading["vdd"]).to_bytes(2, "big"),
        )
    )


def without_zeros(message: Mapping[str, object]) -> dict[str, object]:
    """A message without its fields that are zero, false or empty, as proto3 JSON is written."""
    return {key: _nested(value) for key, value in message.items() if value}


def _nested(value: object) -> object:
    if isinstance(value, dict):
        return without_zeros(value)
    if isinstance(value, list):
        return [_nested(item) for item in value]
    return value


def _device_info(device: Device) -> dict[str, object]:
    return {
        "tenantId": _TENANT,
        "tenantName": "Stockholms stad",
        "applicationId": _APPLICATION,
        "applicationName": "Multisensorer Kista",
        "deviceProfileId": _PROFILE,
        "deviceProfileName": "Multisensor CO2",
        "deviceName": device.name,
        "devEui": device.dev_eui,
    }


def _receptions(device: Device, time: datetime, rng: random.Random) -> list[dict[str, object]]:
    count = rng.randint(1, device.reach)
    heard = rng.sample(GATEWAYS, count)
    channel = rng.randrange(8)
    received = time - timedelta(milliseconds=180 + rng.randrange(60))
    return [
        {
            "gatewayId": gateway,
            "uplinkId": rng.getrandbits(32),
            "gwTime": received.isoformat(timespec="microseconds"),
            "rssi": -70 - 8 * (5 - device.data_rate) - rng.randrange(12),
            "snr": _number(round(9 - 3 * (5 - device.data_rate) + rng.randrange(-8, 9) / 4, 2)),
            "channel": channel,
            "rfChain": channel // 4,
            "location": {"latitude": latitude, "longitude": longitude, "altitude": height},
            "context": b64encode(rng.randbytes(4)).decode(),
            "crcStatus": "CRC_OK",
        }
        for gateway, latitude, longitude, height in heard
    ]


def _transmission(device: Device, rng: random.Random) -> dict[str, object]:
    lora = {
        "bandwidth": 125_000,
        "spreadingFactor": 12 - device.data_rate,
        "codeRate": "CR_4_5",
    }
    return {"frequency": rng.choice(_FREQUENCIES_HZ), "modulation": {"lora": lora}}


def _number(value: float) -> float:
    """A whole number without a fraction: the codec's numbers are written as JavaScript does."""
    return int(value) if value == int(value) else value
