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
    aveva_history,
    delimited,
    excel,
    geojson,
    gtfs,
    ignition_history,
    json_paths,
    json_stat,
    line_protocol,
    lorawan,
    ngsi,
    parquet,
    pi_recorded,
    px,
    quantumleap,
    senml,
    sensorthings,
    sentilo,
    sql_rows,
    thingsboard,
    xml_paths,
)
from ingestion.reading.offered import Reading
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
        "json": Format("JSON of any shape, by paths", "RFC 8259, RFC 9535", json_paths.read),
        "geojson": Format("Features with their positions", "RFC 7946", geojson.read),
        "xml": Format("XML of any shape, by paths", "XML 1.0, XPath 1.0", xml_paths.read),
        "parquet": Format("Columns of Parquet files", "Apache Parquet 2.11", parquet.read),
        "excel": Format("Spreadsheets, the last resort", "ECMA-376", excel.read),
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
        "aveva_history": Format(
            "Values of an AVEVA Historian, as pulled",
            "AVEVA Historian, table `History`",
            aveva_history.read,
        ),
        "pi_recorded": Format(
            "Recorded values of PI Web API", "PI Web API Reference 2023", pi_recorded.read
        ),
        "sql_rows": Format(
            "Rows of a table, wide or narrow, as pulled", "the contract", sql_rows.read
        ),
        "px": Format("Tables of statistics in PC-Axis files", "PX-file format 2013", px.read),
        "json_stat2": Format("Tables of statistics in JSON-stat", "JSON-stat 2.0", json_stat.read),
        "pxweb_v1": Format(
            "Tables of statistics as PxWeb answers", "PxWeb API v1, `json`", json_stat.read_pxweb
        ),
        "gtfs": Format(
            "Timetables: planned calls at each stop", "GTFS Schedule Reference", gtfs.read
        ),
    }
)
