"""Notifications of context brokers, one JSON document a line: NGSI-LD and NGSIv2.

A subscription names the attributes it wants, so what describes an entity (its place, its lane) does
not come along with every reading.

Source: ETSI GS CIM 009 V1.9.1, section 5.3.1 (Notification) and 4.5 (normalized representation);
FIWARE-NGSI v2, "Notification Messages"; Smart Data Models for the attributes.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

CONTEXT: Final = (
    "https://raw.githubusercontent.com/smart-data-models/dataModel.Transportation/master/"
    "context.jsonld"
)


def utc(instant: datetime) -> str:
    """An instant as brokers write it, to the millisecond."""
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def linked_property(value: object, unit: str | None = None) -> dict[str, object]:
    """An NGSI-LD Property; `unit` is a UN/CEFACT code."""
    told: dict[str, object] = {"type": "Property", "value": value}
    return told | ({"unitCode": unit} if unit else {})


def linked_time(instant: datetime) -> dict[str, object]:
    """An NGSI-LD Property that holds a time."""
    return linked_property({"@type": "DateTime", "@value": utc(instant)})


def linked_notification(
    entities: Sequence[Mapping[str, object]],
    subscription: str,
    notified: datetime,
    rng: random.Random,
) -> str:
    """An NGSI-LD notification as a line of JSON, without the line end."""
    return _line(
        {
            "id": f"urn:ngsi-ld:Notification:{uuid.UUID(int=rng.getrandbits(128), version=4)}",
            "type": "Notification",
            "subscriptionId": f"urn:ngsi-ld:Subscription:{subscription}",
            "@context": CONTEXT,
            "notifiedAt": utc(notified),
            "data": list(entities),
        }
    )


def attribute(
    value: object, kind: str, observed: datetime, unit: str | None = None
) -> dict[str, object]:
    """An NGSIv2 attribute with the time it was observed at, and perhaps its unit."""
    metadata = {"TimeInstant": {"type": "DateTime", "value": utc(observed)}}
    if unit:
        metadata["unitCode"] = {"type": "Text", "value": unit}
    return {"type": kind, "value": value, "metadata": metadata}


def notification(entities: Sequence[Mapping[str, object]], subscription: str) -> str:
    """An NGSIv2 notification as a line of JSON, without the line end."""
    return _line({"subscriptionId": subscription, "data": list(entities)})


def _line(document: Mapping[str, object]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
