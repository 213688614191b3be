"""Uplinks as The Things Stack v3 keeps them: answers of its Storage API, one document a line.

Source: The Things Stack v3, "Data Formats" and "Storage Integration". Fields that are zero, false
or empty are left out.
"""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sample_city.context_broker import utc

_GATEWAYS: Final = (
    ("drottninggatan-ahlens", "7276FF002E0602D1"),
    ("hotorget-2", "7276FF002E0602D9"),
)
_APPLICATION: Final = "lejonen-drottninggatan"
_JOIN_EUI: Final = "70B3D57ED0000000"


def stored_uplink(
    device: tuple[str, str],
    *,
    time: datetime,
    frame: int,
    reading: Mapping[str, float],
    rng: random.Random,
) -> str:
    """One uplink as a line of JSON, without the line end.

    Args:
        device: Its id in the network server and its EUI, upper-case hex.
        time: When the gateways heard it.
        frame: Frame counter of the session.
        reading: What the codec decoded.
        rng: Where radio conditions come from.
    """
    device_id, eui = device
    message: dict[str, object] = {
        "session_key_id": b64encode(eui.encode()).decode(),
        "f_port": 2,
        "f_cnt": frame,
        "frm_payload": b64encode(payload(reading)).decode(),
        "decoded_payload": dict(reading),
        "rx_metadata": _receptions(time, rng),
        "settings": {
            "data_rate": {"lora": {"bandwidth": 125_000, "spreading_factor": rng.choice((7, 8))}},
            "frequency": "868300000",
            "time": utc(time),
        },
        "received_at": utc(time + timedelta(milliseconds=210)),
    }
    if frame == 0:
        del message["f_cnt"]
    document = {
        "end_device_ids": {
            "device_id": device_id,
            "application_ids": {"application_id": _APPLICATION},
            "dev_eui": eui,
            "join_eui": _JOIN_EUI,
            "dev_addr": f"26{eui[-6:]}",
        },
        "received_at": utc(time + timedelta(milliseconds=430)),
        "uplink_message": message,
    }
    return json.dumps({"result": document}, ensure_ascii=False, separators=(",", ":"))


def payload(reading: Mapping[str, float]) -> bytes:
    """The bytes a tracker sent: its battery and, if it has a fix, the position and its accuracy."""
    sent = round(reading["battery"] * 1000).to_bytes(2, "big")
    if "latitude" not in reading:
        return sent
    position = (round(reading[axis] * 1e6) for axis in ("latitude", "longitude"))
    return (
        sent
        + b"".join(axis.to_bytes(4, "big", signed=True) for axis in position)
        + round(reading["accuracy"]).to_bytes(1, "big")
    )


def _receptions(time: datetime, rng: random.Random) -> list[dict[str, object]]:
    heard = rng.sample(_GATEWAYS, rng.randint(1, len(_GATEWAYS)))
    return [
        {
            "gateway_ids": {"gateway_id": gateway, "eui": eui},
            "time": utc(time),
            "rssi": -70 - rng.randrange(30),
            "snr": rng.randrange(-16, 40) / 4,
        }
        for gateway, eui in heard
    ]
