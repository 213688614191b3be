"""How bytes are read: the registry of formats.

A format takes the plain, verified files of a batch and says, as SQL over what it has loaded into
the batch's private DuckDB, which records there are and which rows they offer.

To add one: a module with a `read` function, a line here, a test, a heading under docs/formats/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.formats import (
    chirpstack,
    delimited,
    ignition_history,
    ngsi,
    quantumleap,
    sensorthings,
    sentilo,
    thingsboard,
)
from ingestion.offered import Reading
from lakehouse.contracts import SourceContract

Read = Callable[[duckdb.DuckDBPyConnection, Sequence[Member], SourceContract], Reading]


@dataclass(frozen=True, slots=True)
class Format:
    """A format that contracts may name.

    Attributes:
        title: What people call it.
        source: The specification it is read by.
        read: Reads the files of a batch.
    """

    title: str
    source: str
    read: Read


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "csv": Format("Delimited text in a declared dialect", "RFC 4180", delimited.read),
        "chirpstack_v4": Format(
            "LoRaWAN uplinks of ChirpStack v4", "ChirpStack v4, event `up`", chirpstack.read
        ),
        "ignition_history": Format(
            "Values of an Ignition Tag Historian, as pulled",
            "Ignition Database Table Reference 8.3",
            ignition_history.read,
        ),
        "sensorthings": Format(
            "OGC SensorThings API responses", "OGC 18-088, version 1.1", sensorthings.read
        ),
        "ngsi_ld": Format("NGSI-LD entities and notifications", "ETSI GS CIM 009", ngsi.read),
        "ngsi_v2": Format("NGSIv2 entities and notifications", "FIWARE-NGSI v2", ngsi.read),
        "quantumleap": Format(
            "QuantumLeap answers and notifications", "QuantumLeap API 0.8", quantumleap.read
        ),
        "thingsboard": Format(
            "ThingsBoard telemetry, exported or uploaded",
            "ThingsBoard telemetry API",
            thingsboard.read,
        ),
        "sentilo": Format(
            "Sentilo observations, read or published", "Sentilo API 2.0, data", sentilo.read
        ),
    }
)
