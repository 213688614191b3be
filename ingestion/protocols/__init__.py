"""How bytes are fetched: the registry of protocols.

A protocol yields offers, oldest first; it never reads them.

To add one: a module with an `offers` function, a line here, a test, a heading under
docs/protocols/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from ingestion.protocols import (
    aveva_historian,
    download,
    folder,
    ignition_historian,
    ngsi_ld_server,
    object_store,
    paged_http,
    pi_web_api,
    sensorthings_server,
    sftp,
    sql_table,
    thingsboard,
)
from ingestion.protocols.sql_days import ByDay

Offers = Callable[[Fetch], Iterator[Offer]]


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol that contracts may name.

    Attributes:
        title: What people call it.
        source: The specification it speaks.
        offers: Yields what a source has, oldest first.
        by_day: Opens its rows day by day, if it can count them.
    """

    title: str
    source: str
    offers: Offers
    by_day: ByDay | None = None


PROTOCOLS: Final[Mapping[str, Protocol]] = MappingProxyType(
    {
        "folder": Protocol("Files that suppliers put into the inbox", "POSIX", folder.offers),
        "sftp": Protocol("Files on an SFTP server", "SFTP 3, RFC 4253", sftp.offers),
        "object_store": Protocol(
            "Files in an object store (S3, Azure and what fsspec knows)",
            "fsspec",
            object_store.offers,
        ),
        "http": Protocol("Files at one web address or several", "RFC 9110 (HTTP)", download.offers),
        "paged_http": Protocol(
            "JSON APIs that answer in pages", "RFC 9110, RFC 8288 (Link)", paged_http.offers
        ),
        "sensorthings_server": Protocol(
            "OGC SensorThings servers", "OGC 18-088 (SensorThings 1.1)", sensorthings_server.offers
        ),
        "ngsi_ld_server": Protocol(
            "NGSI-LD brokers, temporal entities", "ETSI GS CIM 009 V1.9.1", ngsi_ld_server.offers
        ),
        "thingsboard": Protocol(
            "ThingsBoard telemetry over REST",
            "ThingsBoard REST API, telemetry-controller",
            thingsboard.offers,
        ),
        "sql_table": Protocol(
            "A table or view of a database", "SQLAlchemy 2.1", sql_table.offers, sql_table.days
        ),
        "ignition_historian": Protocol(
            "Ignition SQL Tag Historian",
            "Ignition Database Table Reference 8.3",
            ignition_historian.offers,
            ignition_historian.days,
        ),
        "aveva_historian": Protocol(
            "AVEVA (Wonderware) Historian",
            "AVEVA Historian, table `History`",
            aveva_historian.offers,
            aveva_historian.days,
        ),
        "pi_web_api": Protocol(
            "PI System over PI Web API", "PI Web API Reference 2023", pi_web_api.offers
        ),
    }
)
