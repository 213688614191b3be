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
from ingestion.formats import delimited, ignition_history, line_protocol, lorawan, senml
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
            "LoRaWAN uplinks of ChirpStack v4",
            "ChirpStack v4, event `up`",
            lorawan.reader("chirpstack_v4"),
        ),
        "chirpstack_v3": Format(
            "LoRaWAN uplinks of ChirpStack v3",
            "ChirpStack v3, event `up`",
            lorawan.reader("chirpstack_v3"),
        ),
        "things_stack_v3": Format(
            "LoRaWAN uplinks of The Things Stack v3, live or from its Storage API",
            "The Things Stack v3, Data Formats",
            lorawan.reader("things_stack_v3"),
        ),
        "loriot": Format(
            "LoRaWAN uplinks of LORIOT",
            "LORIOT, Uplink Data Message",
            lorawan.reader("loriot"),
        ),
        "thingpark": Format(
            "LoRaWAN uplinks of Actility ThingPark",
            "ThingPark, `DevEUI_uplink`",
            lorawan.reader("thingpark"),
        ),
        "senml": Format("Sensor Measurement Lists (SenML) in JSON", "RFC 8428", senml.read),
        "influx_line_protocol": Format(
            "InfluxDB line protocol", "InfluxDB v2, Line protocol", line_protocol.read
        ),
        "ignition_history": Format(
            "Values of an Ignition Tag Historian, as pulled",
            "Ignition Database Table Reference 8.3",
            ignition_history.read,
        ),
    }
)
