"""The contract of a source: what is delivered, how to fetch and read it, and what it means.

`delivery` says how bytes become rows, `schema[0].properties` what each column or channel is,
`source` whose it is, `classification` how it may be handled and `things` what is measured at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from lakehouse.contracts.classification import (
    Classification,
    Levels,
    Processing,
    column_levels,
)
from lakehouse.contracts.delivery import Delivery
from lakehouse.contracts.drafts import require_decided
from lakehouse.contracts.odcs import IDENTIFIER, Document, Frozen, custom_properties, read_document
from lakehouse.contracts.promises import promised_s
from lakehouse.contracts.thing import Thing, Things, told_twice
from lakehouse.contracts.vocabulary import AGGREGATIONS
from lakehouse.errors import ContractError, Problem


class Ownership(Frozen):
    """Whose source it is and who answers for each layer of its architecture.

    `licence` is that of the data as they are delivered, where it is not the city's own to choose.
    """

    organisation: str
    initiative: str
    owner: str
    contact: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    connectivity: str | None = None
    licence: str | None = None
    processing: Processing | None = None
    responsible: Mapping[Literal["edge", "network", "platform"], str] = Field(default_factory=dict)


class ColumnProperties(Frozen):
    """What ODCS lacks about a column; see `Column`."""

    observed_property: str | None = None
    unit: str | None = None
    devices: str = ".*"
    empty: Literal["filter", "quarantine"] = "filter"
    aggregation: str | None = None
    rollover: float | None = Field(default=None, gt=0)

    @field_validator("aggregation")
    @classmethod
    def _aggregation(cls, name: str | None) -> str | None:
        if name is not None and name not in AGGREGATIONS:
            raise ValueError(f"expected one of {', '.join(AGGREGATIONS)}")
        return name

    @field_validator("devices")
    @classmethod
    def _pattern(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"expected a regular expression ({error})") from None
        return pattern


@dataclass(frozen=True, slots=True)
class Column:
    """One column or channel as delivered, from `schema[0].properties`.

    Attributes:
        name: Name in the lake.
        delivered_as: Name in the delivery (`physicalName`, else the name).
        logical_type: ODCS logical type.
        required: Whether a row without it breaks the contract.
        observed_property: Property it measures; None when it is not a channel.
        unit: UCUM code of its values as delivered.
        minimum: Smallest value a working sensor can give, in `unit`.
        maximum: Largest.
        devices: Pattern of the devices this mapping is for.
        empty: What an empty cell is: left out by rule, or a broken row.
        aggregation: How its values become one of an hour, where that is not the property's way.
        rollover: Value at which a register begins again at 0, in `unit`.
        levels: Its own classification, where that is not the source's.
    """

    name: str
    delivered_as: str
    logical_type: str
    required: bool
    observed_property: str | None
    unit: str | None
    minimum: float | None
    maximum: float | None
    devices: str
    empty: Literal["filter", "quarantine"]
    description: str
    aggregation: str | None = None
    rollover: float | None = None
    levels: Levels | None = None

    @property
    def is_channel(self) -> bool:
        """Whether this column carries measurements."""
        return self.observed_property is not None


class ServerProperties(Frozen):
    """What ODCS lacks about a server: the protocol, where it is not the delivery's."""

    protocol: str | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """One place that a source can be fetched from.

    Attributes:
        name: What the contract calls it, such as `live` or `files`.
        location: Path pattern or address.
        protocol: How bytes are fetched there.
    """

    name: str
    location: str
    protocol: str


@dataclass(frozen=True, slots=True)
class SourceContract:
    """A source, as its contract file says.

    `classification` has the highest levels of the source and of its columns. `kept_from` is not of
    the file: the day, counted from 1970, that a table beside the source's own keeps rows from.
    """

    id: str
    name: str
    version: str
    status: str
    domain: str
    description: str
    path: Path
    digest: str
    servers: tuple[Server, ...]
    ownership: Ownership
    delivery: Delivery
    classification: Classification
    columns: tuple[Column, ...]
    things: tuple[Thing, ...]
    frequency_s: int | None
    retention_s: int | None = None
    kept_from: int = 0

    @property
    def channels(self) -> tuple[Column, ...]:
        """The columns that carry measurements."""
        return tuple(column for column in self.columns if column.is_channel)

    @property
    def server(self) -> Server:
        """Where it is fetched from: the first of its servers."""
        return self.servers[0]

    @property
    def location(self) -> str:
        """Path pattern or address of its server."""
        return self.server.location

    @property
    def protocol(self) -> str:
        """How bytes are fetched from its server."""
        return self.server.protocol

    def at(self, server: str) -> SourceContract:
        """The same source, fetched from the server of that name if it has one."""
        chosen = [one for one in self.servers if one.name == server]
        rest = [one for one in self.servers if one.name != server]
        return replace(self, servers=(*chosen, *rest))


def load_source(path: Path) -> SourceContract:
    """Read one source contract.

    Raises:
        ContractError: Naming file, key, problem and remedy.
    """
    document = read_document(path)
    require_decided(path)
    return source_of(document)


def source_of(document: Document) -> SourceContract:
    """The source that a document says.

    Raises:
        ContractError: Naming file, key, problem and remedy.
    """
    path, data = document.path, document.data
    delivery = document.section("delivery", Delivery)
    columns = tuple(_columns(document))
    contract = SourceContract(
        id=data["id"],
        name=data.get("name", data["id"]),
        version=data["version"],
        status=data.get("status", "draft"),
        domain=data.get("domain", "other"),
        description=(data.get("description") or {}).get("purpose", ""),
        path=path,
        digest=document.digest,
        servers=tuple(_servers(document, delivery)),
        ownership=document.section("source", Ownership),
        delivery=delivery,
        classification=document.section("classification", Classification).raised_to(
            column.levels for column in columns if column.levels
        ),
        columns=columns,
        things=_things(document),
        frequency_s=promised_s(document, "frequency"),
        retention_s=promised_s(document, "retention"),
    )
    problems = list(_problems(contract))
    problems += document.unknown_properties(("source", "delivery", "classification", "things"))
    if problems:
        raise ContractError.of(problems)
    return contract


def _columns(document: Document) -> Iterator[Column]:
    schema = document.data.get("schema") or [{}]
    for index, item in enumerate(schema[0].get("properties", ())):
        key = f"schema[0].properties[{index}].customProperties"
        extra = document.read(ColumnProperties, custom_properties(item), key)
        options = item.get("logicalTypeOptions", {})
        yield Column(
            name=item["name"],
            delivered_as=item.get("physicalName", item["name"]),
            logical_type=item.get("logicalType", "string"),
            required=item.get("required", False),
            observed_property=extra.observed_property,
            unit=extra.unit,
            minimum=options.get("minimum"),
            maximum=options.get("maximum"),
            devices=extra.devices,
            empty=extra.empty,
            aggregation=extra.aggregation,
            rollover=extra.rollover,
            description=item.get("description", ""),
            levels=column_levels(document, index, item),
        )


def _things(document: Document) -> tuple[Thing, ...]:
    listed = custom_properties(document.data).get("things", [])
    return document.read(Things, {"things": listed}, "customProperties").things


def _servers(document: Document, delivery: Delivery) -> Iterator[Server]:
    for index, item in enumerate(document.data.get("servers") or [{}]):
        key = f"servers[{index}].customProperties"
        extra = document.read(ServerProperties, custom_properties(item), key)
        yield Server(
            name=item.get("server", ""),
            location=str(item.get("path") or item.get("location") or ""),
            protocol=extra.protocol or delivery.protocol,
        )


def _problems(contract: SourceContract) -> Iterator[Problem]:
    """What no schema can say about one contract."""
    path = contract.path

    def problem(key: str, what: str, remedy: str) -> Problem:
        return Problem(f"{path}: {key}", what, remedy)

    if not re.match(IDENTIFIER, contract.id):
        yield problem(
            "id", f"'{contract.id}' is not a plain id", "Use a-z, 0-9 and _, at most 63 characters."
        )
    if path.stem != contract.id:
        yield problem("id", f"'{contract.id}' is not the file's name", f"Write '{path.stem}'.")
    if not all(server.location for server in contract.servers):
        yield problem(
            "servers", "no place to fetch from", "Add a server with 'path' or 'location'."
        )
    if contract.classification.k >= 3:
        yield problem(
            "customProperties.classification.k",
            f"K={contract.classification.k} may not stand in a shared lakehouse",
            "Keep the data where it was made.",
        )
    if not contract.channels:
        yield problem(
            "schema[0].properties",
            "no property names an observedProperty, so nothing would be measured",
            "Give at least one property the custom properties 'observedProperty' and 'unit'.",
        )
    for device in told_twice(contract.things):
        yield problem(
            "customProperties.things",
            f"'{device}' stands twice with the same beginning",
            "Give the later entry a 'validFrom', or keep one of them.",
        )
    yield from _column_problems(contract)


def _column_problems(contract: SourceContract) -> Iterator[Problem]:
    names = [column.name for column in contract.columns]
    place = f"{contract.path}: schema[0].properties"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem(place, f"'{name}' stands twice", "Keep one of them.")
    for index, column in enumerate(contract.columns):
        if column.is_channel and column.unit is None:
            yield Problem(
                f"{place}[{index}]",
                f"the channel '{column.name}' has no unit",
                "Add the custom property 'unit' with a UCUM code from vocabulary/units.csv.",
            )
        if column.rollover and not column.is_channel:
            yield Problem(
                f"{place}[{index}]",
                f"'{column.name}' has a rollover but is no channel",
                "Give it an observedProperty and a unit, or take the rollover away.",
            )
